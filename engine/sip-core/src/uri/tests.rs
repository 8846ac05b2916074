use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text} is a URI"))
}

#[test]
fn sip_uris_have_their_parts() {
    let u = uri("sip:alice;x=1:pw@example.com:5070;transport=tcp;lr?Subject=a%20b&x=y");
    assert_eq!(Scheme::Sip, u.scheme);
    assert_eq!(Some(&b"alice;x=1"[..]), u.user);
    assert_eq!(Some(&b"pw"[..]), u.password);
    assert_eq!(Host::Name(b"example.com"), u.host);
    assert_eq!(Some(5070), u.port);
    assert_eq!(Some(&b"tcp"[..]), u.params.value(b"transport"));
    assert!(u.is_loose_router());
    assert_eq!(Some(&b"Subject=a%20b&x=y"[..]), u.headers);
}

#[test]
fn hosts_are_names_or_addresses() {
    let table: [(&str, Host<'_>, Option<u16>); 5] = [
        ("sip:192.0.2.1", Host::V4(Ipv4Addr::new(192, 0, 2, 1)), None),
        (
            "SIPS:[2001:db8::10:5070]",
            Host::V6("2001:db8::10:5070".parse().unwrap()),
            None,
        ),
        (
            "sip:[2001:db8::10]:5070",
            Host::V6("2001:db8::10".parse().unwrap()),
            Some(5070),
        ),
        (
            "sip:a@[2001:db8:::192.0.2.1]",
            Host::V6("2001:db8::192.0.2.1".parse::<Ipv6Addr>().unwrap()),
            None,
        ),
        ("sip:1und1.example", Host::Name(b"1und1.example"), None),
    ];
    for (text, host, port) in table {
        assert_eq!((host, port), (uri(text).host, uri(text).port), "{text}");
    }
}

#[test]
fn tel_uris_have_number_and_parameters() {
    let u = uri("tel:+49-30-23125000;rn=+49199;npdi");
    assert_eq!(Some(&b"+49-30-23125000"[..]), u.user);
    assert_eq!(Some(&b"+49199"[..]), u.user_params().value(b"rn"));
    assert!(u.user_params().contains(b"npdi"));
    let (number, params) = uri("sip:+493023125000;rn=D1234;npdi@example.com;user=phone")
        .subscriber()
        .unwrap();
    assert_eq!(b"+493023125000", number);
    assert_eq!(Some(&b"D1234"[..]), params.value(b"rn"));
}

#[test]
fn what_was_dialled_has_the_parameters_of_the_number() {
    let table = [
        (
            "tel:23125010;phone-context=+4930",
            "23125010;phone-context=+4930",
        ),
        ("tel:+493023125010", "+493023125010"),
        (
            "sip:23125010;phone-context=+4930@example.com;user=phone",
            "23125010;phone-context=+4930",
        ),
        (
            "sip:+493023125010:secret@example.com;user=phone?Subject=x",
            "+493023125010",
        ),
    ];
    for (text, dialled) in table {
        assert_eq!(Some(dialled.as_bytes()), uri(text).dialled(), "{text}");
    }
    assert_eq!(None, uri("sip:example.com").dialled());
}

#[test]
fn unknown_schemes_are_opaque() {
    let u = uri("nobodyKnowsThisScheme:totallyopaquecontent");
    assert_eq!(Scheme::Other(b"nobodyKnowsThisScheme"), u.scheme);
    assert_eq!(b"totallyopaquecontent", u.opaque);
    assert_eq!(Host::Absent, u.host);
}

#[test]
fn broken_uris_are_refused() {
    for text in [
        "",
        "sip",
        "sip:",
        "sip:@example.com",
        "sip:a@",
        "sip:a@b@c",
        "<sip:a@b>",
        "sip:a b@c",
        "sip:a@b c",
        "sip:2001:db8::10",
        "sip:a@b:",
        "sip:a@b:99999",
        "sip:a@1.2.3",
        "sip:a@256.1.1.1",
        "sip:a%4@b",
        "sip:a@[::1",
        "sip:a@b;x=<",
        "tel:",
        "tel:abcx",
        "tel:+",
        ":x",
        "1a:x",
        "sip:a@[::1%25eth0]",
        "sip:a@b?x=\"",
    ] {
        assert_eq!(Err(PeerError::Uri), Uri::parse(text.as_bytes()), "{text}");
    }
}

#[test]
fn comparison_follows_section_19_1_4() {
    let table = [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtlanTa.CoM;Transport=tcp",
            true,
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;newparam=5",
            true,
        ),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;newparam=5",
            true,
        ),
        (
            "sip:a@b.com;transport=tcp?to=alice%40b&x=y",
            "sip:a@b.com;transport=tcp?x=y&to=alice%40b",
            true,
        ),
        ("sip:a@b.com;x=1;x=2", "sip:a@b.com;x=1;x=2", true),
        ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", false),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
            false,
        ),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
            false,
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com;user=phone",
            false,
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next",
            false,
        ),
        ("sip:a%3Bb@c.com", "sip:a;b@c.com", false),
        ("sip:%00@c.com", "sip:%00%00@c.com", false),
        ("sip:a@c.com", "sips:a@c.com", false),
        ("sip:a@c.com", "sip:c.com", false),
        ("tel:+49-30-1", "tel:+49301", true),
        ("tel:+49301", "tel:+49302", false),
        ("tel:301;phone-context=+49", "tel:301", false),
    ];
    for (a, b, expected) in table {
        assert_eq!(expected, uri(a).equivalent(&uri(b)), "{a} {b}");
        assert_eq!(expected, uri(b).equivalent(&uri(a)), "{b} {a}");
    }
}
