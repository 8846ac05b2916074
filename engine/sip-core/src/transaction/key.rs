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
struct Hash(SipHasher13);

impl Hash {
    fn new(key: &HashKey, domain: Domain) -> Self {
        let mut hash = SipHasher13::new_with_key(&key.0);
        hash.write_u8(domain as u8);
        Self(hash)
    }

    fn part(&mut self, octets: &[u8]) {
        self.number(octets.len() as u32);
        self.0.write(octets);
    }

    fn number(&mut self, number: u32) {
        self.0.write(&number.to_le_bytes());
    }

    /// Host and port. Hosts compare without regard to case (RFC 3261 §19.1.4) and white space may stand around the colon;
    /// no port is not the same as 5060 written out.
    fn sent_by(&mut self, request: &RequestIdentity<'_>) {
        let mut normal = [0; 64];
        let mut length = 0;
        for octet in request
            .sent_by_host
            .iter()
            .filter(|octet| !octet.is_ascii_whitespace())
        {
            if length == normal.len() {
                self.0.write(&normal);
                length = 0;
            }
            normal[length] = octet.to_ascii_lowercase();
            length += 1;
        }
        self.0.write(&normal[..length]);
        // No host contains this octet, so the next part cannot run into it.
        self.0.write_u8(0);
        self.number(request.sent_by_port.map_or(u32::MAX, u32::from));
    }

    fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: RequestIdentity<'_> = RequestIdentity {
        method: b"INVITE",
        branch: b"z9hG4bK776asdhds",
        sent_by_host: b"core.example.net",
        sent_by_port: Some(5060),
        via: b"SIP/2.0/UDP core.example.net:5060;branch=z9hG4bK776asdhds",
        request_uri: b"sip:+493023125000@proxy.example.net",
        to_tag: b"",
        from_tag: b"1928301774",
        call_id: b"a84b4c76e66710",
        cseq: 314_159,
    };

    const OLD: RequestIdentity<'_> = RequestIdentity {
        branch: b"",
        via: b"SIP/2.0/UDP core.example.net:5060",
        ..INVITE
    };

    fn key() -> HashKey {
        HashKey::new([7; 16])
    }

    #[test]
    fn server_key_follows_section_17_2_3() {
        let invite = key().request_key(&INVITE);
        let same: &[(&str, RequestIdentity<'_>)] = &[
            ("its repetition", INVITE),
            (
                "its ACK",
                RequestIdentity {
                    method: b"ACK",
                    to_tag: b"ours",
                    ..INVITE
                },
            ),
            (
                "host in capitals",
                RequestIdentity {
                    sent_by_host: b"CORE.example.NET ",
                    ..INVITE
                },
            ),
            (
                "other fields do not count",
                RequestIdentity {
                    call_id: b"x",
                    cseq: 1,
                    ..INVITE
                },
            ),
        ];
        for (what, request) in same {
            assert_eq!(invite, key().request_key(request), "{what}");
        }
        let different: &[(&str, RequestIdentity<'_>)] = &[
            (
                "CANCEL",
                RequestIdentity {
                    method: b"CANCEL",
                    ..INVITE
                },
            ),
            (
                "branch",
                RequestIdentity {
                    branch: b"z9hG4bK776asdhdt",
                    ..INVITE
                },
            ),
            (
                "case of branch",
                RequestIdentity {
                    branch: b"z9hG4bK776ASDHDS",
                    ..INVITE
                },
            ),
            (
                "host",
                RequestIdentity {
                    sent_by_host: b"core2.example.net",
                    ..INVITE
                },
            ),
            (
                "port",
                RequestIdentity {
                    sent_by_port: Some(5061),
                    ..INVITE
                },
            ),
            (
                "no port",
                RequestIdentity {
                    sent_by_port: None,
                    ..INVITE
                },
            ),
            ("RFC 2543", OLD),
        ];
        for (what, request) in different {
            assert_ne!(invite, key().request_key(request), "{what}");
        }
        assert_ne!(
            invite,
            HashKey::new([8; 16]).request_key(&INVITE),
            "another secret"
        );
    }

    #[test]
    fn rfc_2543_key_follows_section_17_2_3() {
        let invite = key().request_key(&OLD);
        assert_eq!(
            invite,
            key().request_key(&RequestIdentity {
                method: b"ACK",
                to_tag: b"ours",
                ..OLD
            }),
            "ACK"
        );
        assert_eq!(
            invite,
            key().request_key(&RequestIdentity {
                branch: b"1",
                ..OLD
            }),
            "a branch without cookie"
        );
        assert_eq!(
            invite,
            key().request_key(&RequestIdentity {
                branch: b"z9hG4bK",
                ..OLD
            }),
            "only the cookie"
        );
        let different: &[(&str, RequestIdentity<'_>)] = &[
            (
                "Request-URI",
                RequestIdentity {
                    request_uri: b"sip:x@y",
                    ..OLD
                },
            ),
            (
                "From tag",
                RequestIdentity {
                    from_tag: b"2",
                    ..OLD
                },
            ),
            (
                "Call-ID",
                RequestIdentity {
                    call_id: b"2",
                    ..OLD
                },
            ),
            ("CSeq", RequestIdentity { cseq: 2, ..OLD }),
            (
                "Via",
                RequestIdentity {
                    via: b"SIP/2.0/UDP core.example.net",
                    ..OLD
                },
            ),
            (
                "method",
                RequestIdentity {
                    method: b"BYE",
                    ..OLD
                },
            ),
        ];
        for (what, request) in different {
            assert_ne!(invite, key().request_key(request), "{what}");
        }
        let bye = RequestIdentity {
            method: b"BYE",
            ..OLD
        };
        assert_ne!(
            key().request_key(&bye),
            key().request_key(&RequestIdentity {
                to_tag: b"t",
                ..bye
            }),
            "the To tag counts outside INVITE and ACK"
        );
    }

    #[test]
    fn cancel_finds_its_invite() {
        for invite in [INVITE, OLD] {
            let cancel = RequestIdentity {
                method: b"CANCEL",
                ..invite
            };
            assert_eq!(key().request_key(&invite), key().cancelled_key(&cancel));
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let one = RequestIdentity {
            from_tag: b"ab",
            call_id: b"c",
            ..OLD
        };
        let other = RequestIdentity {
            from_tag: b"a",
            call_id: b"bc",
            ..OLD
        };
        assert_ne!(key().request_key(&one), key().request_key(&other));
        assert_ne!(key().client_key(b"ab", b"c"), key().client_key(b"a", b"bc"));
    }

    #[test]
    fn client_key_is_branch_and_method() {
        assert_eq!(
            key().client_key(b"z9hG4bK1", b"INVITE"),
            key().client_key(b"z9hG4bK1", b"INVITE")
        );
        assert_ne!(
            key().client_key(b"z9hG4bK1", b"INVITE"),
            key().client_key(b"z9hG4bK1", b"CANCEL")
        );
        assert_ne!(
            key().client_key(b"z9hG4bK1", b"INVITE"),
            key().client_key(b"z9hG4bK2", b"INVITE")
        );
    }

    #[test]
    fn stateless_tag_is_one_for_invite_ack_and_cancel() {
        let tag = stateless_tag(&key(), &INVITE);
        assert!(tag.iter().all(u8::is_ascii_hexdigit));
        for method in [&b"ACK"[..], b"CANCEL"] {
            assert_eq!(
                tag,
                stateless_tag(
                    &key(),
                    &RequestIdentity {
                        method,
                        to_tag: &tag,
                        ..INVITE
                    }
                )
            );
        }
        let different: &[(&str, RequestIdentity<'_>)] = &[
            (
                "branch",
                RequestIdentity {
                    branch: b"z9hG4bKx",
                    ..INVITE
                },
            ),
            (
                "sent-by",
                RequestIdentity {
                    sent_by_host: b"x",
                    ..INVITE
                },
            ),
            (
                "Call-ID",
                RequestIdentity {
                    call_id: b"x",
                    ..INVITE
                },
            ),
            (
                "From tag",
                RequestIdentity {
                    from_tag: b"x",
                    ..INVITE
                },
            ),
            ("CSeq", RequestIdentity { cseq: 2, ..INVITE }),
        ];
        for (what, request) in different {
            assert_ne!(tag, stateless_tag(&key(), request), "{what}");
        }
    }

    #[test]
    fn derived_keys_differ_by_purpose() {
        let tag = |key: HashKey| stateless_tag(&key, &INVITE);
        assert_eq!(
            tag(HashKey::derive(b"secret", "tag")),
            tag(HashKey::derive(b"secret", "tag"))
        );
        assert_ne!(
            tag(HashKey::derive(b"secret", "tag")),
            tag(HashKey::derive(b"secret", "branch"))
        );
        assert_ne!(
            tag(HashKey::derive(b"secret", "tag")),
            tag(HashKey::derive(b"secre", "ttag"))
        );
    }

    #[test]
    fn identity_is_read_from_a_message() {
        let bytes = b"INVITE sip:+493023125000@proxy.example.net SIP/2.0\r\n\
            Via: SIP/2.0/UDP core.example.net:5060;branch=z9hG4bK776asdhds, SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
            From: <sip:a@b>;tag=1928301774\r\nTo: <sip:c@d>\r\nCall-ID: a84b4c76e66710\r\n\
            CSeq: 314159 INVITE\r\nContent-Length: 0\r\n\r\n";
        let mut index = crate::message::HeaderIndex::new();
        let message = Message::parse(bytes, &mut index).expect("a good message");
        let identity = RequestIdentity::of(&message).expect("a good Via");
        // sent-by is taken whole there.
        let expected = RequestIdentity {
            sent_by_host: b"core.example.net:5060",
            ..INVITE
        };
        assert_eq!(expected, identity);
    }

    #[test]
    fn workers_share_the_keys() {
        let mut seen = [0_u32; 4];
        for cseq in 0..1_000 {
            seen[usize::from(
                key()
                    .request_key(&RequestIdentity { cseq, ..OLD })
                    .worker(4),
            )] += 1;
        }
        assert!(
            seen.iter().all(|count| *count > 150),
            "one peer loads all workers: {seen:?}"
        );
        assert_eq!(
            0,
            key().request_key(&INVITE).worker(0),
            "no worker count is no reason to divide by zero"
        );
    }
}
