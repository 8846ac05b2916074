//! What calls would get from a table, without an engine: the state of the lines is supposed, everything else is decided as for calls.

use std::net::SocketAddr;

use route_core::{Cause, FaultPlace, Health, LineSlot, LineView, NoTrace, RouteTable, Wish};

use crate::explain::{Asked, Explanation, decided, explain};
use crate::settings::Interconnect;

/// What is supposed of the called line and of the call.
#[derive(Clone, Debug)]
pub struct Supposed {
    /// What the evidence says of the called line.
    pub health: Health,
    /// What brought that about.
    pub cause: Cause,
    /// Where the fault is.
    pub place: FaultPlace,
    /// What the operator wants of it; `None`: what the table says.
    pub wish: Option<Wish>,
    /// Whether there is an address to send a call to.
    pub bound: bool,
    /// Whether the other lines at its site are in the same state. All others are up.
    pub whole_site: bool,
    /// The numbers that the call was diverted from before, in any form of the interconnect.
    pub diverted_from: Vec<String>,
    /// The call says `Supported: histinfo`.
    pub offers_history: bool,
    /// Our address where it comes in: the host of URIs where the interconnect names no domain.
    pub local: SocketAddr,
}

impl Supposed {
    fn view_of(&self, table: &RouteTable, home: Option<LineSlot>, slot: LineSlot) -> LineView {
        let line = table.line(slot);
        let own = line.map(|line| line.wish).unwrap_or_default();
        let site = |slot: LineSlot| table.line(slot).map(|line| &*line.site_id);
        let hit = Some(slot) == home
            || (self.whole_site
                && line.is_some_and(|line| !line.site_id.is_empty())
                && home.and_then(site) == site(slot));
        if !hit {
            return LineView {
                health: Health::Up,
                cause: Cause::OptionsAnswered,
                wish: own,
                ..LineView::UNKNOWN
            };
        }
        LineView {
            health: self.health,
            cause: self.cause,
            place: self.place,
            wish: self.wish.unwrap_or(own),
            bound: self.bound,
            ..LineView::UNKNOWN
        }
    }

    fn asked<'a>(
        &'a self,
        number: &'a str,
        interconnect: &'a Interconnect,
        table: &'a RouteTable,
    ) -> (Asked<'a>, Option<LineSlot>) {
        let called = interconnect.plan.canonical(number.trim().as_bytes());
        let home = called
            .ok()
            .and_then(|called| table.find(called))
            .map(|found| found.entry.line);
        let asked = Asked {
            number,
            interconnect,
            table,
            local: self.local,
            diverted_from: &self.diverted_from,
            offers_history: self.offers_history,
        };
        (asked, home)
    }
}

/// What a call would get from `table` if its line were as supposed, and why.
pub fn simulate(
    number: &str,
    interconnect: &Interconnect,
    table: &RouteTable,
    supposed: &Supposed,
) -> Explanation {
    let (asked, home) = supposed.asked(number, interconnect, table);
    explain(
        &asked,
        |slot| supposed.view_of(table, home, slot),
        |_| Vec::new(),
    )
}

/// The same for many numbers, without sentences and header fields.
pub fn survey(
    numbers: &[String],
    interconnect: &Interconnect,
    table: &RouteTable,
    supposed: &Supposed,
) -> Vec<Explanation> {
    let one = |number: &String| {
        let (asked, home) = supposed.asked(number, interconnect, table);
        decided(
            &asked,
            |slot| supposed.view_of(table, home, slot),
            &mut NoTrace,
        )
    };
    numbers.iter().map(one).collect()
}
