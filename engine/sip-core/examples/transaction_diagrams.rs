//! Prints `docs/transactions.md`: the four machines as diagrams, made from their tables.

use std::fmt::Write as _;

use sip_core::transaction::{Action, Event, Kind};

const INTRODUCTION: &str = "\
# Transaction machines

Made from the tables in `engine/sip-core/src/transaction/`; do not edit. To make it anew, in `engine/`:
`cargo run -p sip-core --example transaction_diagrams > ../docs/transactions.md`. A test compares it with the tables.

An arrow reads *event / actions*. On the client side responses are received, on the server side the user of the transaction
sends them. `Abandon`, possible in every state and leading to Terminated, is left out of the diagrams. An event without an
arrow is ignored. Timers A, E and G run on unreliable transports only; D, I, J and K are zero on reliable ones.

Two departures, both of INVITE client transactions. Timer A may start below T1 (80 ms towards a line that loses packets or whose
loss is not known yet; it doubles as ever and Timer B stays 64·T1): a call has two seconds to find its line, and three copies are
too few for that. And the user of the transaction may *repeat* the INVITE after a provisional response: a lost 180 comes again.
";

fn main() {
    print!("{}", document());
}

/// The whole document.
pub(crate) fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for kind in Kind::ALL {
        let (title, source) = title(kind);
        let _ = write!(
            text,
            "\n## {title}\n\n{source}.\n\n```mermaid\nstateDiagram-v2\n"
        );
        let _ = writeln!(
            text,
            "    [*] --> {:?}: {}",
            kind.initial_state(),
            actions(kind.initial_actions())
        );
        for row in kind
            .transitions()
            .iter()
            .filter(|row| row.on != Event::Abandon)
        {
            let _ = write!(
                text,
                "    {:?} --> {:?}: {}",
                row.from,
                row.to,
                event(row.on)
            );
            let _ = writeln!(text, " / {}", actions(row.actions));
        }
        text.push_str("    Terminated --> [*]\n```\n");
    }
    text
}

fn title(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::InviteClient => ("INVITE client", "RFC 3261 §17.1.1, RFC 6026 §7.2"),
        Kind::NonInviteClient => ("Non-INVITE client", "RFC 3261 §17.1.2"),
        Kind::InviteServer => ("INVITE server", "RFC 3261 §17.2.1, RFC 6026 §7.1"),
        Kind::NonInviteServer => ("Non-INVITE server", "RFC 3261 §17.2.2, RFC 6026 §8.8"),
    }
}

fn event(event: Event) -> String {
    match event {
        Event::Timer(timer) => format!("Timer {timer:?}"),
        Event::Provisional => "1xx".into(),
        Event::Success => "2xx".into(),
        Event::Failure => "300–699".into(),
        Event::Ack => "ACK".into(),
        Event::TransportError => "transport error".into(),
        Event::Request => "request again".into(),
        Event::Abandon => "Abandon".into(),
        Event::Repeat => "Repeat".into(),
    }
}

fn actions(actions: &[Action]) -> String {
    let names = actions.iter().map(|action| match action {
        Action::Start(timer) => format!("start {timer:?}"),
        Action::Stop(timer) => format!("stop {timer:?}"),
        other => format!("{other:?}"),
    });
    names.collect::<Vec<_>>().join(", ")
}
