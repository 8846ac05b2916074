//! The REGISTERs of RFC 4475 and RFC 5118, as the manifest beside them wants.

use std::fs;
use std::path::PathBuf;

use route_core::LineSlot;

use super::phone::{all, line, status};
use crate::slots::Slot;
use crate::worker::testing::{Sent, Stage, settings};

fn vector(name: &str) -> String {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/torture"
    ))
    .join(name);
    String::from_utf8(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// The vectors' registrar: their domain, their IPv6 address, a line for each of their users.
fn stage(open: bool) -> Stage {
    let mut settings = settings(1);
    settings.domains = vec!["example.com".to_owned()];
    settings.listen = vec![
        "[2001:db8::10]:5060".parse().unwrap(),
        "[2001:db8::10]:5070".parse().unwrap(),
    ];
    settings.registrar.open = open;
    settings.registrar.store_wait_s = 0.0;
    let mut stage = Stage::new(settings);
    let users = ["null-\0-null", "user", "j.user", "watson"];
    stage.put_lines(
        (0..)
            .zip(users)
            .map(|(slot, user)| line(slot, &[user], user)),
    );
    stage
}

fn send(stage: &mut Stage, name: &str) -> Vec<Sent> {
    stage.receive(&vector(name), "[2001:db8::9:1]:40000".parse().unwrap());
    stage
        .sent()
        .into_iter()
        .filter(|sent| sent.text.starts_with("SIP/2.0 "))
        .collect()
}

#[test]
fn every_vector_is_answered_as_the_manifest_wants() {
    // Name, open registrar's answer, answer with digest, Contacts of the 200.
    type Row = (&'static str, u16, u16, &'static [&'static str]);
    let table: [Row; 12] = [
        (
            "rfc4475/wire/escnull.dat",
            200,
            401,
            &[
                "<sip:%00%00@host5.example.com>",
                "<sip:%00@host5.example.com>",
            ],
        ),
        (
            "rfc4475/wire/dblreq.dat",
            200,
            401,
            &["<sip:j.user@host.example.com>"],
        ),
        ("rfc4475/wire/scalar02.dat", 400, 400, &[]),
        ("rfc4475/wire/regbadct.dat", 400, 401, &[]),
        ("rfc4475/wire/unksm2.dat", 400, 400, &[]),
        ("rfc4475/wire/regaut01.dat", 200, 401, &[]),
        (
            "rfc4475/wire/cparam01.dat",
            200,
            401,
            &["<sip:+19725552222@gw1.example.net>"],
        ),
        (
            "rfc4475/wire/cparam02.dat",
            200,
            401,
            &["<sip:+19725552222@gw1.example.net;unknownparam>"],
        ),
        (
            "rfc4475/wire/regescrt.dat",
            200,
            401,
            &["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"],
        ),
        (
            "rfc5118/wire/ipv6-good.dat",
            200,
            401,
            &["<sip:caller@[2001:db8::1]>"],
        ),
        ("rfc5118/wire/ipv6-bad.dat", 400, 400, &[]),
        (
            "rfc5118/wire/port-unambiguous.dat",
            200,
            401,
            &["<sip:caller@[2001:db8::1]>"],
        ),
    ];
    for (name, open, digest, contacts) in table {
        let mut registrar = stage(true);
        let sent = send(&mut registrar, name);
        assert_eq!(
            vec![open],
            sent.iter().map(status).collect::<Vec<_>>(),
            "{name}"
        );
        let expected: Vec<String> = contacts
            .iter()
            .map(|contact| format!("{contact};expires=600;q=1"))
            .collect();
        assert_eq!(expected, all(&sent[0], "Contact"), "{name}");
        let sent = send(&mut stage(false), name);
        assert_eq!(
            vec![digest],
            sent.iter().map(status).collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn two_escaped_nulls_are_two_bindings_of_one_line() {
    let mut stage = stage(true);
    send(&mut stage, "rfc4475/wire/escnull.dat");
    let targets = stage
        .shared
        .slots
        .read(LineSlot(0))
        .and_then(Slot::targets)
        .unwrap();
    let uris: Vec<&[u8]> = targets.iter().map(|target| &*target.uri).collect();
    assert_eq!(
        vec![
            &b"sip:%00%00@host5.example.com"[..],
            b"sip:%00@host5.example.com"
        ],
        uris
    );
    assert!(
        targets
            .iter()
            .all(|target| &*target.binding.as_ref().unwrap().user == "null-\0-null")
    );
}

#[test]
fn an_ambiguous_port_is_part_of_the_address() {
    // [2001:db8::10:5070] is another host than ours: what becomes of it is the proxy's affair, but nothing is bound.
    let mut stage = stage(true);
    let sent = send(&mut stage, "rfc5118/wire/port-ambiguous.dat");
    assert!(
        sent.iter().all(|sent| ![200, 400].contains(&status(sent))),
        "{sent:?}"
    );
    assert!(stage.events().is_empty());
}
