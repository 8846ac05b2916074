//! Digest authentication of a REGISTER (RFC 3261 §22, RFC 7616, RFC 8760).
//!
//! | credentials | answer | counted as |
//! |---|---|---|
//! | none for our realm | 401 | challenged |
//! | right, nonce too old or count used before | 401 with `stale=true` | stale |
//! | wrong | 401 | refused |
//! | broken | 400 | refused |
//! | for an address-of-record that nobody has | as wrong ones for a forged nonce, else 404 | refused |
//!
//! A user name that is none of the line's is answered like a wrong password and costs the same: it shows neither that the
//! user exists elsewhere nor that he may not register here.

use route_core::{Credential, DigestAlgorithm, Line};
use sip_core::build::ResponseWriter;
use sip_core::digest::{
    Accepted, Algorithm, Authorization, Challenge, Ha1, NONCE_LENGTH, NonceCount, Policy, Refusal,
    UriRule, Verifier,
};
use sip_core::header::HeaderName;

use super::{Judged, Refused};
use crate::counters::Counter;
use crate::worker::{Core, Incoming, View};

impl Core {
    /// `Err` when the request has been answered.
    pub(super) fn authenticate(
        &mut self,
        request: &Incoming<'_>,
        line: Option<&Line>,
        view: &View,
    ) -> Result<Judged, ()> {
        let settings = &view.policy.settings.registrar;
        let realm = settings.realm.as_bytes();
        let credentials =
            Authorization::for_realm(request.message.headers(HeaderName::Authorization), realm);
        let authorization = match credentials {
            Ok(Some(authorization)) => authorization,
            Ok(None) => {
                self.challenge(request, line, false, view);
                self.counters.registrations_challenged.increment();
                return Err(());
            }
            Err(_) => {
                self.refuse(
                    request,
                    view,
                    Judged::Again,
                    Refused::new(400, "Malformed Credentials"),
                );
                return Err(());
            }
        };
        let unix_s = self.unix_s();
        let ha1 = line.and_then(|line| ha1_of(line, &authorization));
        let verifier = Verifier {
            nonces: &self.registrar.nonces,
            realm,
            nonce_life_s: settings.nonce_life_s,
            // What names the Request-URI of a REGISTER is only our domain, which proxies on the way rewrite.
            policy: Policy {
                uri: UriRule::Any,
                ..Policy::default()
            },
        };
        let method = request.message.method().as_bytes();
        let verdict = verifier.verify(
            &authorization,
            method,
            request.message.request_uri(),
            ha1.as_ref(),
            unix_s,
        );
        let (stale, counter): (bool, fn(&Core) -> &Counter) = match verdict {
            Ok(Accepted { nonce, nc }) => {
                // What is older is stale anyway.
                self.registrar
                    .replays
                    .expire_before(unix_s.saturating_sub(settings.nonce_life_s));
                if self.registrar.replays.record(nonce, nc) == NonceCount::Fresh {
                    return Ok(Judged::Once);
                }
                (true, |core| &core.counters.registrations_stale)
            }
            Err(Refusal::StaleNonce) => (true, |core| &core.counters.registrations_stale),
            // The challenge was answered, so the truth may be told.
            Err(Refusal::WrongResponse) if line.is_none() => return Ok(Judged::Again),
            Err(_) => (false, |core| &core.counters.registrations_refused),
        };
        self.challenge(request, line, stale, view);
        counter(self).increment();
        Err(())
    }

    /// 401 with a fresh nonce for each algorithm, the strongest first (RFC 8760 §2.3).
    fn challenge(&mut self, request: &Incoming<'_>, line: Option<&Line>, stale: bool, view: &View) {
        let realm = view.policy.settings.registrar.realm.as_bytes();
        let nonce: [u8; NONCE_LENGTH] =
            self.registrar
                .nonces
                .issue(realm, self.unix_s(), self.registrar.salt);
        self.registrar.salt = self.registrar.salt.wrapping_add(1);
        let offers = |algorithm: Algorithm| {
            line.is_none_or(|line| {
                line.credentials
                    .iter()
                    .any(|own| algorithm_of(own) == algorithm)
            })
        };
        self.answer_stateless(
            request,
            view,
            401,
            "Unauthorized",
            |mut response: ResponseWriter<'_>| {
                for algorithm in Challenge::STRONGEST_FIRST
                    .into_iter()
                    .filter(|algorithm| offers(*algorithm))
                {
                    let challenge = Challenge {
                        realm,
                        nonce: &nonce,
                        algorithm,
                        stale,
                    };
                    response = response.header_with("WWW-Authenticate", |out| challenge.write(out));
                }
                response
            },
        );
    }
}

/// HA1 of the credentials' user name and algorithm, if the line has it.
fn ha1_of(line: &Line, authorization: &Authorization<'_>) -> Option<Ha1> {
    let algorithm = authorization.algorithm?.base();
    line.credentials
        .iter()
        .find(|own| {
            algorithm_of(own) == algorithm && own.username.as_bytes() == &*authorization.username
        })
        .and_then(|own| Ha1::from_hex(algorithm, own.ha1.as_bytes()))
}

const fn algorithm_of(credential: &Credential) -> Algorithm {
    match credential.algorithm {
        DigestAlgorithm::Md5 => Algorithm::Md5,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
    }
}
