//! Nonces that carry their own proof: any node with the shared secret can judge them, none has to remember them.
//!
//! 56 hexadecimal digits: time of issue (8, Unix seconds), salt (16), authentication code (32). The code is HMAC-SHA-256
//! (RFC 2104) over time, salt and realm, cut to 128 bits, so a nonce cannot be made up, made younger, or carried to another
//! realm. RFC 7616 §5.4 to §5.6 discuss the choice.

use sha2::{Digest as _, Sha256};

use super::hex;

/// Octets of a nonce on the wire.
pub const NONCE_LENGTH: usize = 56;

/// How far the clocks of two nodes may differ; a nonce from further in the future is stale.
pub const MAX_CLOCK_SKEW_S: u32 = 60;

const BLOCK: usize = 64;
const CODE: usize = 16;

/// The secret that signs nonces; the same on all nodes.
#[derive(Clone)]
pub struct NonceKey {
    /// The two halves of HMAC with the key already in them.
    inner: Sha256,
    outer: Sha256,
}

/// What makes a nonce unique, read back from it: [`super::ReplayWindow`] is keyed by this. Ordered by time of issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce {
    /// When it was issued, seconds of the Unix epoch, unsigned: good until 2106.
    pub issued_s: u32,
    /// The random part.
    pub salt: u64,
}

/// What a nonce that a client sent is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceStatus {
    /// Ours and young enough.
    Good(Nonce),
    /// Ours, but too old or from the future.
    Stale(Nonce),
    /// Not ours, or for another realm.
    Forged,
}

impl NonceKey {
    /// Any secret that all nodes share, of at least 16 octets.
    pub fn new(secret: &[u8]) -> Self {
        let key = Sha256::new()
            .chain_update(b"digest nonce")
            .chain_update(secret)
            .finalize();
        let (mut inner_pad, mut outer_pad) = ([0x36; BLOCK], [0x5c; BLOCK]);
        for (at, octet) in key.iter().enumerate() {
            inner_pad[at] ^= octet;
            outer_pad[at] ^= octet;
        }
        Self {
            inner: Sha256::new().chain_update(inner_pad),
            outer: Sha256::new().chain_update(outer_pad),
        }
    }

    /// A nonce for `realm`. `unix_s` is the wall clock, which all nodes share; `salt` is random.
    pub fn issue(&self, realm: &[u8], unix_s: u32, salt: u64) -> [u8; NONCE_LENGTH] {
        let nonce = Nonce {
            issued_s: unix_s,
            salt,
        };
        let mut text = [0; NONCE_LENGTH];
        let (time, rest) = text.split_at_mut(8);
        let (salt_digits, code) = rest.split_at_mut(16);
        hex::encode(&unix_s.to_be_bytes(), time);
        hex::encode(&salt.to_be_bytes(), salt_digits);
        hex::encode(&self.code(nonce, realm), code);
        text
    }

    /// Judges a nonce; `life_s` is how long one may be used after its issue.
    pub fn check(&self, nonce: &[u8], realm: &[u8], unix_s: u32, life_s: u32) -> NonceStatus {
        let Some((nonce, code)) = parse(nonce) else {
            return NonceStatus::Forged;
        };
        let expected = self.code(nonce, realm);
        let difference = expected
            .iter()
            .zip(code)
            .fold(0, |sum, (one, other)| sum | (one ^ other));
        if core::hint::black_box(difference) != 0 {
            return NonceStatus::Forged;
        }
        let too_old = unix_s.saturating_sub(nonce.issued_s) > life_s;
        let too_young = nonce.issued_s.saturating_sub(unix_s) > MAX_CLOCK_SKEW_S;
        if too_old || too_young {
            NonceStatus::Stale(nonce)
        } else {
            NonceStatus::Good(nonce)
        }
    }

    fn code(&self, nonce: Nonce, realm: &[u8]) -> [u8; CODE] {
        let inner = self
            .inner
            .clone()
            .chain_update(nonce.issued_s.to_be_bytes())
            .chain_update(nonce.salt.to_be_bytes())
            .chain_update(realm)
            .finalize();
        let outer = self.outer.clone().chain_update(inner).finalize();
        let mut code = [0; CODE];
        code.copy_from_slice(&outer[..CODE]);
        code
    }
}

impl core::fmt::Debug for NonceKey {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("NonceKey(secret)")
    }
}

fn parse(text: &[u8]) -> Option<(Nonce, [u8; CODE])> {
    let octets: [u8; NONCE_LENGTH / 2] = hex::decode(text)?;
    let (time, rest) = octets.split_first_chunk()?;
    let (salt, code) = rest.split_first_chunk()?;
    let nonce = Nonce {
        issued_s: u32::from_be_bytes(*time),
        salt: u64::from_be_bytes(*salt),
    };
    Some((nonce, code.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_800_000_000;

    fn key() -> NonceKey {
        NonceKey::new(b"the secret of all nodes, 32 byte")
    }

    #[test]
    fn life_of_a_nonce() {
        let nonce = key().issue(b"example.net", NOW, 7);
        let parts = Nonce {
            issued_s: NOW,
            salt: 7,
        };
        for (now, expected) in [
            (NOW, NonceStatus::Good(parts)),
            (NOW + 300, NonceStatus::Good(parts)),
            (NOW + 301, NonceStatus::Stale(parts)),
            (NOW - MAX_CLOCK_SKEW_S, NonceStatus::Good(parts)),
            (NOW - MAX_CLOCK_SKEW_S - 1, NonceStatus::Stale(parts)),
            (0, NonceStatus::Stale(parts)),
            (u32::MAX, NonceStatus::Stale(parts)),
        ] {
            assert_eq!(
                expected,
                key().check(&nonce, b"example.net", now, 300),
                "at {now}"
            );
        }
    }

    #[test]
    fn every_node_agrees_and_nobody_else() {
        let nonce = key().issue(b"example.net", NOW, 7);
        let forged = |key: NonceKey, nonce: &[u8], realm: &[u8]| {
            assert_eq!(NonceStatus::Forged, key.check(nonce, realm, NOW, 300));
        };
        forged(NonceKey::new(b"another secret"), &nonce, b"example.net");
        forged(key(), &nonce, b"example.org");
        forged(key(), b"", b"example.net");
        forged(key(), &nonce[..55], b"example.net");
        forged(key(), &[&nonce[..], b"0"].concat(), b"example.net");
        for at in 0..NONCE_LENGTH {
            let mut changed = nonce;
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            forged(key(), &changed, b"example.net");
            changed[at] = b'z';
            forged(key(), &changed, b"example.net");
        }
    }

    #[test]
    fn the_code_is_hmac_sha_256() {
        // Written out after RFC 2104, independently of the prepared halves.
        let key_octets = Sha256::digest([&b"digest nonce"[..], b"k"].concat());
        let pad = |octet: u8| -> [u8; BLOCK] {
            core::array::from_fn(|at| octet ^ key_octets.get(at).copied().unwrap_or_default())
        };
        let message = [&NOW.to_be_bytes()[..], &7_u64.to_be_bytes(), b"r"].concat();
        let inner = Sha256::digest([&pad(0x36)[..], &message].concat());
        let outer = Sha256::digest([&pad(0x5c)[..], &inner].concat());
        let mut expected = [0; 32];
        hex::encode(&outer[..16], &mut expected);
        assert_eq!(expected, NonceKey::new(b"k").issue(b"r", NOW, 7)[24..]);
    }
}
