//! Lines that are asked before their time, because something beside them speaks against them.

use std::time::Duration;

use route_core::LineSlot;

use super::{pace, profile_of};
use crate::worker::{Core, View};

/// Many lines are not asked faster than this, each.
const APART: Duration = Duration::from_micros(500);

impl Core {
    /// Ask these lines, of which others may own some, within their fast interval, or over the time that so many need.
    pub(crate) fn ask_lines(&mut self, lines: &[LineSlot], view: &View) {
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        for line in lines.iter().copied() {
            let profile = profile_of(line, view).verdict.sane();
            let window = profile
                .fast_interval
                .max(APART.saturating_mul(count))
                .min(profile.interval);
            let Some(owned) = self.lines.owned.get_mut(&line) else {
                continue;
            };
            for (position, watch) in owned.watches.iter_mut().enumerate() {
                watch
                    .health
                    .ask_by(self.now + pace::spread(line, position, window));
            }
            self.settle(line, view);
        }
    }
}
