//! `RouteTable`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dataplane::Supposed;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use route_core::{Cause, FaultPlace, Health, Wish};

use crate::errors::{EngineError, delta_error};
use crate::settings::InterconnectItem;
use crate::{delta, explain};

#[pyclass(frozen, module = "sipproxy._engine")]
pub(crate) struct RouteTable {
    table: Mutex<route_core::RouteTable>,
}

impl RouteTable {
    /// The table as it stands; a clone costs a few counters.
    pub(crate) fn snapshot(&self) -> route_core::RouteTable {
        self.table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[pymethods]
impl RouteTable {
    #[new]
    fn new() -> Self {
        Self {
            table: Mutex::new(route_core::RouteTable::new(dataplane::random_u64())),
        }
    }

    fn apply(&self, py: Python<'_>, delta: &Bound<'_, PyDict>) -> PyResult<()> {
        let delta = delta::read(delta)?;
        py.detach(|| {
            self.table
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .load(delta)
        })
        .map_err(delta_error)
    }

    fn counts(&self) -> HashMap<&'static str, usize> {
        counts(&self.snapshot())
    }

    #[pyo3(signature = (number, interconnect, health, place=None, supposed=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        number: &str,
        interconnect: InterconnectItem,
        health: &str,
        place: Option<&str>,
        supposed: Option<SupposedItem>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let interconnect = interconnect.read("interconnect")?;
        let supposed = supposed.unwrap_or_default().read(health, place)?;
        let table = self.snapshot();
        explain::explanation(
            py,
            dataplane::simulate(number, &interconnect, &table, &supposed),
        )
    }

    #[pyo3(signature = (numbers, interconnect, health, place=None, supposed=None))]
    fn survey(
        &self,
        py: Python<'_>,
        numbers: Vec<String>,
        interconnect: InterconnectItem,
        health: &str,
        place: Option<&str>,
        supposed: Option<SupposedItem>,
    ) -> PyResult<Vec<explain::Row>> {
        let interconnect = interconnect.read("interconnect")?;
        let supposed = supposed.unwrap_or_default().read(health, place)?;
        let table = self.snapshot();
        let found =
            py.detach(move || dataplane::survey(&numbers, &interconnect, &table, &supposed));
        Ok(found.into_iter().map(explain::row).collect())
    }
}

/// `Supposed` of `_engine.pyi`.
#[derive(Default, FromPyObject)]
struct SupposedItem {
    #[pyo3(item)]
    cause: Option<String>,
    #[pyo3(item("wish"), default)]
    wish: Option<String>,
    #[pyo3(item("bound"), default)]
    bound: Option<bool>,
    #[pyo3(item("whole_site"), default)]
    whole_site: Option<bool>,
    #[pyo3(item("diverted_from"), default)]
    diverted_from: Vec<String>,
    #[pyo3(item("offers_history"), default)]
    offers_history: bool,
    #[pyo3(item("local"), default)]
    local: Option<String>,
}

impl SupposedItem {
    fn read(self, health: &str, place: Option<&str>) -> PyResult<Supposed> {
        let health: Health = health
            .parse()
            .map_err(|()| EngineError::new_err(format!("{health:?} is no health")))?;
        let usual = match health {
            Health::Up => Cause::OptionsAnswered,
            Health::Unknown => Cause::Start,
            Health::Suspect | Health::Down => Cause::OptionsTimeout,
        };
        let cause = match self.cause {
            None => usual,
            Some(slug) => Cause::from_slug(&slug)
                .ok_or_else(|| EngineError::new_err(format!("{slug:?} is no cause")))?,
        };
        let place: FaultPlace = place
            .unwrap_or("unclear")
            .parse()
            .map_err(|()| EngineError::new_err(format!("{place:?} is no place of a fault")))?;
        let wish = self
            .wish
            .map(|wish| {
                wish.parse::<Wish>()
                    .map_err(|()| EngineError::new_err(format!("{wish:?} is no wish")))
            })
            .transpose()?;
        let local = self.local.as_deref().unwrap_or("127.0.0.1:5060");
        Ok(Supposed {
            health,
            cause,
            place,
            wish,
            bound: self.bound.unwrap_or(true),
            whole_site: self.whole_site.unwrap_or(true),
            diverted_from: self.diverted_from,
            offers_history: self.offers_history,
            local: local
                .parse()
                .map_err(|_| EngineError::new_err(format!("{local:?} is no address")))?,
        })
    }
}

pub(crate) fn counts(table: &route_core::RouteTable) -> HashMap<&'static str, usize> {
    let counts = table.counts();
    HashMap::from([
        ("lines", counts.lines),
        ("rules", counts.rules),
        ("exact", counts.exact),
        ("prefixes", counts.prefixes),
        ("bytes", counts.bytes),
    ])
}
