//! What the guard sees: the lines that answer or answered a moment ago, and what they have in common.
//!
//! A line is in sight while it answers OPTIONS (*well*), while it is in doubt for want of an answer (*doubtful*), and for a while
//! after it fell for want of one (*fallen*); the last two are *in trouble*. A line that was down before, that nobody asks or that
//! never answered says nothing about us and is out of sight.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use route_core::{Line, LineSlot};
use sip_core::time::Timestamp;

use super::GroupRow;

/// How the guard sees a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Says nothing about us.
    #[default]
    Out,
    /// Answers.
    Well,
    /// In doubt for want of an answer; answered before.
    Doubtful,
    /// Fell for want of an answer; counts until then.
    Fallen(Timestamp),
}

impl Standing {
    fn is_trouble(self) -> bool {
        matches!(self, Self::Doubtful | Self::Fallen(_))
    }
}

/// A line's site, its network, and what it is told.
const GROUPS: usize = 6;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Member {
    groups: [u32; GROUPS],
    standing: Standing,
}

/// Lines that share one thing.
struct Group {
    name: Box<str>,
    kind: usize,
    lines: u32,
    troubled: u32,
}

/// How many lines of a group are in trouble, and how many are in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) troubled: u32,
    pub(super) lines: u32,
}

#[derive(Default)]
pub(super) struct Sight {
    members: HashMap<LineSlot, Member>,
    groups: Vec<Group>,
    free: Vec<u32>,
    ids: HashMap<Box<str>, u32>,
    kinds: Vec<Box<str>>,
    fallen: VecDeque<(Timestamp, LineSlot)>,
    troubled: u32,
}

impl Sight {
    /// `line` stands so from now on. `groups` is asked only when it comes into sight.
    pub(super) fn set(
        &mut self,
        line: LineSlot,
        standing: Standing,
        groups: impl FnOnce() -> Vec<String>,
    ) {
        let before = self.members.get(&line).copied();
        if before.map_or(Standing::Out, |member| member.standing) == standing {
            return;
        }
        let member = before.unwrap_or_else(|| Member {
            groups: self.enter(groups()),
            standing: Standing::Out,
        });
        if let Standing::Fallen(until) = standing {
            // Ascending, but for lines of a longer interval: those are let go a little early or late.
            self.fallen.push_back((until, line));
        }
        let (was, is) = (member.standing.is_trouble(), standing.is_trouble());
        let change = i64::from(is) - i64::from(was);
        self.troubled = add(self.troubled, change);
        for id in member.groups.into_iter().filter(|id| *id != NONE) {
            if let Some(group) = self.groups.get_mut(id as usize) {
                group.troubled = add(group.troubled, change);
            }
        }
        if standing == Standing::Out {
            self.leave(member.groups);
            self.members.remove(&line);
        } else {
            self.members.insert(line, Member { standing, ..member });
        }
    }

    /// Forget what fell long ago.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((_, line)) = self.fallen.front().copied().filter(|(at, _)| *at <= now) {
            self.fallen.pop_front();
            let over = self.members.get(&line).is_some_and(
                |member| matches!(member.standing, Standing::Fallen(until) if until <= now),
            );
            if over {
                self.set(line, Standing::Out, Vec::new);
            }
        }
    }

    /// When [`Sight::expire`] has something to do; `MAX`: never.
    pub(super) fn next_expiry(&self) -> Timestamp {
        self.fallen.front().map_or(Timestamp::MAX, |(at, _)| *at)
    }

    /// All lines in sight.
    pub(super) fn all(&self) -> Tally {
        Tally {
            troubled: self.troubled,
            lines: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
        }
    }

    /// By kind: how many groups there are, and those in trouble.
    pub(super) fn hit(&self) -> Vec<(usize, Vec<Tally>)> {
        let mut by_kind = vec![(0, Vec::new()); self.kinds.len()];
        for group in self.groups.iter().filter(|group| group.lines > 0) {
            let (count, hit) = &mut by_kind[group.kind];
            *count += 1;
            if group.troubled > 0 {
                hit.push(Tally {
                    troubled: group.troubled,
                    lines: group.lines,
                });
            }
        }
        by_kind
    }

    /// The groups most in trouble, for people.
    pub(super) fn most_hit(&self, count: usize) -> Vec<GroupRow> {
        let mut hit: Vec<&Group> = self.groups.iter().filter(|g| g.troubled > 0).collect();
        hit.sort_by_key(|group| (std::cmp::Reverse(group.troubled), group.lines));
        let rows = hit.into_iter().take(count).map(|group| GroupRow {
            group: group.name.to_string(),
            troubled: group.troubled,
            lines: group.lines,
        });
        rows.collect()
    }

    fn enter(&mut self, names: Vec<String>) -> [u32; GROUPS] {
        let mut ids = [NONE; GROUPS];
        for (id, name) in ids.iter_mut().zip(names) {
            *id = self.intern(name);
            if let Some(group) = self.groups.get_mut(*id as usize) {
                group.lines += 1;
            }
        }
        ids
    }

    fn leave(&mut self, groups: [u32; GROUPS]) {
        for id in groups.into_iter().filter(|id| *id != NONE) {
            let Some(group) = self.groups.get_mut(id as usize) else {
                continue;
            };
            group.lines = group.lines.saturating_sub(1);
            if group.lines == 0 {
                self.ids.remove(&group.name);
                self.free.push(id);
            }
        }
    }

    fn intern(&mut self, name: String) -> u32 {
        if let Some(id) = self.ids.get(name.as_str()) {
            return *id;
        }
        let kind = name.split(':').next().unwrap_or_default();
        let known = self.kinds.iter().position(|known| **known == *kind);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(kind.into());
            self.kinds.len() - 1
        });
        let group = Group {
            name: name.clone().into(),
            kind,
            lines: 0,
            troubled: 0,
        };
        let id = if let Some(id) = self.free.pop() {
            self.groups[id as usize] = group;
            id
        } else {
            self.groups.push(group);
            (self.groups.len() - 1) as u32
        };
        self.ids.insert(name.into(), id);
        id
    }
}

/// What `line` shares with others: what it is told, its site, and the network of `target`.
pub(crate) fn groups_of(line: &Line, target: Option<IpAddr>) -> Vec<String> {
    let mut groups: Vec<String> = line.groups.iter().map(ToString::to_string).collect();
    if !line.site_id.is_empty() {
        groups.push(format!("site:{}", line.site_id));
    }
    if let Some(network) = target.map(network_of) {
        let length = if network.is_ipv4() { 24 } else { 64 };
        groups.push(format!("network:{network}/{length}"));
    }
    groups
}

/// The /24 or /64 around an address.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

fn add(count: u32, change: i64) -> u32 {
    u32::try_from(i64::from(count) + change).unwrap_or(0)
}
