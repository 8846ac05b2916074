//! Challenge, answer and verdict together, on the RFCs' examples and on broken input.

extern crate std;

use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::algorithm::{Protection, ResponseInput, response};
use super::*;

const NOW: u32 = 1_800_000_000;
const LIFE: u32 = 300;
const REALM: &[u8] = b"example.net";
const USER: &[u8] = b"+493023125000";
const PASSWORD: &[u8] = b"correct horse";
const URI: &[u8] = b"sip:example.net";

fn key() -> NonceKey {
    NonceKey::new(b"the secret of all nodes, 32 byte")
}

fn verifier(nonces: &NonceKey) -> Verifier<'_> {
    Verifier {
        nonces,
        realm: REALM,
        nonce_life_s: LIFE,
        policy: Policy::default(),
    }
}

/// The header field value that a client with `password` sends to a challenge issued at `NOW`.
fn answer(algorithm: Algorithm, password: &[u8], nc: u32) -> Vec<u8> {
    let nonce = key().issue(REALM, NOW, 42);
    let mut header = Vec::new();
    Challenge {
        realm: REALM,
        nonce: &nonce,
        algorithm,
        stale: false,
    }
    .write(&mut header);
    let challenge = ServerChallenge::parse(&header).expect("we can read what we write");
    respond(
        &challenge,
        Credentials::Password(USER, password),
        b"REGISTER",
        URI,
        b"0a4f113b",
        nc,
    )
    .expect("a password fits every algorithm")
}

fn judge(header: &[u8], method: &[u8], unix_s: u32) -> Result<Accepted, Refusal> {
    let authorization = Authorization::parse(header)
        .expect("well-formed")
        .expect("Digest");
    let algorithm = authorization.algorithm.expect("known");
    let ha1 = Ha1::new(algorithm, USER, REALM, PASSWORD);
    verifier(&key()).verify(&authorization, method, URI, Some(&ha1), unix_s)
}

fn replaced(header: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = core::str::from_utf8(header).expect("ASCII");
    assert!(text.contains(from), "{from} is in {text}");
    text.replace(from, to).into_bytes()
}

#[test]
fn examples_of_the_rfcs() {
    // RFC 7616 §3.9.1; the -sess, SHA-512-256 and RFC 2069 rows were computed from its input with another implementation.
    let nonce = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    let cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let protection = Some(Protection {
        qop: b"auth",
        nc: b"00000001",
        cnonce,
    });
    for (algorithm, protection, expected) in [
        (
            Algorithm::Md5,
            protection,
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            Algorithm::Sha256,
            protection,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (
            Algorithm::Md5Sess,
            protection,
            "e783283f46242139c486a698fec7211d",
        ),
        (
            Algorithm::Sha256Sess,
            protection,
            "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
        ),
        (
            Algorithm::Sha512_256,
            protection,
            "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
        ),
        (
            Algorithm::Sha512_256Sess,
            protection,
            "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e",
        ),
        (Algorithm::Md5, None, "7b2cc3b30e75b4777ea31027084363fd"),
    ] {
        let ha1 = Ha1::new(
            algorithm,
            b"Mufasa",
            b"http-auth@example.org",
            b"Circle of Life",
        );
        let input = ResponseInput {
            algorithm,
            method: b"GET",
            uri: b"/dir/index.html",
            nonce,
            protection,
        };
        let computed = response(&ha1, &input);
        assert_eq!(expected.as_bytes(), computed.as_bytes(), "{algorithm:?}");
        assert!(computed.matches(expected.to_uppercase().as_bytes()));
    }
}

#[test]
fn client_answers_the_example_of_rfc_2617() {
    let challenge = ServerChallenge::parse(
        b"Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
          opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    )
    .expect("a challenge");
    let header = respond(
        &challenge,
        Credentials::Password(b"Mufasa", b"Circle Of Life"),
        b"GET",
        b"/dir/index.html",
        b"0a4f113b",
        1,
    )
    .expect("an answer");
    let authorization = Authorization::parse(&header)
        .expect("well-formed")
        .expect("Digest");
    assert_eq!(b"6629fae49393a05397450978507c4ef1", authorization.response);
    assert_eq!(
        Some(&b"5ccc069c403ebaf9f0171e9517f40e41"[..]),
        authorization.opaque
    );
}

#[test]
fn parser_reads_the_example_of_rfc_7616() {
    let header = br#"Digest username="Mufasa",
       realm="http-auth@example.org",
       uri="/dir/index.html",
       algorithm=SHA-256,
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
       nc=00000001,
       cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
       qop=auth,
       response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
       opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    let authorization = Authorization::parse(header)
        .expect("well-formed")
        .expect("Digest");
    assert_eq!(b"Mufasa", &*authorization.username);
    assert_eq!(Some(Algorithm::Sha256), authorization.algorithm);
    let protection = authorization.protection.expect("a qop");
    assert_eq!((Some(Qop::Auth), 1), (protection.qop, protection.nc));
}

#[test]
fn challenges_come_strongest_first() {
    let algorithms = [Algorithm::Md5, Algorithm::Sha256];
    let lines: Vec<String> = Challenge::for_each(&algorithms, b"a \"b\"", b"n", true)
        .map(|challenge| {
            let mut line = Vec::new();
            challenge.write(&mut line);
            String::from_utf8(line).expect("ASCII")
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Digest realm="a \"b\"", nonce="n", algorithm=SHA-256, qop="auth", stale=true
    Digest realm="a \"b\"", nonce="n", algorithm=MD5, qop="auth", stale=true
    "#);
    assert_eq!(Challenge::STRONGEST_FIRST.to_vec(), {
        let all = Challenge::for_each(&Challenge::STRONGEST_FIRST, b"r", b"n", false);
        all.map(|challenge| challenge.algorithm).collect::<Vec<_>>()
    });
}

#[test]
fn right_password_is_taken_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let accepted = judge(&answer(algorithm, PASSWORD, 3), b"REGISTER", NOW + 1);
        assert_eq!(
            Ok((3, NOW)),
            accepted.map(|accepted| (accepted.nc, accepted.nonce.issued_s)),
            "{algorithm:?}"
        );
        let refused = judge(&answer(algorithm, b"wrong", 3), b"REGISTER", NOW + 1);
        assert_eq!(Err(Refusal::WrongResponse), refused, "{algorithm:?}");
    }
}

#[test]
fn refusals() {
    let good = answer(Algorithm::Sha256, PASSWORD, 1);
    let nonce = key().issue(REALM, NOW, 42);
    let nonce = core::str::from_utf8(&nonce).expect("hex");
    let register = &b"REGISTER"[..];
    let cases = [
        (
            "another method",
            good.clone(),
            &b"INVITE"[..],
            NOW,
            Refusal::WrongResponse,
        ),
        (
            "an old nonce",
            good.clone(),
            register,
            NOW + LIFE + 1,
            Refusal::StaleNonce,
        ),
        (
            "an old nonce and a wrong password is not stale",
            answer(Algorithm::Sha256, b"wrong", 1),
            register,
            NOW + LIFE + 1,
            Refusal::WrongResponse,
        ),
        (
            "an invented nonce",
            replaced(&good, nonce, "00"),
            register,
            NOW,
            Refusal::ForgedNonce,
        ),
        (
            "another realm",
            replaced(&good, "realm=\"example.net", "realm=\"x"),
            register,
            NOW,
            Refusal::WrongRealm,
        ),
        (
            "auth-int",
            replaced(&good, "qop=auth", "qop=auth-int"),
            register,
            NOW,
            Refusal::WrongQop,
        ),
        (
            "an unknown qop",
            replaced(&good, "qop=auth", "qop=token"),
            register,
            NOW,
            Refusal::WrongQop,
        ),
        (
            "another count",
            replaced(&good, "nc=00000001", "nc=00000002"),
            register,
            NOW,
            Refusal::WrongResponse,
        ),
        (
            "another cnonce",
            replaced(&good, "0a4f113b", "0a4f113c"),
            register,
            NOW,
            Refusal::WrongResponse,
        ),
        (
            "another uri",
            replaced(&good, "uri=\"sip:", "uri=\"sips:"),
            register,
            NOW,
            Refusal::WrongResponse,
        ),
        (
            "a qop left out",
            replaced(&good, "qop=auth, ", ""),
            register,
            NOW,
            Refusal::WrongResponse,
        ),
    ];
    for (what, header, method, unix_s, expected) in cases {
        assert_eq!(Err(expected), judge(&header, method, unix_s), "{what}");
    }
}

#[test]
fn unknown_user_and_other_hash() {
    let header = answer(Algorithm::Sha256, PASSWORD, 1);
    let authorization = Authorization::parse(&header)
        .expect("well-formed")
        .expect("Digest");
    let verify =
        |ha1: Option<&Ha1>| verifier(&key()).verify(&authorization, b"REGISTER", URI, ha1, NOW);
    assert_eq!(Err(Refusal::WrongResponse), verify(None));
    assert_eq!(
        Err(Refusal::WrongAlgorithm),
        verify(Some(&Ha1::new(Algorithm::Md5, USER, REALM, PASSWORD)))
    );
    let nobody = Ha1::new(Algorithm::Sha256, b"", b"", b"");
    let mut stolen = ServerChallenge::parse(
        b"Digest realm=\"example.net\", nonce=\"\", algorithm=SHA-256, qop=auth",
    )
    .expect("a challenge");
    let nonce = key().issue(REALM, NOW, 1);
    stolen.nonce = &nonce;
    let header = respond(
        &stolen,
        Credentials::Ha1(b"ghost", &nobody),
        b"REGISTER",
        URI,
        b"c",
        1,
    )
    .expect("an answer");
    let ghost = Authorization::parse(&header)
        .expect("well-formed")
        .expect("Digest");
    assert_eq!(
        Err(Refusal::WrongResponse),
        verifier(&key()).verify(&ghost, b"REGISTER", URI, None, NOW),
        "the stand-in for unknown users opens nothing"
    );
}

#[test]
fn answers_without_qop_use_their_nonce_up() {
    let nonce = key().issue(REALM, NOW, 42);
    let nonce = core::str::from_utf8(&nonce).expect("hex");
    let text = std::format!("Digest realm=\"example.net\", nonce=\"{nonce}\"");
    let challenge = ServerChallenge::parse(text.as_bytes()).expect("a challenge");
    let header = respond(
        &challenge,
        Credentials::Password(USER, PASSWORD),
        b"REGISTER",
        URI,
        b"",
        1,
    )
    .expect("answer");
    let accepted = judge(&header, b"REGISTER", NOW).expect("legacy answers are taken");
    let mut window = ReplayWindow::new(8);
    assert_eq!(
        NonceCount::Fresh,
        window.record(accepted.nonce, accepted.nc)
    );
    assert_eq!(
        NonceCount::Replayed,
        window.record(accepted.nonce, accepted.nc)
    );

    let authorization = Authorization::parse(&header)
        .expect("well-formed")
        .expect("Digest");
    let nonces = key();
    let mut strict = verifier(&nonces);
    strict.policy.legacy_without_qop = false;
    let ha1 = Ha1::new(Algorithm::Md5, USER, REALM, PASSWORD);
    assert_eq!(
        Err(Refusal::WrongQop),
        strict.verify(&authorization, b"REGISTER", URI, Some(&ha1), NOW)
    );
}

#[test]
fn uri_rule() {
    let header = answer(Algorithm::Md5, PASSWORD, 1);
    let authorization = Authorization::parse(&header)
        .expect("well-formed")
        .expect("Digest");
    let ha1 = Ha1::new(Algorithm::Md5, USER, REALM, PASSWORD);
    let nonces = key();
    for (uri, request_uri, expected) in [
        (UriRule::Any, URI, None),
        (UriRule::Any, b"sip:rewritten.example.net", None),
        (UriRule::Exact, URI, None),
        (
            UriRule::Exact,
            b"sip:rewritten.example.net",
            Some(Refusal::WrongUri),
        ),
    ] {
        let mut verifier = verifier(&nonces);
        verifier.policy.uri = uri;
        let verdict = verifier.verify(&authorization, b"REGISTER", request_uri, Some(&ha1), NOW);
        assert_eq!(expected, verdict.err(), "{uri:?} {request_uri:?}");
    }
}

#[test]
fn broken_credentials() {
    use CredentialsError::{Duplicate, Malformed, Missing, NonceCount};
    let good = r#"username="u", realm="r", nonce="n", uri="sip:r", response="0""#;
    for (params, expected) in [
        (String::from(good), None),
        (
            std::format!("{good}, username=\"v\""),
            Some(Duplicate("username")),
        ),
        (
            std::format!("{good}, NONCE=\"v\""),
            Some(Duplicate("nonce")),
        ),
        (std::format!("{good}, x=1, x=2"), None),
        (std::format!("{good}, qop=auth"), Some(Missing("nc"))),
        (
            std::format!("{good}, qop=auth, nc=00000001"),
            Some(Missing("cnonce")),
        ),
        (
            std::format!("{good}, qop=auth, nc=00000000, cnonce=\"\""),
            Some(NonceCount),
        ),
        (
            std::format!("{good}, qop=auth, nc=1, cnonce=\"\""),
            Some(NonceCount),
        ),
        (
            std::format!("{good}, qop=auth, nc=0000000g, cnonce=\"\""),
            Some(NonceCount),
        ),
        (
            std::format!("{good}, qop=\"auth\", nc=\"0000000A\", cnonce=x"),
            None,
        ),
        (std::format!("{good}, algorithm=TOKEN"), None),
        (
            good.replace("username=\"u\", ", ""),
            Some(Missing("username")),
        ),
        (
            good.replace("response=\"0\"", "x=y"),
            Some(Missing("response")),
        ),
        (good.replace("\"n\"", "\"n"), Some(Malformed)),
        (good.replace(',', ";"), Some(Malformed)),
        (String::new(), Some(Missing("username"))),
    ] {
        let header = std::format!("Digest {params}");
        let parsed = Authorization::parse(header.as_bytes());
        assert_eq!(expected, parsed.err(), "{header}");
    }
    assert_eq!(Ok(None), Authorization::parse(b"Bearer abc.def"));
    assert_eq!(400, Malformed.status());
}

#[test]
fn unknown_algorithm_is_refused_not_taken_for_md5() {
    let good = replaced(
        &answer(Algorithm::Md5, PASSWORD, 1),
        "algorithm=MD5",
        "algorithm=SHA3",
    );
    let authorization = Authorization::parse(&good)
        .expect("well-formed")
        .expect("Digest");
    let ha1 = Ha1::new(Algorithm::Md5, USER, REALM, PASSWORD);
    let verdict = verifier(&key()).verify(&authorization, b"REGISTER", URI, Some(&ha1), NOW);
    assert_eq!(Err(Refusal::WrongAlgorithm), verdict);
}

#[test]
fn credentials_are_chosen_by_realm() {
    let ours = answer(Algorithm::Md5, PASSWORD, 1);
    let other = replaced(&ours, "realm=\"example.net", "realm=\"example.org");
    let values = [&b"Basic xyz"[..], &other, &ours];
    let found = Authorization::for_realm(values, REALM).expect("well-formed");
    assert_eq!(
        Some(REALM.to_vec()),
        found.map(|authorization| authorization.realm.into_owned())
    );
    assert_eq!(Ok(None), Authorization::for_realm([&other[..]], REALM));
    assert!(
        Authorization::for_realm([&ours[..], b"Digest x"], REALM).is_err(),
        "one broken field spoils the request"
    );
}

#[test]
fn escaped_user_names_are_looked_up_plain() {
    let header = br#"Digest username="a\"b\\c", realm="r", nonce="n", uri="sip:r", response="0""#;
    let authorization = Authorization::parse(header)
        .expect("well-formed")
        .expect("Digest");
    assert_eq!(br#"a"b\c"#, &*authorization.username);
}

#[test]
fn stored_ha1() {
    let ha1 = Ha1::new(Algorithm::Sha256Sess, USER, REALM, PASSWORD);
    assert_eq!(Some(ha1), Ha1::from_hex(Algorithm::Sha256, ha1.as_bytes()));
    assert_eq!(
        Some(ha1),
        Ha1::from_hex(Algorithm::Sha256, &ha1.as_bytes().to_ascii_uppercase())
    );
    assert_eq!(
        None,
        Ha1::from_hex(Algorithm::Md5, ha1.as_bytes()),
        "length"
    );
    assert_eq!(
        None,
        Ha1::from_hex(Algorithm::Md5, &[b'g'; 32]),
        "not hexadecimal"
    );
    let shown = std::format!("{ha1:?} {:?}", key());
    assert_eq!(
        "Ha1(SHA-256, secret) NonceKey(secret)", shown,
        "secrets do not reach a log"
    );
}

#[test]
fn challenges_a_client_cannot_answer() {
    for challenge in [
        &b"Basic realm=\"x\""[..],
        b"Digest realm=\"x\"",
        b"Digest nonce=\"x\"",
        b"Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"",
        b"Digest realm=\"x\", nonce=\"n\", algorithm=SHA3",
        b"Digest realm=\"x\" nonce=\"n\"",
    ] {
        assert_eq!(None, ServerChallenge::parse(challenge), "{challenge:?}");
    }
    let challenge = ServerChallenge::parse(b"Digest realm=\"x\", nonce=\"n\"").expect("RFC 2069");
    let ha1 = Ha1::new(Algorithm::Sha256, b"u", b"x", b"p");
    assert_eq!(
        None,
        respond(
            &challenge,
            Credentials::Ha1(b"u", &ha1),
            b"REGISTER",
            URI,
            b"c",
            1
        )
    );
}

proptest! {
    /// Any bytes are parsed or refused, never a panic.
    #[test]
    fn parsers_take_any_bytes(value: Vec<u8>, text in "Digest [ -~]{0,80}") {
        for bytes in [&value[..], text.as_bytes()] {
            let _ = Authorization::parse(bytes);
            let _ = ServerChallenge::parse(bytes);
            let _ = key().check(bytes, REALM, NOW, LIFE);
        }
    }

    /// Whatever the user name, password and cnonce, the server takes the answer to its own challenge.
    #[test]
    fn answers_verify(user: Vec<u8>, password: Vec<u8>, cnonce in "[a-z0-9]{0,20}", nc in 1_u32.., salt: u64) {
        let user: Vec<u8> = user.into_iter().filter(|octet| !b"\r\n\0".contains(octet)).collect();
        let nonces = key();
        let nonce = nonces.issue(REALM, NOW, salt);
        for algorithm in Algorithm::ALL {
            let mut header = Vec::new();
            Challenge { realm: REALM, nonce: &nonce, algorithm, stale: true }.write(&mut header);
            let challenge = ServerChallenge::parse(&header).expect("we can read what we write");
            let credentials = Credentials::Password(&user, &password);
            let header = respond(&challenge, credentials, b"REGISTER", URI, cnonce.as_bytes(), nc).expect("an answer");
            let authorization = Authorization::parse(&header).expect("well-formed").expect("Digest");
            prop_assert_eq!(&user[..], &*authorization.username);
            let ha1 = Ha1::new(algorithm, &user, REALM, &password);
            let accepted = verifier(&nonces).verify(&authorization, b"REGISTER", URI, Some(&ha1), NOW);
            prop_assert_eq!(Ok(Accepted { nonce: Nonce { issued_s: NOW, salt }, nc }), accepted);
        }
    }

    /// However small the window: no pair of nonce and count is fresh twice.
    #[test]
    fn nothing_is_fresh_twice(
        capacity in 0_usize..6,
        uses in prop::collection::vec((0_u32..6, 0_u64..3, 1_u32..5), 0..80),
    ) {
        let mut window = ReplayWindow::new(capacity);
        let mut fresh = Vec::new();
        for (issued_s, salt, nc) in uses {
            let nonce = Nonce { issued_s, salt };
            if window.record(nonce, nc) == NonceCount::Fresh {
                prop_assert!(!fresh.contains(&(nonce, nc)), "{:?} {}", nonce, nc);
                fresh.push((nonce, nc));
            }
            prop_assert!(window.len() <= capacity.max(1));
        }
    }
}
