//! Which transaction a message belongs to: RFC 3261 §17.1.3 and §17.2.3, and the tag of stateless answers.
//!
//! A key is a keyed hash, so that it has one small size, needs no allocation, and nobody outside can aim messages at one
//! bucket or worker. 128 bits make a collision of two living transactions negligible.

use core::hash::Hasher as _;

use sha2::{Digest as _, Sha256};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::error::PeerError;
use crate::message::Message;

/// The magic cookie with which a branch made after RFC 3261 begins (§8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// A secret for keyed hashes: `SipHash-1-3` with 128 bits of output.
///
/// Derived from the secret that all nodes share, tags of stateless answers agree on every node.
#[derive(Clone)]
pub struct HashKey([u8; 16]);

/// What identifies a received request, as slices of it, without surrounding white space.
///
/// The fields after `sent_by_port` are read only for RFC 2543 peers and for [`stateless_tag`]; the caller may leave them
/// empty for [`HashKey::request_key`] when [`is_rfc3261_branch`] holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestIdentity<'a> {
    /// The method of the request line.
    pub method: &'a [u8],
    /// The branch parameter of the top Via; empty when there is none.
    pub branch: &'a [u8],
    /// The host of the top Via's sent-by, or all of it; white space and case do not count.
    pub sent_by_host: &'a [u8],
    /// The port of the top Via's sent-by, as written.
    pub sent_by_port: Option<u16>,
    /// The whole value of the top Via.
    pub via: &'a [u8],
    /// The Request-URI.
    pub request_uri: &'a [u8],
    /// The tag of To; empty when there is none.
    pub to_tag: &'a [u8],
    /// The tag of From; empty when there is none.
    pub from_tag: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The number of `CSeq`.
    pub cseq: u32,
}

/// The server transaction that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey(pub u128);

/// The client transaction that a response belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub u128);

impl<'a> RequestIdentity<'a> {
    /// The identity of a parsed request. Fails as reading its top Via fails, which `parse` of a good message excludes.
    pub fn of(request: &Message<'a>) -> Result<Self, PeerError> {
        let via = request.top_via()?;
        Ok(Self {
            method: request.method().as_bytes(),
            branch: via.branch.unwrap_or_default(),
            sent_by_host: via.sent_by.raw,
            sent_by_port: via.sent_by.port,
            via: via.raw,
            request_uri: request.request_uri(),
            to_tag: request.to_tag().unwrap_or_default(),
            from_tag: request.from_tag().unwrap_or_default(),
            call_id: request.call_id(),
            cseq: request.cseq().number,
        })
    }
}

/// Whether this branch was made after RFC 3261: the magic cookie and something behind it.
///
/// The cookie is compared without regard to case, as tokens are (§7.3.1); the rest of a branch octet by octet: elements
/// copy it, and generators that use both cases would lose half of their randomness.
pub fn is_rfc3261_branch(branch: &[u8]) -> bool {
    branch.len() > MAGIC_COOKIE.len()
        && branch[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE)
}

impl HashKey {
    /// A key of 16 random octets.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// A key for one purpose out of a shared secret; another purpose gives an independent key.
    pub fn derive(secret: &[u8], purpose: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [purpose.as_bytes(), secret] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut octets = [0; 16];
        octets
            .iter_mut()
            .zip(hash.finalize())
            .for_each(|(octet, derived)| *octet = derived);
        Self(octets)
    }

    /// The key of the server transaction of `request`; an ACK gets that of its INVITE (RFC 3261 §17.2.3).
    ///
    /// For a request of an RFC 2543 peer the To tag counts only outside INVITE and ACK: the ACK carries the tag that we
    /// chose, which its INVITE could not. Whoever finds an ACK this way compares its To tag with the one it sent.
    pub fn request_key(&self, request: &RequestIdentity<'_>) -> TransactionKey {
        let method = if request.method == b"ACK" {
            b"INVITE"
        } else {
            request.method
        };
        self.server_key(request, method)
    }

    /// The key of the INVITE server transaction that this CANCEL wants to end (RFC 3261 §9.2).
    pub fn cancelled_key(&self, cancel: &RequestIdentity<'_>) -> TransactionKey {
        self.server_key(cancel, b"INVITE")
    }

    /// The key of the client transaction that sent a request with `branch` and `method`, and of its responses by their top
    /// Via's branch and the method of `CSeq` (RFC 3261 §17.1.3).
    pub fn client_key(&self, branch: &[u8], method: &[u8]) -> ClientKey {
        let mut hash = Hash::new(self, Domain::Client);
        hash.part(branch);
        hash.part(method);
        ClientKey(hash.finish())
    }

    fn server_key(&self, request: &RequestIdentity<'_>, method: &[u8]) -> TransactionKey {
        let mut hash;
        if is_rfc3261_branch(request.branch) {
            hash = Hash::new(self, Domain::Server);
            hash.part(request.branch);
            hash.sent_by(request);
        } else {
            hash = Hash::new(self, Domain::Rfc2543Server);
            hash.part(request.request_uri);
            hash.part(if method == b"INVITE" {
                b""
            } else {
                request.to_tag
            });
            hash.part(request.from_tag);
            hash.part(request.call_id);
            hash.number(request.cseq);
            hash.part(request.via);
        }
        hash.part(method);
        TransactionKey(hash.finish())
    }

    /// 64 bits that only the holder of this key can make of `octets`: a signature for what comes back to us.
    pub fn mac64(&self, octets: &[u8]) -> u64 {
        let mut hash = Hash::new(self, Domain::Mac);
        hash.part(octets);
        hash.finish() as u64
    }

    /// 128 bits that depend on `parts` and this key, for uses outside this module.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> u128 {
        let mut hash = Hash::new(self, Domain::Branch);
        for part in parts {
            hash.part(part);
        }
        hash.finish()
    }
}

/// The To tag of a stateless answer: 16 hex digits (RFC 3261 §8.2.7, §16.11).
///
/// The same for the INVITE, its repetitions, its ACK and its CANCEL, hence not over the method; not over the To tag or
/// Request-URI, which an answer does not change but a peer may spell anew. RFC 2543 peers, who send no usable branch, are
/// told apart by Call-ID, From tag and `CSeq`.
pub fn stateless_tag(key: &HashKey, request: &RequestIdentity<'_>) -> [u8; 16] {
    let mut hash = Hash::new(key, Domain::Tag);
    hash.part(if is_rfc3261_branch(request.branch) {
        request.branch
    } else {
        b""
    });
    hash.sent_by(request);
    hash.part(request.call_id);
    hash.part(request.from_tag);
    hash.number(request.cseq);
    let mut tag = [0; 16];
    crate::digest::hex::encode(&(hash.finish() as u64).to_be_bytes(), &mut tag);
    tag
}

impl TransactionKey {
    /// The worker, of `workers`, that owns this transaction. Not for branches of our own, which name their worker.
    pub fn worker(self, workers: u8) -> u8 {
        // The upper half: hash maps commonly use the lower bits.
        (((self.0 >> 64) as u64) % u64::from(workers.max(1))) as u8
    }
}

impl core::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("HashKey(secret)")
    }
}

/// Keeps the uses of one secret apart.
#[derive(Clone, Copy)]
enum Domain {
    Server = 1,
    Rfc2543Server,
    Client,
    Tag,
    Branch,
    Mac,
}

/// Hashes parts so that no two lists of parts run together: each is preceded by its length.
///
/// Parts are gathered first: the hash is several times faster over one run of octets than over many short ones.
struct Hash {
    hasher: SipHasher13,
    gathered: [u8; GATHER],
    used: usize,
}

/// More than the parts of a usual request.
const GATHER: usize = 192;

impl Hash {
    fn new(key: &HashKey, domain: Domain) -> Self {
        let mut hash = Self {
            hasher: SipHasher13::new_with_key(&key.0),
            gathered: [0; GATHER],
            used: 1,
        };
        hash.gathered[0] = domain as u8;
        hash
    }

    /// Room for `length` octets that the caller fills in; `None` if there is never that much.
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        if self.used + length > GATHER {
            self.hasher.write(&self.gathered[..self.used]);
            self.used = 0;
        }
        let start = self.used;
        let room = self.gathered.get_mut(start..start + length)?;
        self.used = start + length;
        Some(room)
    }

    fn part(&mut self, octets: &[u8]) {
        self.number(octets.len() as u32);
        for chunk in octets.chunks(GATHER) {
            if let Some(room) = self.room(chunk.len()) {
                room.copy_from_slice(chunk);
            }
        }
    }

    fn number(&mut self, number: u32) {
        if let Some(room) = self.room(4) {
            room.copy_from_slice(&number.to_le_bytes());
        }
    }

    /// Host and port. Hosts compare without regard to case (RFC 3261 §19.1.4) and white space may stand around the colon;
    /// no port is not the same as 5060 written out.
    fn sent_by(&mut self, request: &RequestIdentity<'_>) {
        for word in request.sent_by_host.split(u8::is_ascii_whitespace) {
            for chunk in word.chunks(GATHER) {
                if let Some(room) = self.room(chunk.len()) {
                    room.copy_from_slice(chunk);
                    room.make_ascii_lowercase();
                }
            }
        }
        // No host contains this octet, so the next part cannot run into it.
        if let Some(room) = self.room(1) {
            room[0] = 0;
        }
        self.number(request.sent_by_port.map_or(u32::MAX, u32::from));
    }

    fn finish(mut self) -> u128 {
        self.hasher.write(&self.gathered[..self.used]);
        self.hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests;
