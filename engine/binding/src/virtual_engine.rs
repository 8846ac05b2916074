//! `VirtualEngine`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dataplane::Datagram;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use route_core::Unreachable;

use crate::errors::{EngineError, delta_error, settings_error};
use crate::rows::{BindingTuple, VerdictItem, binding_row, binding_tuple, line_state};
use crate::settings::SettingsItem;
use crate::table::RouteTable;
use crate::{delta, events};

#[pyclass(frozen, module = "sipproxy._engine")]
pub(crate) struct VirtualEngine {
    engine: Mutex<dataplane::VirtualEngine>,
}

/// (Unix time in microseconds, from, to, octets)
type DatagramTuple<'py> = (u64, String, String, Bound<'py, PyBytes>);

impl VirtualEngine {
    fn lock(&self) -> MutexGuard<'_, dataplane::VirtualEngine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl VirtualEngine {
    #[new]
    fn new(settings: SettingsItem, now_unix_us: u64) -> PyResult<Self> {
        dataplane::VirtualEngine::new(settings.read()?, now_unix_us)
            .map(|engine| Self {
                engine: Mutex::new(engine),
            })
            .map_err(settings_error)
    }

    fn now(&self) -> u64 {
        self.lock().now()
    }

    fn run<'py>(&self, py: Python<'py>, until_unix_us: u64) -> Vec<DatagramTuple<'py>> {
        let sent = py.detach(|| self.lock().run(until_unix_us));
        sent.into_iter().map(|one| datagram(py, &one)).collect()
    }

    fn sent<'py>(&self, py: Python<'py>) -> Vec<DatagramTuple<'py>> {
        let sent = self.lock().sent();
        sent.into_iter().map(|one| datagram(py, &one)).collect()
    }

    fn receive(&self, octets: &[u8], source: &str, destination: &str) -> PyResult<()> {
        let (from, to) = (address(source)?, address(destination)?);
        if self.lock().receive(octets, from, to) {
            return Ok(());
        }
        Err(EngineError::new_err(format!(
            "{destination} is none of the listen addresses"
        )))
    }

    fn unreachable(
        &self,
        kind: &str,
        by_target: bool,
        destination: &str,
        quote: &[u8],
    ) -> PyResult<()> {
        let kind = Unreachable::ALL
            .into_iter()
            .find(|known| known.slug() == kind)
            .ok_or_else(|| EngineError::new_err(format!("{kind:?} is no kind of unreachable")))?;
        let destination = address(destination)?;
        self.lock().unreachable(kind, by_target, destination, quote);
        Ok(())
    }

    fn reconfigure(&self, settings: SettingsItem) -> PyResult<()> {
        self.lock()
            .reconfigure(settings.read()?)
            .map_err(settings_error)
    }

    fn replace(&self, table: &RouteTable) {
        self.lock().replace(table.snapshot());
    }

    fn apply(&self, delta: &Bound<'_, PyDict>) -> PyResult<()> {
        let delta = delta::read(delta)?;
        self.lock().apply(delta).map_err(delta_error)
    }

    fn restore_bindings(&self, rows: Vec<BindingTuple>) -> PyResult<()> {
        let rows: PyResult<Vec<_>> = rows.into_iter().map(binding_row).collect();
        self.lock().restore_bindings(rows?);
        Ok(())
    }

    fn restore_verdicts(&self, rows: Vec<VerdictItem>) -> PyResult<()> {
        let rows: PyResult<Vec<_>> = rows.into_iter().map(VerdictItem::read).collect();
        self.lock().restore_verdicts(rows?);
        Ok(())
    }

    #[pyo3(signature = (limit = 1000))]
    fn events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in self.lock().events(limit) {
            list.append(events::event(py, event)?)?;
        }
        Ok(list)
    }

    fn stored(&self, seq: u64) {
        self.lock().stored(seq);
    }

    fn bindings(&self) -> Vec<BindingTuple> {
        let rows = self.lock().bindings();
        rows.into_iter().map(binding_tuple).collect()
    }

    fn line_states<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut engine = self.lock();
        let (states, table) = (engine.line_states(), engine.table());
        let list = PyList::empty(py);
        for state in &states {
            list.append(line_state(py, state, &table)?)?;
        }
        Ok(list)
    }

    fn counters(&self) -> HashMap<&'static str, u64> {
        self.lock().counters().into_iter().collect()
    }
}

fn address(text: &str) -> PyResult<SocketAddr> {
    text.parse()
        .map_err(|_| EngineError::new_err(format!("{text:?} is no address")))
}

fn datagram<'py>(py: Python<'py>, sent: &Datagram) -> DatagramTuple<'py> {
    (
        sent.at_unix_us,
        sent.source.to_string(),
        sent.destination.to_string(),
        PyBytes::new(py, &sent.bytes),
    )
}
