//! The client's answer to a challenge (RFC 7616 §3.4, RFC 3261 §22.2): for tests and for probes that must register.

use alloc::vec::Vec;

use super::algorithm::{Ha1, Protection, ResponseInput, response};
use super::challenge::ServerChallenge;
use super::hex;
use super::params::write_quoted;

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub enum Credentials<'a> {
    /// User name and password.
    Password(&'a [u8], &'a [u8]),
    /// User name and HA1; it must be of the challenge's hash.
    Ha1(&'a [u8], &'a Ha1),
}

/// The Authorization header field value for `challenge`; `None` if the HA1 given is of another hash.
///
/// `nc` counts the uses of this nonce from 1; `cnonce` is random, an argument like all randomness.
pub fn respond(
    challenge: &ServerChallenge<'_>,
    credentials: Credentials<'_>,
    method: &[u8],
    uri: &[u8],
    cnonce: &[u8],
    nc: u32,
) -> Option<Vec<u8>> {
    let algorithm = challenge.algorithm;
    let (username, ha1) = match credentials {
        Credentials::Password(username, password) => (
            username,
            Ha1::new(algorithm, username, &challenge.realm, password),
        ),
        Credentials::Ha1(username, ha1) => (username, *ha1),
    };
    if ha1.algorithm() != algorithm.base() {
        return None;
    }
    let mut nc_digits = [0; 8];
    hex::encode(&nc.to_be_bytes(), &mut nc_digits);
    let protection = challenge.qop_auth.then_some(Protection {
        qop: b"auth",
        nc: &nc_digits,
        cnonce,
    });
    let input = ResponseInput {
        algorithm,
        method,
        uri,
        nonce: challenge.nonce,
        protection,
    };

    let mut out = Vec::from(&b"Digest "[..]);
    write_quoted(&mut out, "username", username);
    write_quoted(&mut out, ", realm", &challenge.realm);
    // Taken from quoted strings as they stood, so written without escaping again.
    for (name, raw) in [
        (", nonce", Some(challenge.nonce)),
        (", uri", Some(uri)),
        (", opaque", challenge.opaque),
    ] {
        if let Some(raw) = raw {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(raw);
            out.push(b'"');
        }
    }
    out.extend_from_slice(b", response=\"");
    out.extend_from_slice(response(&ha1, &input).as_bytes());
    out.extend_from_slice(b"\", algorithm=");
    out.extend_from_slice(algorithm.token().as_bytes());
    if challenge.qop_auth {
        out.extend_from_slice(b", qop=auth, nc=");
        out.extend_from_slice(&nc_digits);
        write_quoted(&mut out, ", cnonce", cnonce);
    }
    Some(out)
}
