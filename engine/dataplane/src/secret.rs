//! The keys that are derived from the one configured secret, one per purpose.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use sip_core::transaction::key::HashKey;

pub(crate) struct Secrets {
    /// Transaction keys, and the To tags of our own answers that come of them: the same on all nodes.
    pub(crate) transaction: HashKey,
    /// Branches of our own requests.
    pub(crate) branch: HashKey,
    /// Record-Route tokens: the same on all nodes.
    pub(crate) route: HashKey,
    /// Path tokens: the same on all nodes.
    pub(crate) path: HashKey,
    /// Digest nonces: the same on all nodes.
    pub(crate) nonce: [u8; 32],
}

impl Secrets {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self {
            transaction: HashKey::derive(secret, "transaction"),
            branch: HashKey::derive(secret, "branch"),
            route: HashKey::derive(secret, "record-route"),
            path: HashKey::derive(secret, "path"),
            nonce: *secret,
        }
    }
}

/// A number from the operating system's randomness, for starts of counters and salts.
pub fn random_u64() -> u64 {
    // RandomState draws its keys from the operating system; hashing nothing with them gives 64 of those bits, mixed.
    RandomState::new().build_hasher().finish()
}
