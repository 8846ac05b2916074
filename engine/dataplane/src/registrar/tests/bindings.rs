//! RFC 3261 §10.3 items 6 to 8: what becomes of the contacts.

use std::time::Duration;

use super::phone::{Phone, USER, all, line, open_stage, status};
use crate::events::{BindingChange, EventBody};
use crate::slots::{Slot, Targets};
use crate::worker::testing::Stage;
use route_core::LineSlot;

/// What the events tell since the last look: the change and the contact.
fn changes(stage: &Stage) -> Vec<(BindingChange, String)> {
    let told = stage
        .events()
        .into_iter()
        .filter_map(|event| match event.body {
            EventBody::Binding { change, row } => Some((change, row.contact)),
            _ => None,
        });
    told.collect()
}

fn targets(stage: &Stage) -> Targets {
    let targets = stage.shared.slots.read(LineSlot(0)).and_then(Slot::targets);
    targets.as_deref().cloned().unwrap_or_default()
}

fn uris(stage: &Stage) -> Vec<String> {
    targets(stage)
        .iter()
        .map(|target| String::from_utf8(target.uri.to_vec()).unwrap())
        .collect()
}

/// Send a REGISTER with one line of Contact each; its status and the Contacts of the answer.
fn contacts(stage: &mut Stage, phone: &mut Phone, values: &[&str]) -> (u16, Vec<String>) {
    let lines: Vec<String> = values
        .iter()
        .map(|value| format!("Contact: {value}\r\n"))
        .collect();
    let answer = phone.send(stage, &lines.concat());
    (
        status(&answer),
        all(&answer, "Contact")
            .into_iter()
            .map(str::to_owned)
            .collect(),
    )
}

#[test]
fn a_binding_goes_to_the_source_of_its_packet() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    contacts(
        &mut stage,
        &mut phone,
        &["\"PBX\" <sip:pbx@10.0.0.7:5062;line=a>;q=0.25;expires=120"],
    );
    let targets = targets(&stage);
    let target = targets.first().unwrap();
    assert_eq!(
        (phone.source, 0, 750),
        (target.address, target.socket, target.rank)
    );
    assert_eq!(b"sip:pbx@10.0.0.7:5062;line=a"[..], *target.uri);
    let binding = target.binding.as_ref().unwrap();
    assert_eq!(stage.now() + Duration::from_mins(2), binding.expires);
    assert_eq!(
        (USER, "phone-1", 1),
        (
            &*binding.user,
            std::str::from_utf8(&binding.call_id).unwrap(),
            binding.cseq
        )
    );
    assert_eq!(
        b"PBX?[2J ".repeat(8)[..],
        *binding.user_agent,
        "nothing that a terminal obeys"
    );
}

#[test]
fn a_refresh_keeps_one_binding_and_a_query_lists_it() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    contacts(&mut stage, &mut phone, &["<sip:pbx@10.0.0.7>"]);
    stage.advance(Duration::from_secs(100));
    let (_, listed) = contacts(&mut stage, &mut phone, &[]);
    assert_eq!(vec!["<sip:pbx@10.0.0.7>;expires=500;q=1"], listed);
    phone.source = "198.51.100.7:40002".parse().unwrap();
    let (code, listed) = contacts(
        &mut stage,
        &mut phone,
        &["<sip:pbx@10.0.0.7;x=1>;expires=90;q=0.305"],
    );
    assert_eq!(
        (
            200,
            vec!["<sip:pbx@10.0.0.7;x=1>;expires=90;q=0.305".to_owned()]
        ),
        (code, listed)
    );
    assert_eq!(
        phone.source,
        targets(&stage)[0].address,
        "the flow of the last REGISTER counts"
    );
    contacts(&mut stage, &mut phone, &["<sip:pbx@10.0.0.7;x=1>"]);
    phone.source = "203.0.113.9:40002".parse().unwrap();
    contacts(&mut stage, &mut phone, &["<sip:pbx@10.0.0.7;x=1>"]);
    let (plain, other) = (
        "sip:pbx@10.0.0.7".to_owned(),
        "sip:pbx@10.0.0.7;x=1".to_owned(),
    );
    let expected = vec![
        (BindingChange::Added, plain.clone()),
        (BindingChange::Replaced, plain),
        (BindingChange::Added, other.clone()),
        (BindingChange::Refreshed, other.clone()),
        (BindingChange::Moved, other),
    ];
    assert_eq!(expected, changes(&stage));
}

#[test]
fn expiry_is_the_parameter_then_the_field_then_the_default_and_cut() {
    let table = [
        ("Contact: <sip:a@b>;expires=100\r\nExpires: 200\r\n", 100),
        ("Contact: <sip:a@b>\r\nExpires: 200\r\n", 200),
        ("Contact: <sip:a@b>\r\n", 600),
        ("Contact: <sip:a@b>;expires=86400\r\n", 3600),
        ("Contact: <sip:a@b>;expires=99999999999\r\n", 3600),
        ("Contact: <sip:a@b>;expires=60\r\n", 60),
    ];
    for (headers, expected) in table {
        let (mut stage, mut phone) = (open_stage(), Phone::default());
        let answer = phone.send(&mut stage, headers);
        assert_eq!(
            vec![format!("<sip:a@b>;expires={expected};q=1")],
            all(&answer, "Contact"),
            "{headers}"
        );
    }
}

#[test]
fn too_brief_is_423_with_the_minimum_and_nothing_is_bound() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    let answer = phone.send(
        &mut stage,
        "Contact: <sip:a@b>;expires=3600, <sip:c@d>;expires=59\r\n",
    );
    assert_eq!(
        (423, Some("60")),
        (status(&answer), answer.header("Min-Expires"))
    );
    assert_eq!(0, targets(&stage).len());
    assert_eq!(
        (1, 0),
        (
            stage.counter("registrations_refused"),
            stage.counter("registrations_accepted")
        )
    );
}

#[test]
fn expires_0_removes_one_contact_and_a_star_all() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    contacts(
        &mut stage,
        &mut phone,
        &["<sip:a@b>, <sip:c@d>", "<sip:e@f>"],
    );
    let (code, listed) = contacts(
        &mut stage,
        &mut phone,
        &["<sip:C@d>;expires=0", "<sip:c@D>;expires=0"],
    );
    assert_eq!(
        (200, 2),
        (code, listed.len()),
        "user parts differ by case, hosts do not"
    );
    let answer = phone.send(&mut stage, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((200, 0), (status(&answer), all(&answer, "Contact").len()));
    assert_eq!(0, targets(&stage).len());
    let removed = changes(&stage)
        .into_iter()
        .filter(|(change, _)| *change == BindingChange::Removed)
        .count();
    assert_eq!(3, removed);
}

#[test]
fn a_star_goes_alone_and_with_expires_0_only() {
    for headers in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 60\r\n",
        "Contact: *\r\nExpires: soon\r\n",
        "Contact: *, <sip:a@b>\r\nExpires: 0\r\n",
        "Contact: <sip:a@b>\r\nContact: *\r\nExpires: 0\r\n",
        "Contact: *;expires=0\r\n",
    ] {
        let (mut stage, mut phone) = (open_stage(), Phone::default());
        contacts(&mut stage, &mut phone, &["<sip:a@b>"]);
        assert_eq!(400, status(&phone.send(&mut stage, headers)), "{headers}");
        assert_eq!(1, targets(&stage).len(), "{headers}");
    }
}

#[test]
fn a_request_that_is_not_newer_changes_nothing() {
    let (mut stage, mut phone) = (
        open_stage(),
        Phone {
            cseq: 10,
            ..Phone::default()
        },
    );
    contacts(&mut stage, &mut phone, &["<sip:a@b>"]);
    stage.events();
    for (cseq, headers) in [
        (11, "Contact: <sip:a@b>\r\n"),
        (7, "Contact: <sip:new@b>, <sip:a@b>\r\n"),
        (11, "Contact: <sip:a@b>;expires=0\r\n"),
        (11, "Contact: *\r\nExpires: 0\r\n"),
    ] {
        phone.cseq = cseq - 1;
        assert_eq!(500, status(&phone.send(&mut stage, headers)), "{headers}");
        assert_eq!(vec!["sip:a@b"], uris(&stage));
    }
    assert_eq!(Vec::<(BindingChange, String)>::new(), changes(&stage));
    phone.call_id = "after-reboot";
    phone.cseq = 0;
    assert_eq!(
        200,
        contacts(&mut stage, &mut phone, &["<sip:a@b>"]).0,
        "another Call-ID counts for itself"
    );
    assert_eq!(
        200,
        contacts(&mut stage, &mut phone, &["<sip:a@b>", "<sip:a@b>;q=0.1"]).0,
        "twice in one request"
    );
    assert_eq!(
        (vec!["sip:a@b".to_owned()], 900),
        (uris(&stage), targets(&stage)[0].rank)
    );
}

#[test]
fn one_bad_contact_spoils_all() {
    for bad in [
        "<sip:a@b",
        "<mailto:a@b>",
        "<tel:+4930>",
        "<sip:>",
        "sip:a@b?Route=%3Csip:x%3E",
        &format!("<sip:a@b;x={}>", "y".repeat(1100)),
    ] {
        let (mut stage, mut phone) = (open_stage(), Phone::default());
        assert_eq!(
            400,
            contacts(&mut stage, &mut phone, &["<sip:good@b>", bad]).0,
            "{bad}"
        );
        assert_eq!(0, targets(&stage).len(), "{bad}");
    }
}

#[test]
fn one_contact_too_many_replaces_the_one_that_expires_first() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    contacts(
        &mut stage,
        &mut phone,
        &[
            "<sip:a@b>;expires=300",
            "<sip:c@d>;expires=200",
            "<sip:e@f>;expires=400",
        ],
    );
    stage.events();
    let (code, _) = contacts(&mut stage, &mut phone, &["<sip:g@h>;expires=100"]);
    assert_eq!(200, code);
    assert_eq!(
        vec!["sip:g@h", "sip:e@f", "sip:a@b"],
        uris(&stage),
        "the newest first"
    );
    let expected = vec![
        (BindingChange::Added, "sip:g@h".to_owned()),
        (BindingChange::Replaced, "sip:c@d".to_owned()),
    ];
    assert_eq!(expected, changes(&stage));
    let (code, _) = contacts(
        &mut stage,
        &mut phone,
        &["<sip:1@b>", "<sip:2@b>", "<sip:3@b>", "<sip:4@b>"],
    );
    assert_eq!((403, 3), (code, targets(&stage).len()));
    let (code, _) = contacts(
        &mut stage,
        &mut phone,
        &["<sip:1@b>", "<sip:g@h>;expires=0"],
    );
    assert_eq!(
        (200, 3),
        (code, targets(&stage).len()),
        "what is removed makes room"
    );
}

#[test]
fn hundreds_of_contacts_are_refused() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    let values: Vec<String> = (0..500).map(|n| format!("<sip:{n}@b>")).collect();
    let answer = phone.send(&mut stage, &format!("Contact: {}\r\n", values.join(",")));
    assert_eq!((403, 0), (status(&answer), targets(&stage).len()));
}

#[test]
fn the_better_q_goes_first() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    contacts(
        &mut stage,
        &mut phone,
        &["<sip:low@b>;q=0.1", "<sip:high@b>;q=0.9", "<sip:best@b>"],
    );
    assert_eq!(vec!["sip:best@b", "sip:high@b", "sip:low@b"], uris(&stage));
}

#[test]
fn the_users_of_one_line_do_not_see_each_others_contacts() {
    let mut stage = open_stage();
    stage.put_lines([line(0, &[USER, "fax"], USER)]);
    let (mut phone, mut fax) = (
        Phone::default(),
        Phone {
            call_id: "fax-1",
            ..Phone::of("fax", "fax")
        },
    );
    contacts(&mut stage, &mut phone, &["<sip:a@b>"]);
    let (_, listed) = contacts(&mut stage, &mut fax, &["<sip:a@b>;expires=60"]);
    assert_eq!(vec!["<sip:a@b>;expires=60;q=1"], listed);
    assert_eq!(2, targets(&stage).len());
    fax.send(&mut stage, "Contact: *\r\nExpires: 0\r\n");
    let left: Vec<String> = targets(&stage)
        .iter()
        .map(|t| t.binding.as_ref().unwrap().user.to_string())
        .collect();
    assert_eq!(vec![USER], left);
}
