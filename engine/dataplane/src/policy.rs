//! The settings as the workers look them up: who a source is, how a line is judged, which names are ours.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip_core::uri::Host;

use crate::settings::{
    CallTimers, CorePeer, ForeignRegistrar, Interconnect, LineProfile, Settings, SettingsError,
};

/// The part of the settings that may change at a reload, as the workers look it up.
pub(crate) struct Policy {
    pub(crate) settings: Settings,
    peers: Vec<(CorePeer, usize)>,
    /// The domains that are addresses.
    domain_addresses: Vec<IpAddr>,
    profiles: HashMap<String, usize>,
    fallback: LineProfile,
}

impl Policy {
    pub(crate) fn new(settings: Settings) -> Result<Arc<Self>, SettingsError> {
        if settings.listen.is_empty() {
            return Err(SettingsError::new(
                "listen",
                "is empty",
                "name at least one address, e.g. 192.0.2.10:5060",
            ));
        }
        for (i, address) in settings.listen.iter().enumerate() {
            if address.ip().is_unspecified() {
                return Err(SettingsError::new(
                    format!("listen[{i}]"),
                    format!(
                        "{address} stands for all addresses, but Via and Record-Route must name one"
                    ),
                    "name each address of this host that shall take SIP",
                ));
            }
        }
        if !(1..=64).contains(&settings.workers) {
            return Err(SettingsError::new(
                "workers",
                "is not between 1 and 64",
                "use the number of cores for SIP",
            ));
        }
        let mut peers = Vec::new();
        for (i, peer) in settings.core_peers.iter().enumerate() {
            let index = settings
                .interconnects
                .iter()
                .position(|x| x.name == peer.interconnect);
            let Some(index) = index else {
                return Err(SettingsError::new(
                    format!("core_peers[{i}].interconnect"),
                    format!("there is no interconnect {:?}", peer.interconnect),
                    "name one of [[interconnect]]",
                ));
            };
            peers.push((peer.clone(), index));
        }
        // The most specific network first, a given port before any port.
        peers.sort_by_key(|(peer, _)| (u8::MAX - peer.prefix_length, peer.port == 0));
        let profiles = settings
            .profiles
            .iter()
            .enumerate()
            .map(|(i, p)| (p.name.clone(), i))
            .collect();
        let domain_addresses = settings
            .domains
            .iter()
            .filter_map(|domain| domain.trim_matches(['[', ']']).parse().ok());
        Ok(Arc::new(Self {
            domain_addresses: domain_addresses.collect(),
            settings,
            peers,
            profiles,
            fallback: LineProfile::fallback(),
        }))
    }

    /// The interconnect that `source` belongs to; `None`: not a core peer.
    pub(crate) fn interconnect_of(&self, source: SocketAddr) -> Option<&Interconnect> {
        self.peers
            .iter()
            .find(|(peer, _)| {
                (peer.port == 0 || peer.port == source.port())
                    && within(source.ip(), peer.network, peer.prefix_length)
            })
            .and_then(|(_, index)| self.settings.interconnects.get(*index))
    }

    /// Whether an address belongs to a core peer, whatever its port.
    pub(crate) fn interconnect_of_ip(&self, ip: IpAddr) -> bool {
        self.peers
            .iter()
            .any(|(peer, _)| within(ip, peer.network, peer.prefix_length))
    }

    pub(crate) fn interconnect(&self, name: &str) -> Option<&Interconnect> {
        self.settings.interconnects.iter().find(|x| x.name == name)
    }

    /// Somebody else's registrar of this name.
    pub(crate) fn foreign_registrar(&self, name: &str) -> Option<&ForeignRegistrar> {
        let mut registrars = self.settings.foreign_registrars.iter();
        registrars.find(|registrar| registrar.name == name)
    }

    /// The profile of this name, or a careful one if it is not configured.
    pub(crate) fn profile(&self, name: &str) -> &LineProfile {
        self.profiles
            .get(name)
            .and_then(|index| self.settings.profiles.get(*index))
            .unwrap_or(&self.fallback)
    }

    /// Whether lines are judged as by `older`, but for profiles that it does not have.
    pub(crate) fn judges_like(&self, older: &Self) -> bool {
        let (new, old) = (&self.settings, &older.settings);
        let kept = old
            .profiles
            .iter()
            .all(|profile| self.profile(&profile.name) == profile);
        kept && new.registrar.restart_grace_s.to_bits() == old.registrar.restart_grace_s.to_bits()
    }

    /// How long calls to a line of this profile wait.
    pub(crate) fn call_timers(&self, name: &str) -> CallTimers {
        self.profile(name).calls
    }

    /// Whether a host name, or an address, is one of the configured domains.
    pub(crate) fn is_own_domain(&self, host: &Host<'_>) -> bool {
        match (host, host.ip()) {
            (Host::Name(name), _) => {
                let same = |domain: &String| domain.as_bytes().eq_ignore_ascii_case(name);
                self.settings.domains.iter().any(same)
            }
            (_, Some(ip)) => self.domain_addresses.contains(&ip),
            _ => false,
        }
    }
}

fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(length.min(32)))
                .unwrap_or(0);
            (u32::from(a) ^ u32::from(n)) & mask == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(length.min(128)))
                .unwrap_or(0);
            (u128::from(a) ^ u128::from(n)) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        let rows = [
            ("192.0.2.7", "192.0.2.0", 24, true),
            ("192.0.3.7", "192.0.2.0", 24, false),
            ("192.0.2.7", "192.0.2.7", 32, true),
            ("192.0.2.8", "192.0.2.7", 32, false),
            ("198.51.100.1", "0.0.0.0", 0, true),
            ("2001:db8::1", "2001:db8::", 32, true),
            ("2001:db9::1", "2001:db8::", 32, false),
            ("2001:db9::1", "::", 0, true),
            ("192.0.2.7", "::", 0, false),
        ];
        for (address, network, length, expected) in rows {
            let actual = within(address.parse().unwrap(), network.parse().unwrap(), length);
            assert_eq!(expected, actual, "{address} in {network}/{length}");
        }
    }
}
