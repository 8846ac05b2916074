//! A line: where calls are delivered.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::MAX_SLOT;
use super::delta::DeltaError;
use crate::verdict::Wish;

/// The small integer by which a line is named; never used again for another line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineSlot(pub u32);

/// How calls find the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// By the contacts that it registers.
    Registered,
    /// By fixed addresses.
    Static,
    /// By somebody else's registrar: its phones register there, and calls go back to its network.
    Foreign,
}

/// Where the phones of a foreign line register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Name of the registrar in the configuration.
    pub registrar: Box<str>,
    /// The line whose peers are the registrar's next hops. They are watched there once, not for each line.
    pub watch: LineSlot,
}

/// What the line wants in the Request-URI of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestUri {
    /// The URI it registered.
    Contact,
    /// The called number.
    Number,
}

/// Digest algorithms for which HA1 can be stored (RFC 7616 §3.2, RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
}

/// What a REGISTER is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Digest user name.
    pub username: Box<str>,
    /// The algorithm of `ha1`.
    pub algorithm: DigestAlgorithm,
    /// HA1 in lower-case hex, 32 or 64 characters, as it goes into the next hash.
    pub ha1: Box<str>,
}

impl fmt::Debug for Credential {
    /// Without HA1, which is as good as the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A static peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The lowest is tried first.
    pub priority: u32,
}

/// A line as the table keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its slot.
    pub slot: LineSlot,
    /// Name in the store.
    pub line_id: Box<str>,
    /// Its order.
    pub order_id: Box<str>,
    /// Its site; empty when the line stands for itself.
    pub site_id: Box<str>,
    /// What it shares with others and may fail with, as `kind:name`, e.g. `region:north`; one of a kind. Site and network are not
    /// listed: they are known anyway.
    pub groups: Box<[Box<str>]>,
    /// Product name.
    pub product: Box<str>,
    /// Name of the profile that judges it.
    pub profile: Box<str>,
    /// How calls find it.
    pub kind: LineKind,
    /// User parts that a REGISTER may name.
    pub users: Box<[Box<[u8]>]>,
    /// What a REGISTER is checked against.
    pub credentials: Box<[Credential]>,
    /// Static peers, or the next hops of a foreign line's registrar; lowest priority number first.
    pub peers: Box<[Peer]>,
    /// Where the phones of a foreign line register; `None` for all others.
    pub elsewhere: Option<Elsewhere>,
    /// What it wants in the Request-URI.
    pub request_uri: RequestUri,
    /// What the operator wants.
    pub wish: Wish,
}

/// A line as it comes (`LineSpec` of the boundary).
#[derive(Clone, Debug, Default)]
#[allow(
    missing_docs,
    reason = "field by field the LineSpec of sipproxy/_engine.pyi, documented there"
)]
pub struct LineSpec {
    pub slot: u32,
    pub line_id: String,
    pub order_id: String,
    pub site_id: String,
    pub groups: Vec<String>,
    pub product: String,
    pub profile: String,
    pub kind: String,
    pub users: Vec<String>,
    pub credentials: Vec<(String, String, String)>,
    pub peers: Vec<(String, u32)>,
    pub registrar: Option<(String, u32)>,
    pub request_uri: String,
    pub wish: String,
}

impl Line {
    /// Check and convert; `place` is where the specification stands, e.g. `lines[3]`.
    pub fn read(spec: LineSpec, place: &str) -> Result<Self, DeltaError> {
        let fault = |field: &str, what: String| DeltaError {
            where_: format!("{place}.{field}"),
            what,
        };
        if spec.line_id.is_empty() {
            return Err(fault("line_id", "is empty".to_string()));
        }
        let kind = match spec.kind.as_str() {
            "registered" => LineKind::Registered,
            "static" => LineKind::Static,
            "foreign" => LineKind::Foreign,
            other => {
                return Err(fault(
                    "kind",
                    format!("{other:?} is not registered, static or foreign"),
                ));
            }
        };
        let request_uri = match spec.request_uri.as_str() {
            "contact" => RequestUri::Contact,
            "number" => RequestUri::Number,
            other => {
                return Err(fault(
                    "request_uri",
                    format!("{other:?} is neither contact nor number"),
                ));
            }
        };
        let wish = spec
            .wish
            .parse()
            .map_err(|()| fault("wish", format!("{:?} is no wish", spec.wish)))?;
        if kind == LineKind::Registered && !spec.peers.is_empty() {
            return Err(fault(
                "peers",
                "a registered line has no static peers".to_string(),
            ));
        }
        if kind == LineKind::Static && !spec.users.is_empty() {
            return Err(fault(
                "users",
                "a static line does not register".to_string(),
            ));
        }
        let elsewhere = read_elsewhere(kind, &spec, &fault)?;
        let mut peers = Vec::with_capacity(spec.peers.len());
        for (at, (address, priority)) in spec.peers.iter().enumerate() {
            let address = address.parse().map_err(|_| {
                fault(
                    &format!("peers[{at}]"),
                    format!("{address:?} is no address:port"),
                )
            })?;
            peers.push(Peer {
                address,
                priority: *priority,
            });
        }
        peers.sort_by_key(|peer| peer.priority);
        let credentials = read_credentials(spec.credentials, &fault)?;
        let groups = read_groups(spec.groups, &fault)?;
        if let Some(at) = spec.users.iter().position(String::is_empty) {
            return Err(fault(&format!("users[{at}]"), "is empty".to_string()));
        }
        Ok(Self {
            slot: LineSlot(spec.slot),
            line_id: spec.line_id.into(),
            order_id: spec.order_id.into(),
            site_id: spec.site_id.into(),
            groups,
            product: spec.product.into(),
            profile: spec.profile.into(),
            kind,
            users: spec
                .users
                .into_iter()
                .map(|user| user.into_bytes().into())
                .collect(),
            credentials,
            peers: peers.into(),
            elsewhere,
            request_uri,
            wish,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        let names = [
            &self.line_id,
            &self.order_id,
            &self.site_id,
            &self.product,
            &self.profile,
        ];
        size_of::<Self>()
            + names.iter().map(|name| name.len()).sum::<usize>()
            + self
                .groups
                .iter()
                .map(|group| group.len() + size_of::<Box<str>>())
                .sum::<usize>()
            + self
                .users
                .iter()
                .map(|user| user.len() + size_of::<Box<[u8]>>())
                .sum::<usize>()
            + self
                .credentials
                .iter()
                .map(|item| item.username.len() + item.ha1.len() + size_of::<Credential>())
                .sum::<usize>()
            + size_of_val(&*self.peers)
    }
}

/// A line has few groups; more would be a mistake, and each costs a counter at each change of the line.
const MAX_GROUPS: usize = 4;

fn read_groups(
    groups: Vec<String>,
    fault: &impl Fn(&str, String) -> DeltaError,
) -> Result<Box<[Box<str>]>, DeltaError> {
    if groups.len() > MAX_GROUPS {
        let what = format!("{} groups, at most {MAX_GROUPS} are possible", groups.len());
        return Err(fault("groups", what));
    }
    for (at, group) in groups.iter().enumerate() {
        let place = || format!("groups[{at}]");
        let kind = match group.split_once(':') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => kind,
            _ => return Err(fault(&place(), format!("{group:?} is no kind:name"))),
        };
        if matches!(kind, "site" | "network") {
            let what = format!("the {kind} of a line is known without being told");
            return Err(fault(&place(), what));
        }
        let same = |other: &String| other.split(':').next() == Some(kind);
        if groups.iter().take(at).any(same) {
            return Err(fault(
                &place(),
                format!("a second group of the kind {kind}"),
            ));
        }
    }
    Ok(groups.into_iter().map(Into::into).collect())
}

/// A foreign line names its registrar, who registers there, and where calls go; no other line does.
fn read_elsewhere(
    kind: LineKind,
    spec: &LineSpec,
    fault: &impl Fn(&str, String) -> DeltaError,
) -> Result<Option<Elsewhere>, DeltaError> {
    if kind != LineKind::Foreign {
        return match &spec.registrar {
            None => Ok(None),
            Some(_) => Err(fault(
                "registrar",
                "only a foreign line has one".to_string(),
            )),
        };
    }
    let Some((name, watch)) = &spec.registrar else {
        return Err(fault("registrar", "a foreign line needs one".to_string()));
    };
    if *watch > MAX_SLOT {
        return Err(fault("registrar", format!("{watch} is above {MAX_SLOT}")));
    }
    if spec.users.is_empty() {
        return Err(fault("users", "a foreign line needs a user".to_string()));
    }
    Ok(Some(Elsewhere {
        registrar: name.as_str().into(),
        watch: LineSlot(*watch),
    }))
}

fn read_credentials(
    specs: Vec<(String, String, String)>,
    fault: &impl Fn(&str, String) -> DeltaError,
) -> Result<Box<[Credential]>, DeltaError> {
    let mut credentials = Vec::with_capacity(specs.len());
    for (at, (username, algorithm, ha1)) in specs.into_iter().enumerate() {
        let (algorithm, len) = match algorithm.as_str() {
            "MD5" => (DigestAlgorithm::Md5, 32),
            "SHA-256" => (DigestAlgorithm::Sha256, 64),
            other => {
                return Err(fault(
                    &format!("credentials[{at}]"),
                    format!("{other:?} is neither MD5 nor SHA-256"),
                ));
            }
        };
        if ha1.len() != len || !ha1.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(fault(
                &format!("credentials[{at}]"),
                format!("HA1 is not {len} hexadecimal digits"),
            ));
        }
        credentials.push(Credential {
            username: username.into(),
            algorithm,
            ha1: ha1.to_ascii_lowercase().into(),
        });
    }
    Ok(credentials.into())
}
