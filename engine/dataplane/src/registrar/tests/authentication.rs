//! RFC 3261 §10.3 items 2 to 5, and digest.

use std::time::Duration;

use sip_core::digest::Algorithm;

use super::phone::{
    CONTACT, PASSWORD, Phone, USER, all, credential, exchange, line, open_stage, stage, status,
};
use crate::worker::testing::{registered_line, static_line};

const BIND: &str = "Contact: <sip:pbx@10.0.0.7:5062>\r\n";

#[test]
fn without_credentials_the_strongest_challenge_comes_first() {
    let (mut stage, mut phone) = (stage(), Phone::default());
    let answer = phone.send(&mut stage, BIND);
    assert_eq!(401, status(&answer));
    let challenges = all(&answer, "WWW-Authenticate");
    assert_eq!(2, challenges.len());
    assert!(challenges[0].contains("algorithm=SHA-256") && challenges[1].contains("algorithm=MD5"));
    assert!(
        challenges
            .iter()
            .all(|one| one.contains("realm=\"example.net\"") && !one.contains("stale"))
    );
    assert_eq!(1, stage.counter("registrations_challenged"));
    assert!(
        stage.events().is_empty(),
        "nothing is bound before authentication"
    );
}

#[test]
fn only_algorithms_that_the_line_has_are_offered() {
    let mut stage = stage();
    let mut spec = line(0, &[USER], USER);
    spec.credentials = vec![credential(USER, Algorithm::Md5)];
    stage.put_lines([spec]);
    let mut phone = Phone::default();
    let answer = phone.send(&mut stage, BIND);
    assert_eq!(1, all(&answer, "WWW-Authenticate").len());
    phone.answer(&answer, Algorithm::Md5, 1);
    assert_eq!(200, status(&phone.send(&mut stage, BIND)));
}

#[test]
fn the_right_password_registers_with_either_algorithm() {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let (mut stage, mut phone) = (stage(), Phone::default());
        let challenge = phone.send(&mut stage, BIND);
        phone.answer(&challenge, algorithm, 1);
        let answer = phone.send(&mut stage, BIND);
        assert_eq!(200, status(&answer), "{algorithm:?}");
        assert_eq!(
            vec![format!("{CONTACT};expires=600;q=1")],
            all(&answer, "Contact")
        );
        assert!(
            answer
                .header("Date")
                .is_some_and(|date| date.ends_with(" GMT"))
        );
        assert!(answer.header("To").is_some_and(|to| to.contains(";tag=")));
        assert_eq!(1, stage.counter("registrations_accepted"));
    }
}

#[test]
fn an_algorithm_without_ha1_is_a_wrong_password() {
    let mut stage = stage();
    let mut spec = line(0, &[USER], USER);
    let mut phone = Phone::default();
    let challenge = phone.send(&mut stage, BIND);
    phone.answer(&challenge, Algorithm::Sha256, 1);
    spec.credentials = vec![credential(USER, Algorithm::Md5)];
    stage.put_lines([spec]);
    let answer = phone.send(&mut stage, BIND);
    assert_eq!(401, status(&answer));
    assert_eq!(1, stage.counter("registrations_refused"));
}

#[test]
fn a_wrong_password_gets_a_fresh_challenge_that_is_not_stale() {
    let (mut stage, mut phone) = (
        stage(),
        Phone {
            password: "wrong",
            ..Phone::default()
        },
    );
    let first = phone.send(&mut stage, BIND);
    phone.answer(&first, Algorithm::Sha256, 1);
    let second = phone.send(&mut stage, BIND);
    assert_eq!(401, status(&second));
    assert_ne!(
        all(&first, "WWW-Authenticate"),
        all(&second, "WWW-Authenticate")
    );
    assert!(!second.text.contains("stale"));
    assert_eq!(1, stage.counter("registrations_refused"));
    phone.password = PASSWORD;
    phone.answer(&second, Algorithm::Sha256, 1);
    assert_eq!(200, status(&phone.send(&mut stage, BIND)));
}

#[test]
fn a_nonce_ages_and_its_user_is_not_asked_again() {
    let (mut stage, mut phone) = (stage(), Phone::default());
    let challenge = phone.send(&mut stage, BIND);
    phone.answer(&challenge, Algorithm::Sha256, 1);
    stage.advance(Duration::from_secs(302));
    stage.sent();
    let answer = phone.send(&mut stage, BIND);
    assert_eq!(401, status(&answer));
    assert!(
        all(&answer, "WWW-Authenticate")
            .iter()
            .all(|one| one.contains("stale=true"))
    );
    assert_eq!(
        (1, 0),
        (
            stage.counter("registrations_stale"),
            stage.counter("registrations_refused")
        )
    );
    phone.answer(&answer, Algorithm::Sha256, 1);
    assert_eq!(200, status(&phone.send(&mut stage, BIND)));
}

#[test]
fn a_nonce_count_is_good_once() {
    let (mut stage, mut phone) = (stage(), Phone::default());
    let challenge = phone.send(&mut stage, BIND);
    for (nc, expected) in [(1, 200), (1, 401), (2, 200), (9, 200), (3, 401)] {
        phone.answer(&challenge, Algorithm::Sha256, nc);
        let answer = phone.send(&mut stage, BIND);
        assert_eq!(expected, status(&answer), "nc {nc}");
        assert_eq!(
            expected == 401,
            answer.text.contains("stale=true"),
            "nc {nc}"
        );
    }
    assert_eq!(2, stage.counter("registrations_stale"));
}

#[test]
fn a_retransmission_is_answered_again_and_not_judged_again() {
    for (headers, expected) in [
        (BIND, 200),
        ("Contact: <sip:a@b>;expires=1\r\n", 423),
        ("", 200),
        ("Contact: x\r\n", 400),
    ] {
        let (mut stage, mut phone) = (stage(), Phone::default());
        let challenge = phone.send(&mut stage, headers);
        phone.answer(&challenge, Algorithm::Sha256, 1);
        let request = phone.request(headers);
        let first = exchange(&mut stage, &request, phone.source);
        let second = exchange(&mut stage, &request, phone.source);
        assert_eq!(vec![expected], first.iter().map(status).collect::<Vec<_>>());
        assert_eq!(first, second);
        assert_eq!(0, stage.counter("registrations_stale"));
    }
}

#[test]
fn nobody_registers_for_another_line() {
    let other = "+493023125999";
    let mut stage = stage();
    stage.put_lines([line(1, &[other], other)]);
    let mut phone = Phone::of(other, USER);
    let answer = phone.register(&mut stage, BIND);
    assert_eq!(401, status(&answer));
    assert_eq!(1, stage.counter("registrations_refused"));
    assert!(stage.events().is_empty());
}

#[test]
fn an_unknown_user_is_challenged_like_any_other_first() {
    let (mut stage, mut phone) = (stage(), Phone::of("+493023125999", "+493023125999"));
    let challenge = phone.send(&mut stage, BIND);
    assert_eq!(
        (401, 2),
        (
            status(&challenge),
            all(&challenge, "WWW-Authenticate").len()
        )
    );
    phone.answer(&challenge, Algorithm::Md5, 1);
    assert_eq!(404, status(&phone.send(&mut stage, BIND)));
    phone.authorization = phone
        .authorization
        .map(|value| value.replace("nonce=\"", "nonce=\"0"));
    assert_eq!(
        401,
        status(&phone.send(&mut stage, BIND)),
        "a nonce that is not ours answers no challenge"
    );

    let mut stage = open_stage();
    phone.authorization = None;
    assert_eq!(404, status(&phone.send(&mut stage, BIND)));
}

#[test]
fn an_address_of_record_of_another_domain_is_nobodys() {
    let (mut stage, mut phone) = (open_stage(), Phone::default());
    let request = phone.request(BIND).replace(
        "To: <sip:+493023125000@example.net>",
        "To: <sip:+493023125000@example.org>",
    );
    let sent = exchange(&mut stage, &request, phone.source);
    assert_eq!(vec![404], sent.iter().map(status).collect::<Vec<_>>());
    for host in [
        "EXAMPLE.net",
        "192.0.2.10",
        "192.0.2.10:5080",
        "example.net;user=phone",
    ] {
        let request = phone.request(BIND).replace(
            "To: <sip:+493023125000@example.net>",
            &format!("To: <sip:%2B493023125000@{host}>"),
        );
        let sent = exchange(&mut stage, &request, phone.source);
        assert_eq!(
            vec![200],
            sent.iter().map(status).collect::<Vec<_>>(),
            "{host}"
        );
    }
}

#[test]
fn a_line_that_does_not_register_is_forbidden_to() {
    let mut stage = stage();
    stage.put_lines([
        static_line(1, &["203.0.113.1:5060"]),
        registered_line(2, &["bare"]),
    ]);
    assert_eq!(
        403,
        status(&Phone::of("bare", "bare").send(&mut stage, BIND))
    );
    let mut stage = open_stage();
    stage.put_lines([registered_line(2, &["bare"])]);
    assert_eq!(
        200,
        status(&Phone::of("bare", "bare").send(&mut stage, BIND))
    );
}

#[test]
fn broken_credentials_are_a_bad_request_and_foreign_ones_are_none() {
    let table = [
        ("Digest username=\"a\"", 400),
        (
            "Digest username=\"a\", username=\"a\", realm=\"example.net\"",
            400,
        ),
        ("NoOneKnowsThisScheme opaque-data=here", 401),
        (
            "Digest username=\"a\", realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", response=\"0\"",
            401,
        ),
        (
            "Digest username=\"a\", realm=\"example.net\", nonce=\"n\", uri=\"sip:x\", response=\"0\"",
            401,
        ),
        (
            "Digest username=\"a\", realm=\"example.net\", nonce=\"n\", uri=\"sip:x\", response=\"0\", algorithm=X",
            401,
        ),
    ];
    for (value, expected) in table {
        let (mut stage, mut phone) = (
            stage(),
            Phone {
                authorization: Some(value.to_owned()),
                ..Phone::default()
            },
        );
        assert_eq!(expected, status(&phone.send(&mut stage, BIND)), "{value}");
    }
}

#[test]
fn a_required_extension_is_named_as_unsupported() {
    let (mut stage, mut phone) = (stage(), Phone::default());
    let answer = phone.send(
        &mut stage,
        "Require: gin, path\r\nRequire: outbound\r\nContact: <sip:a@b>\r\n",
    );
    assert_eq!(
        (420, Some("gin, path, outbound")),
        (status(&answer), answer.header("Unsupported"))
    );
}
