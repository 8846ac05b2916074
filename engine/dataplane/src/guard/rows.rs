//! The guard as the outside sees it.

/// Lines that share something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// `kind:name`, e.g. `site:S-1` or `network:192.0.2.0/24`.
    pub group: String,
    /// Fallen or in doubt for want of an answer.
    pub troubled: u32,
    /// That answered before.
    pub lines: u32,
}

/// A freeze as it began, or as it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRow {
    /// Began, or ended.
    pub frozen: bool,
    /// The reason of the freeze, or what ended it.
    pub why: &'static str,
    /// The operator's name; empty without one.
    pub by: String,
    /// Lines that would be down.
    pub held: u32,
    /// Lines in trouble.
    pub troubled: u32,
    /// Lines that answered before.
    pub lines: u32,
    /// The most troubled groups.
    pub groups: Vec<GroupRow>,
}

/// A freeze of the past, or the present one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastFreeze {
    /// Why it began.
    pub reason: &'static str,
    /// The operator who wanted it; empty without one.
    pub by: String,
    /// When it began.
    pub from_unix_ms: u64,
    /// When it ended.
    pub until_unix_ms: Option<u64>,
    /// What ended it; empty while it goes on.
    pub released: &'static str,
    /// Lines held at once, at most.
    pub held: u32,
    /// Lines in trouble at once, at most.
    pub troubled: u32,
    /// Lines that answered before.
    pub lines: u32,
}

/// What the guard sees and does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardState {
    /// Whether it freezes by itself.
    pub enabled: bool,
    /// The reason of the present freeze.
    pub reason: Option<&'static str>,
    /// The operator who wanted it.
    pub by: String,
    /// Since when.
    pub since_unix_ms: Option<u64>,
    /// When its limit ends it.
    pub until_unix_ms: Option<u64>,
    /// Lines that would be down.
    pub held: u32,
    /// Lines in trouble.
    pub troubled: u32,
    /// Lines that answered before.
    pub lines: u32,
    /// The most troubled groups.
    pub groups: Vec<GroupRow>,
    /// Freezes since the start.
    pub freezes: u64,
    /// The latest first.
    pub last: Vec<PastFreeze>,
}
