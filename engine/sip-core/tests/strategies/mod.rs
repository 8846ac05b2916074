//! What property tests of messages are fed with.

use proptest::prelude::*;

/// The fields a generated request was made from, and its octets.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    pub method: &'static str,
    pub request_uri: String,
    pub branches: Vec<String>,
    pub routes: Vec<String>,
    pub from_tag: String,
    pub to_tag: Option<String>,
    pub call_id: String,
    pub cseq: u32,
    pub max_forwards: Option<u8>,
    pub body: Vec<u8>,
    pub octets: Vec<u8>,
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "INVITE",
        "ACK",
        "BYE",
        "OPTIONS",
        "REGISTER",
        "UPDATE",
        "X-odd.method",
    ])
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9]{0,8}\\.example",
        "192\\.0\\.2\\.[1-9]",
        Just("[2001:db8::7]".to_owned())
    ]
}

fn uri() -> impl Strategy<Value = String> {
    let params = prop::sample::select(vec!["", ";lr", ";transport=tcp;x", ";user=phone"]);
    let port = prop::sample::select(vec!["", ":5060", ":5099"]);
    ("[a-z0-9+_!$&=;%.-]{0,12}", host(), port, params).prop_map(|(user, host, port, params)| {
        let user = user.replace('%', "%41");
        let at = if user.is_empty() { "" } else { "@" };
        format!("sip:{user}{at}{host}{port}{params}")
    })
}

/// A colon as one may write it: spaces around it, a fold after it.
fn colon() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![": ", ":", " :", "\t: \r\n ", ":   "])
}

fn spelled(long: &'static str, compact: &'static str) -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec![long, compact]),
        any::<bool>(),
        colon(),
    )
        .prop_map(|(name, upper, colon)| {
            if upper {
                name.to_uppercase() + colon
            } else {
                name.to_owned() + colon
            }
        })
}

fn list(name: &'static str, values: Vec<String>, joined: bool) -> Vec<String> {
    if joined && !values.is_empty() {
        return vec![format!("{name}: {}", values.join(" ,\r\n\t"))];
    }
    values
        .into_iter()
        .map(|value| format!("{name}: {value}"))
        .collect()
}

/// A valid request with its header fields in any order, spelled in any way.
pub(crate) fn request() -> impl Strategy<Value = Generated> {
    let names = (
        spelled("From", "f"),
        spelled("To", "t"),
        spelled("Call-ID", "i"),
        spelled("CSeq", "CSeq"),
        spelled("Content-Length", "l"),
    );
    let identity = (
        "[a-zA-Z0-9.]{1,10}",
        prop::option::of("[a-zA-Z0-9.]{1,10}"),
        "[!-+.-~]{1,20}",
        0_u32..1 << 31,
        prop::option::of(any::<u8>()),
    );
    let hops = (
        prop::collection::vec("z9hG4bK[a-z0-9]{1,12}", 1..4),
        prop::collection::vec(uri(), 0..4),
    );
    let start = (method(), uri(), uri(), uri());
    let rest = (
        prop::collection::vec(any::<u8>(), 0..64),
        any::<(bool, bool)>(),
        prop::collection::vec("X-[a-z]{1,8}: [ -~]{0,20}", 0..4),
        any::<prop::sample::Index>(),
    );
    (start, names, identity, hops, rest).prop_map(|(start, names, identity, hops, rest)| {
        let (method, request_uri, from, to) = start;
        let (from_tag, to_tag, call_id, cseq, max_forwards) = identity;
        let (branches, route_uris) = hops;
        let (body, (join_vias, join_routes), extra, rotation) = rest;
        let routes: Vec<String> = route_uris;
        let vias = branches
            .iter()
            .map(|b| format!("SIP/2.0/UDP 192.0.2.9:5062;branch={b};rport"))
            .collect();
        let mut lines = vec![
            format!("{}\"D, \\\" <x>\" <{from}> ; tag={from_tag}", names.0),
            format!(
                "{}<{to}>{}",
                names.1,
                to_tag
                    .as_ref()
                    .map_or(String::new(), |tag| format!(";tag={tag}"))
            ),
            format!("{}{call_id}", names.2),
            format!("{}{cseq} {method}", names.3),
            format!("{}{}", names.4, body.len()),
        ];
        lines.extend(max_forwards.map(|hops| format!("Max-Forwards: {hops}")));
        lines.extend(extra);
        let rotation = rotation.index(lines.len());
        lines.rotate_left(rotation);
        lines.extend(list("Via", vias, join_vias));
        let bracketed = routes.iter().map(|uri| format!("<{uri}>")).collect();
        lines.extend(list("Route", bracketed, join_routes));
        let head = format!(
            "{method} {request_uri} SIP/2.0\r\n{}\r\n\r\n",
            lines.join("\r\n")
        );
        let octets = [head.into_bytes(), body.clone()].concat();
        Generated {
            method,
            request_uri,
            branches,
            routes,
            from_tag,
            to_tag,
            call_id,
            cseq,
            max_forwards,
            body,
            octets,
        }
    })
}

/// A message of the torture collection with some of its octets replaced, removed or doubled.
pub(crate) fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        0_u8..4,
        prop::sample::select(b"\r\n \t:;,<>\"\\@%?=[]/0\0a\xff".to_vec()),
    );
    (
        prop::sample::select(seeds),
        prop::collection::vec(edit, 1..12),
    )
        .prop_map(|(mut octets, edits)| {
            for (place, kind, octet) in edits {
                if octets.is_empty() {
                    break;
                }
                let at = place.index(octets.len());
                match kind {
                    0 => octets[at] = octet,
                    1 => octets.insert(at, octet),
                    2 => drop(octets.remove(at)),
                    _ => {
                        let end = (at + 40).min(octets.len());
                        let piece = octets[at..end].to_vec();
                        octets.splice(at..at, piece);
                    }
                }
            }
            octets
        })
}
