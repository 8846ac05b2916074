//! All messages of RFC 4475 and RFC 5118, as the manifest beside them wants.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use sip_core::build::{error_response, response_destination};
use sip_core::error::PeerError;
use sip_core::header::{HeaderName, Rport};
use sip_core::limits::MAX_VIA;
use sip_core::message::{HeaderIndex, Message, StartLine};
use sip_core::method::Method;
use sip_core::uri::{Host, Scheme};

/// Who refuses a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Parse(PeerError),
    TopVia(PeerError),
    Contacts(PeerError),
    /// `NameAddr::uri` of To.
    To(PeerError),
    /// Parsed; there is no address to forward the response to.
    Destination,
    /// Parsed: the manifest allows it, and there is nothing here to be misled by.
    Nobody,
}

/// Every message of the classes `invalid` and `invalid-liberal`.
const FAULTS: [(&str, By); 24] = [
    (
        "badinv01",
        By::TopVia(PeerError::Malformed(HeaderName::Via)),
    ),
    ("clerr", By::Parse(PeerError::BodyTruncated)),
    (
        "ncl",
        By::Parse(PeerError::Malformed(HeaderName::ContentLength)),
    ),
    (
        "scalar02",
        By::Parse(PeerError::OutOfRange(HeaderName::CSeq)),
    ),
    (
        "scalarlg",
        By::Parse(PeerError::OutOfRange(HeaderName::CSeq)),
    ),
    ("quotbal", By::Parse(PeerError::Malformed(HeaderName::To))),
    ("ltgtruri", By::Parse(PeerError::RequestUri)),
    ("lwsruri", By::Parse(PeerError::StartLine)),
    ("lwsstart", By::Parse(PeerError::StartLine)),
    ("trws", By::Parse(PeerError::StartLine)),
    ("escruri", By::Parse(PeerError::RequestUriHeaders)),
    ("baddate", By::Nobody),
    (
        "regbadct",
        By::Contacts(PeerError::Malformed(HeaderName::Contact)),
    ),
    ("badaspec", By::To(PeerError::Uri)),
    ("baddn", By::Parse(PeerError::Malformed(HeaderName::From))),
    ("badvers", By::Parse(PeerError::Version)),
    ("mismatch01", By::Parse(PeerError::CSeqMethod)),
    ("mismatch02", By::Parse(PeerError::CSeqMethod)),
    ("bigcode", By::Parse(PeerError::StatusCode)),
    ("badbranch", By::Nobody),
    ("insuf", By::Parse(PeerError::Missing(HeaderName::From))),
    ("multi01", By::Parse(PeerError::Repeated(HeaderName::CSeq))),
    (
        "mcl01",
        By::Parse(PeerError::Repeated(HeaderName::ContentLength)),
    ),
    ("ipv6-bad", By::Parse(PeerError::RequestUri)),
];

struct Vector {
    name: String,
    class: String,
    octets: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/torture")
}

fn vectors() -> Vec<Vector> {
    let manifest =
        fs::read_to_string(folder().join("manifest.tsv")).expect("the manifest is readable");
    let mut lines = manifest.lines();
    let header: Vec<&str> = lines
        .next()
        .expect("the manifest has a header")
        .split('\t')
        .collect();
    let column = |name| {
        header
            .iter()
            .position(|c| *c == name)
            .expect("the manifest has the column")
    };
    let (name, class, wire, size) = (
        column("name"),
        column("class"),
        column("wire"),
        column("wire_bytes"),
    );
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let octets = fs::read(folder().join(fields[wire])).expect("the vector is readable");
            assert_eq!(
                fields[size],
                octets.len().to_string(),
                "{} is as long as it was",
                fields[name]
            );
            Vector {
                name: fields[name].into(),
                class: fields[class].into(),
                octets,
            }
        })
        .collect()
}

fn vector(name: &str) -> Vec<u8> {
    vectors()
        .into_iter()
        .find(|v| v.name == name)
        .expect("the manifest lists the vector")
        .octets
}

fn source() -> SocketAddr {
    "192.0.2.99:40000".parse().expect("an address")
}

fn refused_by(octets: &[u8]) -> By {
    let mut index = HeaderIndex::new();
    let message = match Message::parse(octets, &mut index) {
        Ok(message) => message,
        Err(fault) => return By::Parse(fault),
    };
    if let Err(fault) = message.top_via() {
        return By::TopVia(fault);
    }
    if let Some(fault) = message.contacts().find_map(Result::err) {
        return By::Contacts(fault);
    }
    if let Err(fault) = message.to().and_then(|to| to.uri()) {
        return By::To(fault);
    }
    if message.is_response() {
        let next = message
            .vias()
            .nth(1)
            .map(|via| via.map(|via| response_destination(&via)));
        if next == Some(Ok(None)) {
            return By::Destination;
        }
    }
    By::Nobody
}

#[test]
fn the_manifest_is_whole() {
    let all = vectors();
    assert_eq!(61, all.len());
    let faulty: BTreeSet<&str> = all
        .iter()
        .filter(|v| v.class.starts_with("invalid"))
        .map(|v| v.name.as_str())
        .collect();
    assert_eq!(
        FAULTS
            .iter()
            .map(|(name, _)| *name)
            .collect::<BTreeSet<_>>(),
        faulty
    );
}

#[test]
fn well_formed_messages_are_accepted() {
    for v in vectors().iter().filter(|v| !v.class.starts_with("invalid")) {
        let expected = if v.name == "bcast" {
            By::Destination
        } else {
            By::Nobody
        };
        assert_eq!(expected, refused_by(&v.octets), "{} ({})", v.name, v.class);
    }
}

#[test]
fn faults_are_refused_where_the_table_says() {
    for v in vectors().iter().filter(|v| v.class.starts_with("invalid")) {
        let (_, expected) = FAULTS
            .iter()
            .find(|(name, _)| *name == v.name)
            .expect("the table is whole");
        assert_eq!(*expected, refused_by(&v.octets), "{}", v.name);
    }
}

#[test]
fn refused_requests_are_answered_and_responses_are_not() {
    for v in vectors() {
        let fault = match refused_by(&v.octets) {
            By::Parse(fault) | By::TopVia(fault) | By::Contacts(fault) | By::To(fault) => fault,
            By::Destination | By::Nobody => continue,
        };
        let mut out = Vec::new();
        let answered = error_response(&v.octets, &fault, source(), &mut out);
        let is_request = !v.octets.starts_with(b"SIP/");
        assert_eq!(is_request, answered, "{}", v.name);
        assert_eq!(answered, !out.is_empty(), "{}", v.name);
        let status = if v.name == "badvers" {
            "SIP/2.0 505 "
        } else {
            "SIP/2.0 400 "
        };
        assert!(
            !answered || out.starts_with(status.as_bytes()),
            "{}: {}",
            v.name,
            out.escape_ascii()
        );
        // Where the fault is not in what is copied, the answer is a message itself.
        if is_request
            && ![
                "badinv01", "badvers", "insuf", "baddn", "quotbal", "scalar02",
            ]
            .contains(&&*v.name)
        {
            let mut index = HeaderIndex::new();
            let answer = Message::parse(&out, &mut index).expect("the answer parses");
            assert_eq!(Some(400), answer.status(), "{}", v.name);
            assert!(answer.to_tag().is_some(), "{}", v.name);
            assert!(answer.vias().count() <= MAX_VIA);
        }
    }
}

#[test]
fn archive_forms_without_carriage_returns_are_refused_not_misread() {
    for folder in [folder().join("rfc4475/raw"), folder().join("rfc5118/raw")] {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            let octets = fs::read(&path).expect("the vector is readable");
            if !octets.contains(&b'\r') {
                assert_eq!(
                    By::Parse(PeerError::LineEnd),
                    refused_by(&octets),
                    "{}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_tortuous_invite_is_read_right() {
    let octets = vector("wsinv");
    let mut index = HeaderIndex::new();
    let message = Message::parse(&octets, &mut index).expect("wsinv is well-formed");
    assert_eq!(Method::Invite, message.method());
    assert_eq!(
        b"sip:vivekg@chair-dnrc.example.com;unknownparam",
        message.request_uri()
    );
    assert_eq!(Some(&b"1918181833n"[..]), message.to_tag());
    assert_eq!(Some(&b"98asjd8"[..]), message.from_tag());
    assert_eq!(Some(68), message.max_forwards());
    assert_eq!(
        (9, Method::Invite),
        (message.cseq().number, message.cseq().method)
    );
    assert_eq!(b"wsinv.ndaksdj@192.0.2.1", message.call_id());
    assert_eq!(150, message.body().len());
    assert_eq!(Some(&b""[..]), message.header(HeaderName::Subject));
    assert_eq!(
        Some(&b";;,,;;,;"[..]),
        message.header_named(b"unknownheaderwithunusualvalue")
    );
    let branches: Vec<_> = message
        .vias()
        .map(|via| via.expect("each Via parses").branch)
        .collect();
    assert_eq!(
        [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]
            .map(Some)
            .to_vec(),
        branches
    );
    let from = message.from().expect("From parses");
    assert_eq!(Some(&br#""J Rosenberg \\\"""#[..]), from.display);
    let contact = message
        .contacts()
        .next()
        .expect("there is a Contact")
        .expect("it parses");
    assert_eq!(
        (Some(330), Some(&b"newvalue"[..])),
        (contact.q(), contact.param(b"newparam"))
    );
    let route = message
        .routes()
        .next()
        .expect("there is a Route")
        .expect("it parses");
    assert!(route.uri().expect("its URI parses").is_loose_router());
}

#[test]
fn what_the_prose_warns_of_is_not_mistaken() {
    let mut index = HeaderIndex::new();
    let octets = vector("esc02");
    let message = Message::parse(&octets, &mut index).expect("esc02 is well-formed");
    assert_eq!(
        Method::Other(b"RE%47IST%45R"),
        message.method(),
        "escapes mean nothing in a method"
    );
    assert_eq!(
        2,
        message.contacts().count(),
        "nor in a header field's name"
    );

    let octets = vector("dblreq");
    let message = Message::parse(&octets, &mut index).expect("dblreq is well-formed");
    assert_eq!(
        (Method::Register, 0),
        (message.method(), message.body().len())
    );
    assert!(
        message.bytes().len() < octets.len(),
        "octets after the body are cut off"
    );

    let octets = vector("escnull");
    let message = Message::parse(&octets, &mut index).expect("escnull is well-formed");
    let uris: Vec<_> = message
        .contacts()
        .map(|c| c.and_then(|c| c.uri()).expect("both parse"))
        .collect();
    assert!(!uris[0].equivalent(&uris[1]), "one escaped NUL is not two");

    let octets = vector("semiuri");
    let message = Message::parse(&octets, &mut index).expect("semiuri is well-formed");
    let uri = message.uri().expect("the Request-URI parses");
    assert_eq!(Some(&b"user;par=u%40example.net"[..]), uri.user);
    assert_eq!(Host::Name(b"example.com"), uri.host);

    let octets = vector("port-ambiguous");
    let message = Message::parse(&octets, &mut index).expect("port-ambiguous is well-formed");
    assert_eq!(None, message.uri().expect("the Request-URI parses").port);

    let octets = vector("unkscm");
    let message = Message::parse(&octets, &mut index).expect("unkscm is well-formed");
    assert_eq!(
        Scheme::Other(b"nobodyKnowsThisScheme"),
        message.uri().expect("it is a URI").scheme
    );

    let octets = vector("bext01");
    let message = Message::parse(&octets, &mut index).expect("bext01 is well-formed");
    assert!(message.has_option(HeaderName::ProxyRequire, "norDoAnyProxiesSupportThis"));
    assert_eq!(2, message.option_tags(HeaderName::Require).count());

    let octets = vector("cparam01");
    let message = Message::parse(&octets, &mut index).expect("cparam01 is well-formed");
    let contact = message
        .contacts()
        .next()
        .expect("there is a Contact")
        .expect("it parses");
    assert_eq!(
        b"sip:+19725552222@gw1.example.net", contact.uri,
        "the parameter is the header field's"
    );

    let octets = vector("regescrt");
    let message = Message::parse(&octets, &mut index).expect("regescrt is well-formed");
    let contact = message
        .contacts()
        .next()
        .expect("there is a Contact")
        .expect("it parses");
    let headers = contact.uri().expect("its URI parses").headers;
    assert_eq!(
        Some(&b"Route=%3Csip:sip.example.com%3E"[..]),
        headers,
        "kept, not applied"
    );

    let octets = vector("zeromf");
    assert_eq!(
        Some(0),
        Message::parse(&octets, &mut index)
            .expect("zeromf is well-formed")
            .max_forwards()
    );

    let octets = vector("badbranch");
    let message = Message::parse(&octets, &mut index).expect("badbranch is accepted");
    assert!(
        !message
            .top_via()
            .expect("its Via parses")
            .has_magic_cookie()
    );

    let octets = vector("unreason");
    let message = Message::parse(&octets, &mut index).expect("unreason is well-formed");
    assert!(
        matches!(message.start_line(), StartLine::Response { status: 200, reason } if reason.len() > 60)
    );

    let octets = vector("mpart01");
    let message = Message::parse(&octets, &mut index).expect("mpart01 is well-formed");
    assert_eq!(
        Rport::Flag,
        message.top_via().expect("its Via parses").rport
    );
    assert_eq!(553, message.body().len());
}
