//! `EngineSettings` and its parts: dictionaries to `dataplane::Settings`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dataplane::{
    CallTimers, CorePeer, FaultCodes, ForeignMode, ForeignRegistrar, GuardSettings, HistoryInfo,
    Interconnect, LineProfile, NumberFormat, ProbeSettings, RegistrarSettings, Settings, UriScheme,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use route_core::{Digits, Known, NumberPlan, Profile, worst_case_detection, worst_case_recovery};

use crate::errors::bad_setting;

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ProfileItem {
    name: String,
    interval_s: f64,
    fast_interval_s: f64,
    timeout_s: f64,
    timeout_max_s: f64,
    fall: u16,
    fall_max: u16,
    rise: u16,
    hold_s: f64,
    hold_max_s: f64,
    flap_half_life_s: f64,
    hold_down_max_s: f64,
    judge_options: bool,
    judge_registration: bool,
    answer_timer_s: f64,
    trying_timer_s: f64,
    ring_timer_s: f64,
    suspect_timer_s: f64,
    fault_codes: Vec<u16>,
    return_calls: u16,
    ill_codes: Vec<u16>,
    from_uri: String,
    contact_uri: String,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct InterconnectItem {
    name: String,
    country_code: String,
    national_prefix: String,
    international_prefix: String,
    porting_prefixes: Vec<String>,
    domain: String,
    number_format: String,
    uri_scheme: String,
    diversion: bool,
    history_info: String,
    max_diversions: u32,
    reason_sip: bool,
    unknown_number_status: u16,
    redirect_only: bool,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct CorePeerItem {
    name: String,
    network: String,
    port: u16,
    interconnect: String,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct RegistrarItem {
    realm: String,
    open: bool,
    min_expires_s: u32,
    default_expires_s: u32,
    max_expires_s: u32,
    max_contacts: usize,
    nonce_life_s: u32,
    store_wait_s: f64,
    restart_grace_s: f64,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct GuardItem {
    enabled: bool,
    window_s: f64,
    min_lines: u32,
    share: f64,
    freeze_limit_s: f64,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct ForeignRegistrarItem {
    name: String,
    domain: String,
    mode: String,
    sources: Vec<String>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct SettingsItem {
    listen: Vec<String>,
    workers: usize,
    domains: Vec<String>,
    server_header: String,
    core_peers: Vec<CorePeerItem>,
    interconnects: Vec<InterconnectItem>,
    profiles: Vec<ProfileItem>,
    registrar: RegistrarItem,
    guard: GuardItem,
    #[pyo3(item("foreign_registrars"), default)]
    foreign_registrars: Vec<ForeignRegistrarItem>,
    event_queue: usize,
    call_records: usize,
    secret: Vec<u8>,
}

impl SettingsItem {
    pub(crate) fn read(self) -> PyResult<Settings> {
        let listen = self
            .listen
            .iter()
            .enumerate()
            .map(|(i, text)| address(text, &format!("listen[{i}]")));
        let peers = self.core_peers.into_iter().enumerate();
        let interconnects = self.interconnects.into_iter().enumerate();
        let profiles = self.profiles.into_iter().enumerate();
        let secret = <[u8; 32]>::try_from(self.secret).map_err(|secret| {
            let what = format!("has {} octets instead of 32", secret.len());
            bad_setting("secret", what, "give 32 random octets")
        })?;
        let registrar = self.registrar;
        Ok(Settings {
            listen: listen.collect::<PyResult<_>>()?,
            workers: self.workers,
            domains: self.domains,
            server_header: header_value(self.server_header, "server_header")?,
            core_peers: peers
                .map(|(i, item)| item.read(&format!("core_peers[{i}]")))
                .collect::<PyResult<_>>()?,
            interconnects: interconnects
                .map(|(i, item)| item.read(&format!("interconnects[{i}]")))
                .collect::<PyResult<_>>()?,
            profiles: profiles
                .map(|(i, item)| item.read(&format!("profiles[{i}]")))
                .collect::<PyResult<_>>()?,
            registrar: RegistrarSettings {
                realm: header_value(registrar.realm, "registrar.realm")?,
                open: registrar.open,
                min_expires_s: registrar.min_expires_s,
                default_expires_s: registrar.default_expires_s,
                max_expires_s: registrar.max_expires_s,
                max_contacts: registrar.max_contacts,
                nonce_life_s: registrar.nonce_life_s,
                store_wait_s: seconds(registrar.store_wait_s, "registrar.store_wait_s")?
                    .as_secs_f64(),
                restart_grace_s: seconds(registrar.restart_grace_s, "registrar.restart_grace_s")?
                    .as_secs_f64(),
            },
            guard: self.guard.read()?,
            foreign_registrars: self
                .foreign_registrars
                .into_iter()
                .enumerate()
                .map(|(i, item)| item.read(&format!("foreign_registrars[{i}]")))
                .collect::<PyResult<_>>()?,
            event_queue: self.event_queue,
            call_records: self.call_records,
            secret,
        })
    }
}

impl GuardItem {
    fn read(self) -> PyResult<GuardSettings> {
        if !(0.0..=1.0).contains(&self.share) {
            let what = format!("{} is not between 0 and 1", self.share);
            return Err(bad_setting("guard.share", what, "use e.g. 0.1 for a tenth"));
        }
        Ok(GuardSettings {
            enabled: self.enabled,
            window: seconds(self.window_s, "guard.window_s")?,
            min_lines: self.min_lines,
            share: self.share,
            freeze_limit: seconds(self.freeze_limit_s, "guard.freeze_limit_s")?,
        })
    }
}

impl ForeignRegistrarItem {
    fn read(self, place: &str) -> PyResult<ForeignRegistrar> {
        let mode = match self.mode.as_str() {
            "reg_event" => ForeignMode::RegEvent,
            "third_party" => ForeignMode::ThirdParty,
            "path" => ForeignMode::Path,
            other => {
                return Err(bad_setting(
                    format!("{place}.mode"),
                    format!("{other:?} is not known"),
                    "use one of: reg_event, third_party, path",
                ));
            }
        };
        let sources = self.sources.iter().enumerate().map(|(i, text)| {
            text.parse().map_err(|_| {
                bad_setting(
                    format!("{place}.sources[{i}]"),
                    format!("{text:?} is no address"),
                    "write an address without a port, e.g. 192.0.2.10",
                )
            })
        });
        Ok(ForeignRegistrar {
            domain: header_value(self.domain, &format!("{place}.domain"))?,
            mode,
            sources: sources.collect::<PyResult<_>>()?,
            name: self.name,
        })
    }
}

/// How long a verdict takes at most under `profile`, in seconds.
#[pyfunction]
pub(crate) fn detection_bounds(
    py: Python<'_>,
    profile: ProfileItem,
) -> PyResult<Bound<'_, PyDict>> {
    let profile = profile.read("profile")?.verdict;
    let bounds = PyDict::new(py);
    for (name, known) in [
        ("clean_s", Known::Clean),
        ("fresh_s", Known::Fresh),
        ("bound_s", Known::Bound),
    ] {
        bounds.set_item(name, worst_case_detection(&profile, known).as_secs_f64())?;
    }
    bounds.set_item("recovery_s", worst_case_recovery(&profile).as_secs_f64())?;
    Ok(bounds)
}

impl ProfileItem {
    fn read(self, place: &str) -> PyResult<LineProfile> {
        let time = |value: f64, name: &str| seconds(value, &format!("{place}.{name}"));
        let micros = |value: f64, name: &str| {
            time(value, name)
                .map(|duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
        };
        let profile = Profile {
            interval: time(self.interval_s, "interval_s")?,
            fast_interval: time(self.fast_interval_s, "fast_interval_s")?,
            timeout: time(self.timeout_s, "timeout_s")?,
            timeout_max: time(self.timeout_max_s, "timeout_max_s")?,
            fall: self.fall,
            fall_max: self.fall_max,
            rise: self.rise,
            hold: time(self.hold_s, "hold_s")?,
            hold_max: time(self.hold_max_s, "hold_max_s")?,
            flap_half_life: time(self.flap_half_life_s, "flap_half_life_s")?,
            hold_down_max: time(self.hold_down_max_s, "hold_down_max_s")?,
            judge_options: self.judge_options,
            judge_registration: self.judge_registration,
        };
        let timers = CallTimers {
            answer_us: micros(self.answer_timer_s, "answer_timer_s")?,
            suspect_us: micros(self.suspect_timer_s, "suspect_timer_s")?,
            trying_us: micros(self.trying_timer_s, "trying_timer_s")?,
            ring_us: micros(self.ring_timer_s, "ring_timer_s")?,
            fault_codes: FaultCodes::new(self.fault_codes),
            return_calls: self.return_calls,
        };
        let probe = ProbeSettings {
            from_uri: header_value(self.from_uri, &format!("{place}.from_uri"))?,
            contact_uri: header_value(self.contact_uri, &format!("{place}.contact_uri"))?,
            ill_codes: FaultCodes::new(self.ill_codes),
        };
        Ok(LineProfile {
            name: self.name,
            verdict: profile,
            calls: timers,
            probe,
        })
    }
}

impl InterconnectItem {
    pub(crate) fn read(self, place: &str) -> PyResult<Interconnect> {
        let digits = |text: &str, name: &str| {
            if text.is_empty() {
                return Ok(Digits::EMPTY);
            }
            Digits::parse(text.as_bytes()).map_err(|_| {
                bad_setting(
                    format!("{place}.{name}"),
                    format!("{text:?} is not digits"),
                    "use digits only, e.g. 49",
                )
            })
        };
        let plan = NumberPlan {
            country_code: digits(&self.country_code, "country_code")?,
            national_prefix: digits(&self.national_prefix, "national_prefix")?,
            international_prefix: digits(&self.international_prefix, "international_prefix")?,
            porting_prefixes: self
                .porting_prefixes
                .into_iter()
                .map(String::into_bytes)
                .collect(),
        };
        let choice = |name: &str, value: &str, of: &str| {
            bad_setting(
                format!("{place}.{name}"),
                format!("{value:?} is not known"),
                &format!("use one of: {of}"),
            )
        };
        let number_format = match self.number_format.as_str() {
            "+e164" => NumberFormat::PlusE164,
            "00e164" => NumberFormat::InternationalPrefix,
            "national" => NumberFormat::National,
            other => return Err(choice("number_format", other, "+e164, 00e164, national")),
        };
        let uri_scheme = match self.uri_scheme.as_str() {
            "sip" => UriScheme::Sip,
            "tel" => UriScheme::Tel,
            other => return Err(choice("uri_scheme", other, "sip, tel")),
        };
        let history_info = match self.history_info.as_str() {
            "if_offered" => HistoryInfo::IfOffered,
            "always" => HistoryInfo::Always,
            "never" => HistoryInfo::Never,
            other => return Err(choice("history_info", other, "if_offered, always, never")),
        };
        if !(400..700).contains(&self.unknown_number_status) {
            let what = format!("{} is not a status of failure", self.unknown_number_status);
            return Err(bad_setting(
                format!("{place}.unknown_number_status"),
                what,
                "use 400 to 699, e.g. 404",
            ));
        }
        Ok(Interconnect {
            domain: header_value(self.domain, &format!("{place}.domain"))?,
            name: self.name,
            plan,
            country_code: self.country_code,
            national_prefix: self.national_prefix,
            international_prefix: self.international_prefix,
            number_format,
            uri_scheme,
            diversion: self.diversion,
            history_info,
            max_diversions: self.max_diversions,
            reason_sip: self.reason_sip,
            unknown_number_status: self.unknown_number_status,
            redirect_only: self.redirect_only,
        })
    }
}

impl CorePeerItem {
    fn read(self, place: &str) -> PyResult<CorePeer> {
        let bad = || {
            bad_setting(
                format!("{place}.network"),
                format!("{:?} is no network", self.network),
                "write an address and a prefix length, e.g. 192.0.2.0/24",
            )
        };
        let (ip, length) = self.network.split_once('/').ok_or_else(bad)?;
        let network: IpAddr = ip.parse().map_err(|_| bad())?;
        let prefix_length: u8 = length.parse().map_err(|_| bad())?;
        if prefix_length > if network.is_ipv4() { 32 } else { 128 } {
            return Err(bad());
        }
        Ok(CorePeer {
            name: self.name,
            network,
            prefix_length,
            port: self.port,
            interconnect: self.interconnect,
        })
    }
}

fn address(text: &str, place: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        bad_setting(
            place,
            format!("{text:?} is no address with a port"),
            "write e.g. 192.0.2.10:5060 or [2001:db8::1]:5060",
        )
    })
}

pub(crate) fn seconds(value: f64, place: &str) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        bad_setting(
            place,
            format!("{value} is no time in seconds"),
            "use a number of 0 or more",
        )
    })
}

/// What goes into a header field verbatim must not end it.
fn header_value(text: String, place: &str) -> PyResult<String> {
    if text
        .chars()
        .any(|c| c.is_control() || c == '"' || c == '<' || c == '>')
    {
        return Err(bad_setting(
            place,
            "has a character that a header field cannot carry",
            "use plain text",
        ));
    }
    Ok(text)
}
