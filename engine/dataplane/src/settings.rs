//! What the engine is told at start and at a reload, checked, and compiled to what the workers look up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use route_core::{NumberPlan, Profile};

/// A setting that cannot be used. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// Which setting, e.g. `listen[0]`.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl SettingsError {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>, remedy: &str) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            remedy: remedy.to_owned(),
        }
    }

    /// The system had no descriptor left.
    pub(crate) fn io(place: &str, error: &std::io::Error) -> Self {
        let remedy = "raise the limit of open files of this process";
        Self::new(place, error.to_string(), remedy)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

impl std::error::Error for SettingsError {}

/// How numbers are written towards a core network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+4930…`
    PlusE164,
    /// `004930…`
    InternationalPrefix,
    /// `030…` for the own country, international otherwise.
    National,
}

/// Scheme of the URIs in a 302.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriScheme {
    /// `sip:+4930…@domain;user=phone`
    Sip,
    /// `tel:+4930…`
    Tel,
}

/// When a 302 carries History-Info (RFC 7044).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryInfo {
    /// The request offered it: `Supported: histinfo`, or it carries one.
    IfOffered,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What one core network sends and wants back.
#[derive(Clone, Debug)]
pub struct Interconnect {
    /// Its name in the configuration.
    pub name: String,
    /// How its numbers are read.
    pub plan: NumberPlan,
    /// Country code for the national format.
    pub country_code: String,
    /// National prefix for the national format.
    pub national_prefix: String,
    /// International prefix for the `00` format.
    pub international_prefix: String,
    /// Host part of URIs in a 302; empty: the address the request came to.
    pub domain: String,
    /// Of numbers in a 302.
    pub number_format: NumberFormat,
    /// Of URIs in a 302.
    pub uri_scheme: UriScheme,
    /// Add Diversion (RFC 5806).
    pub diversion: bool,
    /// Add History-Info (RFC 7044).
    pub history_info: HistoryInfo,
    /// Diversions that one call may have in all, ours included (ITU-T Q.732.2: up to 5).
    pub max_diversions: u32,
    /// Add a SIP reason beside the Q.850 one.
    pub reason_sip: bool,
    /// Answer for unknown numbers.
    pub unknown_number_status: u16,
    /// Answer 302 to the line's contact instead of proxying.
    pub redirect_only: bool,
}

/// Who may send INVITEs.
#[derive(Clone, Debug)]
pub struct CorePeer {
    /// Its name in the configuration.
    pub name: String,
    /// Network address.
    pub network: IpAddr,
    /// Bits of `network` that count.
    pub prefix_length: u8,
    /// Source port; 0: any.
    pub port: u16,
    /// Name of its interconnect.
    pub interconnect: String,
}

/// The registrar's settings. Times in seconds.
#[derive(Clone, Debug)]
pub struct RegistrarSettings {
    /// Digest realm.
    pub realm: String,
    /// Take REGISTER without digest.
    pub open: bool,
    /// Shorter ones get 423.
    pub min_expires_s: u32,
    /// When the request names none.
    pub default_expires_s: u32,
    /// Longer ones are cut.
    pub max_expires_s: u32,
    /// Contacts per line; one more replaces the one that expires first.
    pub max_contacts: usize,
    /// After this a nonce is stale.
    pub nonce_life_s: u32,
    /// How long a 200 waits for the store.
    pub store_wait_s: f64,
    /// Grace for bindings that ran out while the process was down.
    pub restart_grace_s: f64,
}

/// How a registrar elsewhere tells of its registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignMode {
    /// It notifies (RFC 3680); the Python side subscribes and reports.
    RegEvent,
    /// It sends us a REGISTER of its own (3GPP TS 24.229).
    ThirdParty,
    /// The phones' REGISTERs pass through us (RFC 3327).
    Path,
}

/// Somebody else's registrar.
#[derive(Clone, Debug)]
pub struct ForeignRegistrar {
    /// Its name in the configuration; lines refer to it.
    pub name: String,
    /// Host part of its addresses-of-record.
    pub domain: String,
    /// How it tells.
    pub mode: ForeignMode,
    /// Where its requests come from.
    pub sources: Vec<IpAddr>,
}

/// Everything the engine is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Concrete addresses to bind.
    pub listen: Vec<SocketAddr>,
    /// Worker threads.
    pub workers: usize,
    /// Host names that are ours.
    pub domains: Vec<String>,
    /// Value of the Server header field; empty: none.
    pub server_header: String,
    /// Who may send INVITEs.
    pub core_peers: Vec<CorePeer>,
    /// The core networks.
    pub interconnects: Vec<Interconnect>,
    /// Verdict profiles by name.
    pub profiles: Vec<LineProfile>,
    /// The registrar.
    pub registrar: RegistrarSettings,
    /// When falls of many lines are held back.
    pub guard: GuardSettings,
    /// Registrars of others.
    pub foreign_registrars: Vec<ForeignRegistrar>,
    /// Events kept for Python.
    pub event_queue: usize,
    /// Calls per worker that can be looked up afterwards.
    pub call_records: usize,
    /// Signs nonces, tags, branches and Record-Route tokens.
    pub secret: [u8; 32],
}

/// When the falls of many lines at once are held back (`docs/verdicts.md`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardSettings {
    /// Whether the guard freezes by itself.
    pub enabled: bool,
    /// Lines fall together when they do within this time, or within the interval of their profile if that is longer.
    pub window: Duration,
    /// Fewer never freeze anything.
    pub min_lines: u32,
    /// Of the lines that answered before, 0…1.
    pub share: f64,
    /// A freeze ends by itself after this time; zero: never.
    pub freeze_limit: Duration,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            window: Duration::from_secs(10),
            min_lines: 20,
            share: 0.1,
            freeze_limit: Duration::from_mins(1),
        }
    }
}

/// How the lines of a product are judged, called and probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineProfile {
    /// Its name; lines refer to it.
    pub name: String,
    /// The verdict machine's settings.
    pub verdict: Profile,
    /// How long calls wait.
    pub calls: CallTimers,
    /// What OPTIONS look like and how their answers are read.
    pub probe: ProbeSettings,
}

impl LineProfile {
    /// For a line whose profile is not configured.
    pub(crate) fn fallback() -> Self {
        Self {
            name: String::new(),
            verdict: Profile {
                interval: Duration::from_secs(30),
                fast_interval: Duration::from_secs(2),
                timeout: Duration::from_secs(2),
                timeout_max: Duration::from_secs(2),
                fall: 3,
                fall_max: 14,
                rise: 2,
                hold: Duration::from_secs(10),
                hold_max: Duration::from_mins(2),
                flap_half_life: Duration::from_mins(2),
                hold_down_max: Duration::from_mins(1),
                judge_options: true,
                judge_registration: true,
            },
            calls: CallTimers::DEFAULT,
            probe: ProbeSettings::default(),
        }
    }
}

/// The OPTIONS that ask a line whether it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// From of the probe; empty: our address.
    pub from_uri: String,
    /// Contact of the probe; empty: our address.
    pub contact_uri: String,
    /// OPTIONS answers that are faults. Any other shows a living phone: RFC 3261 §11.2 lets a busy one answer as it would an INVITE.
    pub ill_codes: FaultCodes,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            from_uri: String::new(),
            contact_uri: String::new(),
            ill_codes: FaultCodes::USUAL,
        }
    }
}

/// How long a call waits for its line, by what it has heard so far. Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimers {
    /// Silence, line up.
    pub answer_us: u64,
    /// Silence, line suspect.
    pub suspect_us: u64,
    /// 100 and nothing more.
    pub trying_us: u64,
    /// Ringing: Timer C (RFC 3261 §16.6 item 11), more than three minutes.
    pub ring_us: u64,
    /// Finals before any 18x that count as a fault of the line.
    pub fault_codes: FaultCodes,
    /// So many calls after a recovery carry the short timer.
    pub return_calls: u16,
}

impl CallTimers {
    /// For a line whose profile is not configured.
    pub const DEFAULT: Self = Self {
        answer_us: 1_900_000,
        suspect_us: 800_000,
        trying_us: 8_000_000,
        ring_us: 181_000_000,
        fault_codes: FaultCodes::USUAL,
        return_calls: 0,
    };
}

/// A set of status codes 400…699, small enough to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FaultCodes([u64; 5]);

impl FaultCodes {
    /// 408 and 503: what a line's gateway answers when the line behind it is gone.
    pub const USUAL: Self = Self([1 << (408 - 400), 1 << (503 - 400 - 64), 0, 0, 0]);

    /// Codes outside 400…699 are ignored.
    pub fn new(codes: impl IntoIterator<Item = u16>) -> Self {
        let mut bits = [0; 5];
        for code in codes {
            if let Some(index) = code.checked_sub(400).map(usize::from).filter(|i| *i < 300) {
                bits[index / 64] |= 1 << (index % 64);
            }
        }
        Self(bits)
    }

    /// Whether `code` is in the set.
    pub fn contains(&self, code: u16) -> bool {
        code.checked_sub(400)
            .map(usize::from)
            .filter(|i| *i < 300)
            .is_some_and(|i| self.0[i / 64] & (1 << (i % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_codes_hold_what_they_were_given() {
        let codes = FaultCodes::new([408, 503, 699, 200, 700]);
        let held: Vec<u16> = (0..1000).filter(|code| codes.contains(*code)).collect();
        assert_eq!(vec![408, 503, 699], held);
    }
}
