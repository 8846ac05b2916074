//! From counts to a finding: is the trouble explained by what the troubled lines share?

use super::sight::{Sight, Tally};
use crate::settings::GuardSettings;

/// What the trouble looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Little of it, or a few groups explain it: lines may fall.
    Outside,
    /// Unexplained, and a quarter of what would freeze: a fall waits a moment.
    Unclear,
    /// Unexplained and above both marks: it may be us.
    Ourselves,
}

/// Groups stand out when they are hit this many times as hard as the lines outside of them.
const STANDS_OUT: f64 = 2.0;
/// And by that many standard deviations of what chance would do to them, and so many lines.
const DEVIATIONS: f64 = 3.0;
/// So many groups, or one in twenty, are a few.
const A_FEW: usize = 3;
const ONE_IN: usize = 20;
/// The lines outside of all groups that stand out must be hit at most this much as hard as those inside.
const UNHURT: f64 = 0.25;

/// The finding for what is in sight.
pub(super) fn judge(sight: &Sight, settings: &GuardSettings) -> Finding {
    let all = sight.all();
    if !exceeds(all, settings, 0.25) {
        return Finding::Outside;
    }
    let explained = sight
        .hit()
        .into_iter()
        .any(|(count, hit)| explains(count, hit, all, settings));
    if explained {
        Finding::Outside
    } else if exceeds(all, settings, 1.0) {
        Finding::Ourselves
    } else {
        Finding::Unclear
    }
}

/// Whether the trouble reaches both marks, the share being taken times `part`.
pub(super) fn exceeds(tally: Tally, settings: &GuardSettings, part: f64) -> bool {
    let share = f64::from(tally.troubled) >= settings.share * part * f64::from(tally.lines);
    tally.troubled > 0 && tally.troubled >= settings.min_lines && share
}

/// Whether the trouble lies inside a few of the `count` groups of one kind, and the other lines, enough to be witnesses, do without.
///
/// Groups of one kind have no line in common. A fault of ours hits all groups alike, sooner or later: probes of one group that
/// happen to go out together could make it look like one of that group, which is why only a few may explain it.
fn explains(count: usize, mut hit: Vec<Tally>, all: Tally, settings: &GuardSettings) -> bool {
    hit.sort_by(|a, b| rate(*b).total_cmp(&rate(*a)));
    let few = A_FEW.max(count / ONE_IN);
    let (mut rest, mut taken) = (all, 0);
    for group in hit {
        let outside = less(rest, group);
        let expected = f64::from(group.lines) * rate(outside);
        let chance = DEVIATIONS * expected.sqrt() + DEVIATIONS;
        if taken < few
            && outside.lines > 0
            && f64::from(group.troubled) >= STANDS_OUT * expected + chance
        {
            (rest, taken) = (outside, taken + 1);
        }
    }
    let inside = less(all, rest);
    inside.lines > 0
        && rest.lines >= settings.min_lines.max(1)
        && rate(rest) <= UNHURT * rate(inside)
        && !exceeds(rest, settings, 1.0)
}

fn less(all: Tally, part: Tally) -> Tally {
    Tally {
        troubled: all.troubled.saturating_sub(part.troubled),
        lines: all.lines.saturating_sub(part.lines),
    }
}

fn rate(tally: Tally) -> f64 {
    f64::from(tally.troubled) / f64::from(tally.lines.max(1))
}
