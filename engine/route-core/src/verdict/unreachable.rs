//! What says that a target cannot be reached.

/// Who says it and how: ICMP (RFC 792, RFC 4443), our own stack, the resolver, or a stream that broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unreachable {
    /// Nobody listens on the port: ICMP from the target's host, as a rule.
    Port,
    /// The last router does not find the host.
    Host,
    /// A router knows no way there.
    Network,
    /// A router or the host refuses to let it pass.
    Prohibited,
    /// Our own stack knows no way there.
    NoRoute,
    /// Its name cannot be resolved.
    Name,
    /// The connection to it broke, or was refused.
    Connection,
}

impl Unreachable {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Port,
        Self::Host,
        Self::Network,
        Self::Prohibited,
        Self::NoRoute,
        Self::Name,
        Self::Connection,
    ];

    /// The word for it as a cause.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Port => "port_unreachable",
            Self::Host => "host_unreachable",
            Self::Network => "network_unreachable",
            Self::Prohibited => "prohibited",
            Self::NoRoute => "no_route",
            Self::Name => "name_unresolved",
            Self::Connection => "connection_lost",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Port => "nobody listens on its port",
            Self::Host => "the network reports its host unreachable",
            Self::Network => "the network reports its network unreachable",
            Self::Prohibited => "the network reports that it may not be reached",
            Self::NoRoute => "this host has no route to it",
            Self::Name => "its name cannot be resolved",
            Self::Connection => "the connection to it broke",
        }
    }
}
