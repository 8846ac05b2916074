//! The Authorization and Proxy-Authorization header fields (RFC 3261 §20.7, RFC 7616 §3.4).

use alloc::borrow::Cow;

use super::algorithm::{Algorithm, Qop};
use super::hex;
use super::params::{Malformed, Params, strip_scheme, unescaped};

/// Digest credentials. User name and realm are unescaped, the rest stands as it was between the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// `username`.
    pub username: Cow<'a, [u8]>,
    /// `realm`.
    pub realm: Cow<'a, [u8]>,
    /// `nonce`.
    pub nonce: &'a [u8],
    /// `uri`, the digest-uri.
    pub uri: &'a [u8],
    /// `response`.
    pub response: &'a [u8],
    /// `algorithm`; MD5 when absent, `None` when it is one that we do not know.
    pub algorithm: Option<Algorithm>,
    /// What comes with a qop; `None` in RFC 2069 style.
    pub protection: Option<ClientProtection<'a>>,
    /// `opaque`, if sent.
    pub opaque: Option<&'a [u8]>,
}

/// `qop`, `nc` and `cnonce`, which come together (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientProtection<'a> {
    /// `qop`; `None` when it is one that we do not know.
    pub qop: Option<Qop>,
    /// `qop` as written.
    pub qop_token: &'a [u8],
    /// `nc`, how often the client used this nonce; at least 1.
    pub nc: u32,
    /// `nc` as written.
    pub nc_digits: &'a [u8],
    /// `cnonce`.
    pub cnonce: &'a [u8],
}

/// Digest credentials that break the grammar; to be answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// Not a list of parameters.
    Malformed,
    /// A parameter came twice: which one counts is anybody's guess, and an attacker's chance.
    Duplicate(&'static str),
    /// A parameter that RFC 7616 §3.4 requires is not there.
    Missing(&'static str),
    /// `nc` is not eight hexadecimal digits, or zero.
    NonceCount,
}

impl CredentialsError {
    /// The status to answer with.
    pub const fn status(self) -> u16 {
        400
    }
}

impl core::fmt::Display for CredentialsError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed => {
                formatter.write_str("digest credentials are not a list of parameters")
            }
            Self::Duplicate(name) => write!(formatter, "digest credentials have {name} twice"),
            Self::Missing(name) => write!(formatter, "digest credentials lack {name}"),
            Self::NonceCount => {
                formatter.write_str("nc is not a count of eight hexadecimal digits")
            }
        }
    }
}

impl core::error::Error for CredentialsError {}

impl From<Malformed> for CredentialsError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

const NAMES: [&str; 10] = [
    "username",
    "realm",
    "nonce",
    "uri",
    "response",
    "algorithm",
    "qop",
    "nc",
    "cnonce",
    "opaque",
];

impl<'a> Authorization<'a> {
    /// Parses one header field value. `Ok(None)` for another scheme than Digest: such credentials are none for us.
    ///
    /// Parameters come in any order; unknown ones are ignored (RFC 7616 §3.4), quoted tokens and unquoted strings are both
    /// taken, since phones do not agree which is which.
    pub fn parse(value: &'a [u8]) -> Result<Option<Self>, CredentialsError> {
        let Some(rest) = strip_scheme(value) else {
            return Ok(None);
        };
        let mut found: [Option<&'a [u8]>; NAMES.len()] = [None; NAMES.len()];
        for param in Params::new(rest) {
            let param = param?;
            let known = NAMES
                .iter()
                .position(|name| name.as_bytes().eq_ignore_ascii_case(param.name));
            if let Some(index) = known
                && found[index].replace(param.value).is_some()
            {
                return Err(CredentialsError::Duplicate(NAMES[index]));
            }
        }
        let [
            username,
            realm,
            nonce,
            uri,
            response,
            algorithm,
            qop,
            nc,
            cnonce,
            opaque,
        ] = found;
        let needed = |value: Option<&'a [u8]>, name| value.ok_or(CredentialsError::Missing(name));
        let protection = match qop {
            Some(qop_token) => Some(ClientProtection::new(
                qop_token,
                needed(nc, "nc")?,
                needed(cnonce, "cnonce")?,
            )?),
            None => None,
        };
        Ok(Some(Self {
            username: unescaped(needed(username, "username")?),
            realm: unescaped(needed(realm, "realm")?),
            nonce: needed(nonce, "nonce")?,
            uri: needed(uri, "uri")?,
            response: needed(response, "response")?,
            algorithm: algorithm.map_or(Some(Algorithm::Md5), Algorithm::from_token),
            protection,
            opaque,
        }))
    }

    /// The credentials for `realm` among several header fields (RFC 3261 §22.3). The first that fits; faulty ones for
    /// whatever realm make the whole request faulty.
    pub fn for_realm(
        values: impl IntoIterator<Item = &'a [u8]>,
        realm: &[u8],
    ) -> Result<Option<Self>, CredentialsError> {
        let mut fitting = None;
        for value in values {
            if let Some(authorization) = Self::parse(value)?
                && fitting.is_none()
                && *authorization.realm == *realm
            {
                fitting = Some(authorization);
            }
        }
        Ok(fitting)
    }
}

impl<'a> ClientProtection<'a> {
    fn new(
        qop_token: &'a [u8],
        nc_digits: &'a [u8],
        cnonce: &'a [u8],
    ) -> Result<Self, CredentialsError> {
        let nc = hex::decode(nc_digits).map(u32::from_be_bytes);
        let nc = nc
            .filter(|nc| *nc > 0)
            .ok_or(CredentialsError::NonceCount)?;
        let qop = match qop_token {
            token if token.eq_ignore_ascii_case(b"auth") => Some(Qop::Auth),
            token if token.eq_ignore_ascii_case(b"auth-int") => Some(Qop::AuthInt),
            _ => None,
        };
        Ok(Self {
            qop,
            qop_token,
            nc,
            nc_digits,
            cnonce,
        })
    }
}
