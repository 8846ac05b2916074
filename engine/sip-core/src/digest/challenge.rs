//! The WWW-Authenticate and Proxy-Authenticate header fields (RFC 7616 §3.3, RFC 8760 §2.3).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::algorithm::Algorithm;
use super::params::{Params, strip_scheme, unescaped, write_quoted};

/// A challenge that we write. One per algorithm goes into a 401 or 407, the strongest first, as RFC 8760 §2.3 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// `realm`, shown to users.
    pub realm: &'a [u8],
    /// `nonce`, the same in all challenges of one response.
    pub nonce: &'a [u8],
    /// `algorithm`.
    pub algorithm: Algorithm,
    /// `stale`: the password was right, only the nonce was not.
    pub stale: bool,
}

impl<'a> Challenge<'a> {
    /// What a server offers for which it has HA1 in SHA-256 and MD5.
    pub const STRONGEST_FIRST: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    /// One challenge per algorithm, the strongest first whatever the order of `algorithms`.
    pub fn for_each(
        algorithms: &[Algorithm],
        realm: &'a [u8],
        nonce: &'a [u8],
        stale: bool,
    ) -> impl Iterator<Item = Self> {
        Algorithm::ALL
            .into_iter()
            .filter(move |algorithm| algorithms.contains(algorithm))
            .map(move |algorithm| Self {
                realm,
                nonce,
                algorithm,
                stale,
            })
    }

    /// Appends the header field value: `Digest realm="…", …`. Always with `qop="auth"`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Digest ");
        write_quoted(out, "realm", self.realm);
        write_quoted(out, ", nonce", self.nonce);
        out.extend_from_slice(b", algorithm=");
        out.extend_from_slice(self.algorithm.token().as_bytes());
        out.extend_from_slice(b", qop=\"auth\"");
        if self.stale {
            out.extend_from_slice(b", stale=true");
        }
    }
}

/// A challenge that a client received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerChallenge<'a> {
    /// `realm`.
    pub realm: Cow<'a, [u8]>,
    /// `nonce`.
    pub nonce: &'a [u8],
    /// `algorithm`; MD5 when absent.
    pub algorithm: Algorithm,
    /// Whether `qop` offers `auth`; without any qop the answer is in RFC 2069 style.
    pub qop_auth: bool,
    /// `stale`.
    pub stale: bool,
    /// `opaque`, to be sent back.
    pub opaque: Option<&'a [u8]>,
}

impl<'a> ServerChallenge<'a> {
    /// Parses one header field value; `None` if this client cannot answer it: another scheme, an algorithm that we do not
    /// know, only `auth-int`, or a broken text.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (mut realm, mut nonce, mut qop, mut opaque) = (None, None, None, None);
        let (mut algorithm, mut stale) = (Algorithm::Md5, false);
        for param in Params::new(strip_scheme(value)?) {
            let param = param.ok()?;
            let is = |name: &str| name.as_bytes().eq_ignore_ascii_case(param.name);
            if is("realm") {
                realm = Some(param.value);
            } else if is("nonce") {
                nonce = Some(param.value);
            } else if is("algorithm") {
                algorithm = Algorithm::from_token(param.value)?;
            } else if is("qop") {
                qop = Some(param.value);
            } else if is("opaque") {
                opaque = Some(param.value);
            } else if is("stale") {
                stale = param.value.eq_ignore_ascii_case(b"true");
            }
        }
        let offers_auth = |qop: &[u8]| {
            qop.split(|octet| *octet == b',')
                .any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"))
        };
        let qop_auth = qop.map(offers_auth);
        if qop_auth == Some(false) {
            return None;
        }
        Some(Self {
            realm: unescaped(realm?),
            nonce: nonce?,
            algorithm,
            qop_auth: qop_auth.is_some(),
            stale,
            opaque,
        })
    }
}
