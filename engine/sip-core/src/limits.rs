//! Bounds on what a peer may send, each with its reason.

/// Octets of a message. A UDP datagram carries no more, and every offset then fits a `u16`.
pub const MAX_MESSAGE: usize = 65_535;

/// Header field lines of a message. Real calls through several SBCs stay below 80; the index is a
/// fixed array, so that parsing never allocates.
pub const MAX_HEADERS: usize = 256;

/// Via header field lines. Max-Forwards starts at 70 (RFC 3261 §8.1.1.6), so a longer trail is a loop.
pub const MAX_VIA: usize = 70;

/// Octets of a URI. RFC 4475 §3.1.1.7 shows 600; identities and route tokens stay below 1,000.
pub const MAX_URI: usize = 4_096;

/// Largest `CSeq` number plus one: it must be less than 2³¹ (RFC 3261 §8.1.1.5).
pub const CSEQ_END: u32 = 1 << 31;

/// Hops a request may still take when its sender does not say (RFC 3261 §8.1.1.6).
pub const DEFAULT_MAX_FORWARDS: u8 = 70;

/// Seconds a malformed expiry stands for (RFC 3261 §20.10).
pub const MALFORMED_EXPIRES: u32 = 3_600;
