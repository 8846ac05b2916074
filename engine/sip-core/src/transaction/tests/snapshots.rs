//! Every state × event of every machine. A change of a table shows here as a difference to be read against the RFC.

use std::fmt::Write as _;

use super::super::{Event, Kind, State};
use super::{String, Vec, name, std};

fn table(kind: Kind) -> String {
    let mut text = std::format!(
        "born in {:?}: {}\n",
        kind.initial_state(),
        name(kind.initial_actions())
    );
    for state in State::ALL {
        let _ = writeln!(text, "{state:?}");
        let mut ignored = Vec::new();
        for event in Event::ALL {
            match kind.transition(state, event) {
                Some(row) => {
                    assert_eq!(
                        (state, event),
                        (row.from, row.on),
                        "the index leads to the row"
                    );
                    let _ = writeln!(text, "  {event:?} -> {:?}: {}", row.to, name(row.actions));
                }
                None => ignored.push(std::format!("{event:?}")),
            }
        }
        let _ = writeln!(text, "  ignored: {}", ignored.join(", "));
    }
    text
}

#[test]
fn invite_client() {
    insta::assert_snapshot!(table(Kind::InviteClient));
}

#[test]
fn non_invite_client() {
    insta::assert_snapshot!(table(Kind::NonInviteClient));
}

#[test]
fn invite_server() {
    insta::assert_snapshot!(table(Kind::InviteServer));
}

#[test]
fn non_invite_server() {
    insta::assert_snapshot!(table(Kind::NonInviteServer));
}
