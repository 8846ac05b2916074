//! `RouteTable`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use route_core::{Cause, FaultPlace, Health, LineView};

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

    #[pyo3(signature = (number, interconnect, health, place=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        number: &str,
        interconnect: InterconnectItem,
        health: &str,
        place: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let health: Health = health
            .parse()
            .map_err(|()| EngineError::new_err(format!("{health:?} is no health")))?;
        let cause = match health {
            Health::Up => Cause::OptionsAnswered,
            Health::Unknown => Cause::Start,
            Health::Suspect | Health::Down => Cause::OptionsTimeout,
        };
        let place: FaultPlace = place
            .unwrap_or("unclear")
            .parse()
            .map_err(|()| EngineError::new_err(format!("{place:?} is no place of a fault")))?;
        let interconnect = interconnect.read("interconnect")?;
        let view = LineView {
            health,
            cause,
            place,
            ..LineView::UNKNOWN
        };
        let explanation = dataplane::simulate(number, &interconnect, &self.snapshot(), view);
        explain::explanation(py, explanation)
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
