//! The hash functions of RFC 7616 §3.3 and the values that are built from them (§3.4.1 to §3.4.3).

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

use super::hex;

/// A hash with its session variant (`algorithm`, RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Algorithm {
    /// `MD5`, which every SIP phone knows.
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256` (RFC 8760).
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
    /// `SHA-512-256`.
    Sha512_256,
    /// `SHA-512-256-sess`.
    Sha512_256Sess,
}

/// Quality of protection (RFC 7616 §3.3, `qop`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// `auth-int`: the body too; recognised to be refused.
    AuthInt,
}

impl Algorithm {
    /// All of them, the strongest first.
    pub const ALL: [Self; 6] = [
        Self::Sha512_256,
        Self::Sha512_256Sess,
        Self::Sha256,
        Self::Sha256Sess,
        Self::Md5,
        Self::Md5Sess,
    ];

    /// The token on the wire.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// The algorithm that a token names, in any case.
    pub fn from_token(token: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.token().as_bytes().eq_ignore_ascii_case(token))
    }

    /// The same hash without `-sess`: HA1 is stored under this name.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::Md5 | Self::Md5Sess => Self::Md5,
            Self::Sha256 | Self::Sha256Sess => Self::Sha256,
            Self::Sha512_256 | Self::Sha512_256Sess => Self::Sha512_256,
        }
    }

    /// Whether HA1 includes the nonces (§3.4.2).
    pub const fn is_session(self) -> bool {
        matches!(
            self,
            Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess
        )
    }

    /// Hexadecimal digits of a digest.
    pub const fn hex_length(self) -> usize {
        match self.base() {
            Self::Md5 => 32,
            _ => 64,
        }
    }

    /// `H` of RFC 7616 §3.3 over `parts` with a colon between each two.
    pub fn hash(self, parts: &[&[u8]]) -> HexDigest {
        match self.base() {
            Self::Md5 => hash::<Md5>(parts),
            Self::Sha512_256 => hash::<Sha512_256>(parts),
            _ => hash::<Sha256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> HexDigest {
    let mut digest = D::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    let octets = digest.finalize();
    let mut out = HexDigest {
        digits: [0; 64],
        length: (octets.len() * 2) as u8,
    };
    hex::encode(&octets, &mut out.digits);
    out
}

/// A digest as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexDigest {
    digits: [u8; 64],
    length: u8,
}

impl HexDigest {
    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[..usize::from(self.length)]
    }

    /// Compares with what a peer sent, of either case, in a time that depends on the length only.
    pub fn matches(&self, sent: &[u8]) -> bool {
        let mine = self.as_bytes();
        if mine.len() != sent.len() {
            return false;
        }
        let difference = mine.iter().zip(sent).fold(0, |sum, (mine, sent)| {
            sum | (mine ^ sent.to_ascii_lowercase())
        });
        core::hint::black_box(difference) == 0
    }
}

impl core::fmt::Debug for HexDigest {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(core::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// HA1, the hash of user, realm and password (RFC 7616 §3.4.2): a secret as good as the password in its realm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ha1 {
    digest: HexDigest,
    algorithm: Algorithm,
}

impl Ha1 {
    /// Computes it from the password.
    pub fn new(algorithm: Algorithm, username: &[u8], realm: &[u8], password: &[u8]) -> Self {
        let algorithm = algorithm.base();
        Self {
            digest: algorithm.hash(&[username, realm, password]),
            algorithm,
        }
    }

    /// Takes it as stored: 32 or 64 hexadecimal digits, by algorithm. `None` if it is anything else.
    pub fn from_hex(algorithm: Algorithm, digits: &[u8]) -> Option<Self> {
        let algorithm = algorithm.base();
        if digits.len() != algorithm.hex_length() || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut digest = HexDigest {
            digits: [0; 64],
            length: digits.len() as u8,
        };
        for (own, digit) in digest.digits.iter_mut().zip(digits) {
            *own = digit.to_ascii_lowercase();
        }
        Some(Self { digest, algorithm })
    }

    /// The hash it was made with, never a `-sess` one.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8] {
        self.digest.as_bytes()
    }
}

impl core::fmt::Debug for Ha1 {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Ha1({}, secret)", self.algorithm.token())
    }
}

/// What goes into `response` beside HA1 (RFC 7616 §3.4.1).
#[derive(Clone, Copy)]
pub(super) struct ResponseInput<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) method: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) nonce: &'a [u8],
    /// qop, nc and cnonce as on the wire; `None` for RFC 2069 style.
    pub(super) protection: Option<Protection<'a>>,
}

/// The three parameters that come with a qop.
#[derive(Clone, Copy)]
pub(super) struct Protection<'a> {
    pub(super) qop: &'a [u8],
    pub(super) nc: &'a [u8],
    pub(super) cnonce: &'a [u8],
}

/// The value of `response`. `algorithm` must have the same base as HA1.
///
/// HA1 of a `-sess` algorithm hashes the hexadecimal form of the inner hash, as RFC 7616 §3.4.2 defines H; the sample code
/// of RFC 2617 used the binary form and is in error there.
pub(super) fn response(ha1: &Ha1, input: &ResponseInput<'_>) -> HexDigest {
    let algorithm = input.algorithm;
    let ha2 = algorithm.hash(&[input.method, input.uri]);
    let mut ha1 = ha1.digest;
    if algorithm.is_session() {
        let cnonce = input
            .protection
            .map_or(&b""[..], |protection| protection.cnonce);
        ha1 = algorithm.hash(&[ha1.as_bytes(), input.nonce, cnonce]);
    }
    match input.protection {
        Some(Protection { qop, nc, cnonce }) => {
            algorithm.hash(&[ha1.as_bytes(), input.nonce, nc, cnonce, qop, ha2.as_bytes()])
        }
        None => algorithm.hash(&[ha1.as_bytes(), input.nonce, ha2.as_bytes()]),
    }
}
