//! `Engine`.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors::{delta_error, settings_error};
use crate::rows::{
    BindingTuple, RegistrationTuple, VerdictItem, binding_row, binding_tuple, call_record,
    line_state, registration_row, verdict_dict,
};
use crate::settings::{SettingsItem, seconds};
use crate::table::{RouteTable, counts};
use crate::{delta, events, explain, guard};

#[pyclass(frozen, module = "sipproxy._engine")]
pub(crate) struct Engine {
    engine: dataplane::Engine,
}

/// name → (upper bounds in seconds, counts with the overflow last, sum in seconds)
type Histograms = HashMap<&'static str, (Vec<f64>, Vec<u64>, f64)>;

#[pymethods]
impl Engine {
    #[new]
    fn new(settings: SettingsItem) -> PyResult<Self> {
        dataplane::Engine::new(settings.read()?)
            .map(|engine| Self { engine })
            .map_err(settings_error)
    }

    fn start(&self) {
        self.engine.start();
    }

    fn addresses(&self) -> Vec<String> {
        self.engine
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn reconfigure(&self, py: Python<'_>, settings: SettingsItem) -> PyResult<()> {
        let settings = settings.read()?;
        py.detach(|| self.engine.reconfigure(settings))
            .map_err(settings_error)
    }

    fn replace(&self, py: Python<'_>, table: &RouteTable) {
        let table = table.snapshot();
        py.detach(|| self.engine.replace(table));
    }

    fn apply(&self, py: Python<'_>, delta: &Bound<'_, PyDict>) -> PyResult<()> {
        let delta = delta::read(delta)?;
        py.detach(|| self.engine.apply(delta)).map_err(delta_error)
    }

    fn counts(&self) -> HashMap<&'static str, usize> {
        counts(&self.engine.table())
    }

    fn restore_bindings(&self, py: Python<'_>, rows: Vec<BindingTuple>) -> PyResult<usize> {
        let rows = rows
            .into_iter()
            .map(binding_row)
            .collect::<PyResult<Vec<_>>>()?;
        let count = rows.len();
        py.detach(|| self.engine.restore_bindings(rows));
        Ok(count)
    }

    fn restore_verdicts(&self, py: Python<'_>, rows: Vec<VerdictItem>) -> PyResult<usize> {
        let rows = rows
            .into_iter()
            .map(VerdictItem::read)
            .collect::<PyResult<Vec<_>>>()?;
        let count = rows.len();
        py.detach(|| self.engine.restore_verdicts(rows));
        Ok(count)
    }

    fn report_registrations(
        &self,
        py: Python<'_>,
        rows: Vec<RegistrationTuple>,
    ) -> PyResult<usize> {
        let rows = rows
            .into_iter()
            .map(registration_row)
            .collect::<PyResult<Vec<_>>>()?;
        Ok(py.detach(|| self.engine.report_registrations(rows)))
    }

    fn event_fd(&self) -> i32 {
        self.engine.event_fd()
    }

    #[pyo3(signature = (limit = 1000))]
    fn events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in self.engine.events(limit) {
            list.append(events::event(py, event)?)?;
        }
        Ok(list)
    }

    fn stored(&self, seq: u64) {
        self.engine.stored(seq);
    }

    fn bindings(&self, py: Python<'_>, offset: usize, limit: usize) -> Vec<BindingTuple> {
        let rows = py.detach(|| self.engine.bindings(offset, limit));
        rows.into_iter().map(binding_tuple).collect()
    }

    fn verdicts<'py>(
        &self,
        py: Python<'py>,
        offset: usize,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let rows = py.detach(|| self.engine.verdicts(offset, limit));
        let list = PyList::empty(py);
        for row in &rows {
            list.append(verdict_dict(py, row)?)?;
        }
        Ok(list)
    }

    fn line_states<'py>(
        &self,
        py: Python<'py>,
        offset: usize,
        limit: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let states = py.detach(|| self.engine.line_states(offset, limit));
        let table = self.engine.table();
        let list = PyList::empty(py);
        for state in &states {
            list.append(line_state(py, state, &table)?)?;
        }
        Ok(list)
    }

    fn explain<'py>(
        &self,
        py: Python<'py>,
        number: &str,
        interconnect: &str,
    ) -> PyResult<Bound<'py, PyDict>> {
        let explanation = self
            .engine
            .explain(number, interconnect)
            .map_err(settings_error)?;
        explain::explanation(py, explanation)
    }

    fn calls<'py>(&self, py: Python<'py>, call_id: &str) -> PyResult<Bound<'py, PyList>> {
        let rows = py.detach(|| self.engine.calls(call_id.as_bytes()));
        let list = PyList::empty(py);
        for row in &rows {
            list.append(call_record(py, call_id, row)?)?;
        }
        Ok(list)
    }

    fn counters(&self) -> HashMap<&'static str, u64> {
        self.engine.counters().into_iter().collect()
    }

    fn histograms(&self) -> Histograms {
        HashMap::from([("probe_round_trip", self.engine.probe_round_trips())])
    }

    fn worker_counters(&self) -> Vec<HashMap<&'static str, u64>> {
        self.engine
            .worker_counters()
            .into_iter()
            .map(|worker| worker.into_iter().collect())
            .collect()
    }

    fn guard<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guard::state_dict(py, &self.engine.guard())
    }

    fn guard_freeze(&self, by: &str, limit_s: f64) -> PyResult<bool> {
        let limit = seconds(limit_s, "limit_s")?;
        Ok(self.engine.guard_freeze(by, limit))
    }

    fn guard_release(&self, by: &str) -> bool {
        self.engine.guard_release(by)
    }

    fn doubt(&self, py: Python<'_>, lines: Vec<u32>) {
        let lines = lines.into_iter().map(route_core::LineSlot).collect();
        py.detach(|| self.engine.doubt(lines));
    }

    fn drain(&self) {
        self.engine.drain();
    }

    fn drained(&self) -> bool {
        self.engine.drained()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.engine.stop());
    }
}
