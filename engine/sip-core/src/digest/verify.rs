//! Judging credentials: RFC 7616 §3.4.6 with RFC 3261 §22.4.

use super::algorithm::{Algorithm, Ha1, Protection, Qop, ResponseInput, response};
use super::authorization::Authorization;
use super::nonce::{Nonce, NonceKey, NonceStatus};

/// What a registrar demands beyond a right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Take answers without qop, as phones give that know only RFC 2069, against RFC 3261 §22.4. Such an answer uses its
    /// nonce up: see [`Accepted::nc`].
    pub legacy_without_qop: bool,
    /// How the digest-uri must relate to the Request-URI.
    pub uri: UriRule,
}

impl Default for Policy {
    /// What all phones can meet and what is still safe.
    fn default() -> Self {
        Self {
            legacy_without_qop: true,
            uri: UriRule::Any,
        }
    }
}

/// RFC 7616 §3.4.6 wants the digest-uri to name the same resource as the request line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UriRule {
    /// Not compared. In SIP a proxy on the way rewrites the Request-URI and phones drop or add parameters; the digest
    /// still covers method, nonce and count. Right for REGISTER, whose Request-URI names only the domain.
    #[default]
    Any,
    /// Octet by octet the same, for networks without such proxies.
    Exact,
}

/// Credentials that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The nonce they used.
    pub nonce: Nonce,
    /// Its count, for [`super::ReplayWindow::record`]. The highest there is for an answer without qop, so that its nonce
    /// cannot be used again: such an answer would otherwise be good for replay as long as the nonce lives.
    pub nc: u32,
}

/// Why credentials do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They are for another realm, so none for us.
    WrongRealm,
    /// An algorithm that we do not know, or for which there is no HA1.
    WrongAlgorithm,
    /// No qop, or one that we did not offer.
    WrongQop,
    /// The nonce is not ours.
    ForgedNonce,
    /// The password is right, the nonce is too old: to be challenged with `stale=true`.
    StaleNonce,
    /// User or password are wrong.
    WrongResponse,
    /// Right credentials for another URI.
    WrongUri,
}

impl Refusal {
    /// The status to answer with (RFC 7616 §3.4.6 has 400 for the URI).
    pub const fn status(self) -> u16 {
        if matches!(self, Self::WrongUri) {
            400
        } else {
            401
        }
    }

    /// Whether the new challenge says `stale=true`, so that the phone tries again without asking its user.
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::StaleNonce)
    }
}

/// The server's side of one realm.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    /// Signs the nonces.
    pub nonces: &'a NonceKey,
    /// Ours.
    pub realm: &'a [u8],
    /// How long a nonce may be used.
    pub nonce_life_s: u32,
    /// What else is demanded.
    pub policy: Policy,
}

impl Verifier<'_> {
    /// Judges `authorization` of a request with `method` and `request_uri`.
    ///
    /// `ha1` is the user's, for [`Algorithm::base`] of the credentials' algorithm; `None` if there is no such user. An
    /// unknown user costs the same time and gives the same refusal as a wrong password. The nonce count is not looked at:
    /// the owner of the [`super::ReplayWindow`] records [`Accepted::nc`] and challenges with `stale=true` unless it is fresh.
    pub fn verify(
        &self,
        authorization: &Authorization<'_>,
        method: &[u8],
        request_uri: &[u8],
        ha1: Option<&Ha1>,
        unix_s: u32,
    ) -> Result<Accepted, Refusal> {
        if *authorization.realm != *self.realm {
            return Err(Refusal::WrongRealm);
        }
        let algorithm = authorization.algorithm.ok_or(Refusal::WrongAlgorithm)?;
        let protection = self.protection(authorization, algorithm)?;
        let status = self
            .nonces
            .check(authorization.nonce, self.realm, unix_s, self.nonce_life_s);
        if status == NonceStatus::Forged {
            return Err(Refusal::ForgedNonce);
        }
        let nobody = Ha1::new(algorithm, b"", b"", b"");
        let ha1_used = ha1.unwrap_or(&nobody);
        if ha1_used.algorithm() != algorithm.base() {
            return Err(Refusal::WrongAlgorithm);
        }
        let input = ResponseInput {
            algorithm,
            method,
            uri: authorization.uri,
            nonce: authorization.nonce,
            protection,
        };
        let right = response(ha1_used, &input).matches(authorization.response);
        if !right || ha1.is_none() {
            return Err(Refusal::WrongResponse);
        }
        // Only after the response: `stale=true` tells that the password was right (RFC 7616 §3.3).
        let NonceStatus::Good(nonce) = status else {
            return Err(Refusal::StaleNonce);
        };
        if self.policy.uri == UriRule::Exact && authorization.uri != request_uri {
            return Err(Refusal::WrongUri);
        }
        let nc = authorization
            .protection
            .map_or(u32::MAX, |protection| protection.nc);
        Ok(Accepted { nonce, nc })
    }

    fn protection<'a>(
        &self,
        authorization: &Authorization<'a>,
        algorithm: Algorithm,
    ) -> Result<Option<Protection<'a>>, Refusal> {
        match authorization.protection {
            Some(sent) if sent.qop == Some(Qop::Auth) => Ok(Some(Protection {
                qop: sent.qop_token,
                nc: sent.nc_digits,
                cnonce: sent.cnonce,
            })),
            // A session key needs the cnonce, which comes with a qop only.
            None if self.policy.legacy_without_qop && !algorithm.is_session() => Ok(None),
            _ => Err(Refusal::WrongQop),
        }
    }
}
