//! Which changes of a request make another transaction, and which do not.

use super::*;

const INVITE: RequestIdentity<'_> = RequestIdentity {
    method: b"INVITE",
    branch: b"z9hG4bK776asdhds",
    sent_by_host: b"core.example.net",
    sent_by_port: Some(5060),
    via: b"SIP/2.0/UDP core.example.net:5060;branch=z9hG4bK776asdhds",
    request_uri: b"sip:+493023125000@proxy.example.net",
    to_tag: b"",
    from_tag: b"1928301774",
    call_id: b"a84b4c76e66710",
    cseq: 314_159,
};

const OLD: RequestIdentity<'_> = RequestIdentity {
    branch: b"",
    via: b"SIP/2.0/UDP core.example.net:5060",
    ..INVITE
};

fn key() -> HashKey {
    HashKey::new([7; 16])
}

#[test]
fn server_key_follows_section_17_2_3() {
    let invite = key().request_key(&INVITE);
    let same: &[(&str, RequestIdentity<'_>)] = &[
        ("its repetition", INVITE),
        (
            "its ACK",
            RequestIdentity {
                method: b"ACK",
                to_tag: b"ours",
                ..INVITE
            },
        ),
        (
            "host in capitals",
            RequestIdentity {
                sent_by_host: b"CORE.example.NET ",
                ..INVITE
            },
        ),
        (
            "other fields do not count",
            RequestIdentity {
                call_id: b"x",
                cseq: 1,
                ..INVITE
            },
        ),
    ];
    for (what, request) in same {
        assert_eq!(invite, key().request_key(request), "{what}");
    }
    let different: &[(&str, RequestIdentity<'_>)] = &[
        (
            "CANCEL",
            RequestIdentity {
                method: b"CANCEL",
                ..INVITE
            },
        ),
        (
            "branch",
            RequestIdentity {
                branch: b"z9hG4bK776asdhdt",
                ..INVITE
            },
        ),
        (
            "case of branch",
            RequestIdentity {
                branch: b"z9hG4bK776ASDHDS",
                ..INVITE
            },
        ),
        (
            "host",
            RequestIdentity {
                sent_by_host: b"core2.example.net",
                ..INVITE
            },
        ),
        (
            "port",
            RequestIdentity {
                sent_by_port: Some(5061),
                ..INVITE
            },
        ),
        (
            "no port",
            RequestIdentity {
                sent_by_port: None,
                ..INVITE
            },
        ),
        ("RFC 2543", OLD),
    ];
    for (what, request) in different {
        assert_ne!(invite, key().request_key(request), "{what}");
    }
    assert_ne!(
        invite,
        HashKey::new([8; 16]).request_key(&INVITE),
        "another secret"
    );
}

#[test]
fn rfc_2543_key_follows_section_17_2_3() {
    let invite = key().request_key(&OLD);
    assert_eq!(
        invite,
        key().request_key(&RequestIdentity {
            method: b"ACK",
            to_tag: b"ours",
            ..OLD
        }),
        "ACK"
    );
    assert_eq!(
        invite,
        key().request_key(&RequestIdentity {
            branch: b"1",
            ..OLD
        }),
        "a branch without cookie"
    );
    assert_eq!(
        invite,
        key().request_key(&RequestIdentity {
            branch: b"z9hG4bK",
            ..OLD
        }),
        "only the cookie"
    );
    let different: &[(&str, RequestIdentity<'_>)] = &[
        (
            "Request-URI",
            RequestIdentity {
                request_uri: b"sip:x@y",
                ..OLD
            },
        ),
        (
            "From tag",
            RequestIdentity {
                from_tag: b"2",
                ..OLD
            },
        ),
        (
            "Call-ID",
            RequestIdentity {
                call_id: b"2",
                ..OLD
            },
        ),
        ("CSeq", RequestIdentity { cseq: 2, ..OLD }),
        (
            "Via",
            RequestIdentity {
                via: b"SIP/2.0/UDP core.example.net",
                ..OLD
            },
        ),
        (
            "method",
            RequestIdentity {
                method: b"BYE",
                ..OLD
            },
        ),
    ];
    for (what, request) in different {
        assert_ne!(invite, key().request_key(request), "{what}");
    }
    let bye = RequestIdentity {
        method: b"BYE",
        ..OLD
    };
    assert_ne!(
        key().request_key(&bye),
        key().request_key(&RequestIdentity {
            to_tag: b"t",
            ..bye
        }),
        "the To tag counts outside INVITE and ACK"
    );
}

#[test]
fn cancel_finds_its_invite() {
    for invite in [INVITE, OLD] {
        let cancel = RequestIdentity {
            method: b"CANCEL",
            ..invite
        };
        assert_eq!(key().request_key(&invite), key().cancelled_key(&cancel));
    }
}

#[test]
fn parts_do_not_run_together() {
    let one = RequestIdentity {
        from_tag: b"ab",
        call_id: b"c",
        ..OLD
    };
    let other = RequestIdentity {
        from_tag: b"a",
        call_id: b"bc",
        ..OLD
    };
    assert_ne!(key().request_key(&one), key().request_key(&other));
    assert_ne!(key().client_key(b"ab", b"c"), key().client_key(b"a", b"bc"));
}

#[test]
fn client_key_is_branch_and_method() {
    assert_eq!(
        key().client_key(b"z9hG4bK1", b"INVITE"),
        key().client_key(b"z9hG4bK1", b"INVITE")
    );
    assert_ne!(
        key().client_key(b"z9hG4bK1", b"INVITE"),
        key().client_key(b"z9hG4bK1", b"CANCEL")
    );
    assert_ne!(
        key().client_key(b"z9hG4bK1", b"INVITE"),
        key().client_key(b"z9hG4bK2", b"INVITE")
    );
}

#[test]
fn stateless_tag_is_one_for_invite_ack_and_cancel() {
    let tag = stateless_tag(&key(), &INVITE);
    assert!(tag.iter().all(u8::is_ascii_hexdigit));
    for method in [&b"ACK"[..], b"CANCEL"] {
        assert_eq!(
            tag,
            stateless_tag(
                &key(),
                &RequestIdentity {
                    method,
                    to_tag: &tag,
                    ..INVITE
                }
            )
        );
    }
    let different: &[(&str, RequestIdentity<'_>)] = &[
        (
            "branch",
            RequestIdentity {
                branch: b"z9hG4bKx",
                ..INVITE
            },
        ),
        (
            "sent-by",
            RequestIdentity {
                sent_by_host: b"x",
                ..INVITE
            },
        ),
        (
            "Call-ID",
            RequestIdentity {
                call_id: b"x",
                ..INVITE
            },
        ),
        (
            "From tag",
            RequestIdentity {
                from_tag: b"x",
                ..INVITE
            },
        ),
        ("CSeq", RequestIdentity { cseq: 2, ..INVITE }),
    ];
    for (what, request) in different {
        assert_ne!(tag, stateless_tag(&key(), request), "{what}");
    }
}

#[test]
fn derived_keys_differ_by_purpose() {
    let tag = |key: HashKey| stateless_tag(&key, &INVITE);
    assert_eq!(
        tag(HashKey::derive(b"secret", "tag")),
        tag(HashKey::derive(b"secret", "tag"))
    );
    assert_ne!(
        tag(HashKey::derive(b"secret", "tag")),
        tag(HashKey::derive(b"secret", "branch"))
    );
    assert_ne!(
        tag(HashKey::derive(b"secret", "tag")),
        tag(HashKey::derive(b"secre", "ttag"))
    );
}

#[test]
fn identity_is_read_from_a_message() {
    let bytes = b"INVITE sip:+493023125000@proxy.example.net SIP/2.0\r\n\
        Via: SIP/2.0/UDP core.example.net:5060;branch=z9hG4bK776asdhds, SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1928301774\r\nTo: <sip:c@d>\r\nCall-ID: a84b4c76e66710\r\n\
        CSeq: 314159 INVITE\r\nContent-Length: 0\r\n\r\n";
    let mut index = crate::message::HeaderIndex::new();
    let message = Message::parse(bytes, &mut index).expect("a good message");
    let identity = RequestIdentity::of(&message).expect("a good Via");
    // sent-by is taken whole there.
    let expected = RequestIdentity {
        sent_by_host: b"core.example.net:5060",
        ..INVITE
    };
    assert_eq!(expected, identity);
}

#[test]
fn workers_share_the_keys() {
    let mut seen = [0_u32; 4];
    for cseq in 0..1_000 {
        seen[usize::from(
            key()
                .request_key(&RequestIdentity { cseq, ..OLD })
                .worker(4),
        )] += 1;
    }
    assert!(
        seen.iter().all(|count| *count > 150),
        "one peer loads all workers: {seen:?}"
    );
    assert_eq!(
        0,
        key().request_key(&INVITE).worker(0),
        "no worker count is no reason to divide by zero"
    );
}
