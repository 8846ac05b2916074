//! Digest authentication: RFC 7616 with the SIP side of RFC 3261 §22.4 and RFC 8760.
//!
//! A server makes a nonce ([`NonceKey`]), writes one [`Challenge`] per [`Algorithm`], parses the [`Authorization`] that comes back and
//! has it judged by [`Verifier`] against HA1, the hash of user, realm and password: the password itself is never needed.
//! [`ReplayWindow`] remembers nonce counts. The client side ([`respond`]) is here for tests and probes.
//!
//! Decisions where the RFCs leave room or SIP deviates:
//! - We always offer `qop="auth"` (RFC 3261 §22.4). An answer without qop, RFC 2069 style, carries no nonce count; phones
//!   that give no other exist, so it is taken unless [`Policy::legacy_without_qop`] forbids, and its nonce is good once.
//! - `auth-int` is neither offered nor taken: on-path elements change SDP.
//! - The digest-uri is hashed as it was sent. That it names the Request-URI (RFC 7616 §3.4.6) cannot be demanded behind
//!   proxies that rewrite the Request-URI, nor of phones that leave out its parameters; see [`UriRule`].
//! - Parameters are hashed as they stand between the quotes, RFC 7616 §3.3's `unq`, without undoing `\` escapes.
//!   Only user name and realm are unescaped, because they are looked up.
//! - `userhash`, `username*` and `charset` (RFC 7616 §3.4.4, §4) are not offered: SIP user names are ASCII here.

mod algorithm;
mod authorization;
mod challenge;
mod client;
pub(crate) mod hex;
mod nonce;
mod params;
mod replay;
mod verify;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, Ha1, HexDigest, Qop};
pub use authorization::{Authorization, CredentialsError};
pub use challenge::{Challenge, ServerChallenge};
pub use client::{Credentials, respond};
pub use nonce::{MAX_CLOCK_SKEW_S, NONCE_LENGTH, Nonce, NonceKey, NonceStatus};
pub use replay::{NonceCount, ReplayWindow};
pub use verify::{Accepted, Policy, Refusal, UriRule, Verifier};
