//! The own-fault guard: its events and its state as dictionaries.

use dataplane::{GroupRow, GuardRow, GuardState, PastFreeze};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// `GuardRow` of the `.pyi`.
pub(crate) fn guard_dict<'py>(py: Python<'py>, row: &GuardRow) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("change", if row.frozen { "frozen" } else { "released" })?;
    dict.set_item("why", row.why)?;
    dict.set_item("by", &row.by)?;
    dict.set_item("held", row.held)?;
    dict.set_item("troubled", row.troubled)?;
    dict.set_item("lines", row.lines)?;
    dict.set_item("groups", groups(py, &row.groups)?)?;
    Ok(dict)
}

/// `GuardState` of the `.pyi`.
pub(crate) fn state_dict<'py>(py: Python<'py>, state: &GuardState) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("enabled", state.enabled)?;
    dict.set_item("frozen", state.reason.is_some())?;
    dict.set_item("reason", state.reason)?;
    dict.set_item("by", &state.by)?;
    dict.set_item("since_unix_ms", state.since_unix_ms)?;
    dict.set_item("until_unix_ms", state.until_unix_ms)?;
    dict.set_item("held", state.held)?;
    dict.set_item("troubled", state.troubled)?;
    dict.set_item("lines", state.lines)?;
    dict.set_item("groups", groups(py, &state.groups)?)?;
    dict.set_item("freezes", state.freezes)?;
    let last = PyList::empty(py);
    for freeze in &state.last {
        last.append(past(py, freeze)?)?;
    }
    dict.set_item("last", last)?;
    Ok(dict)
}

fn past<'py>(py: Python<'py>, freeze: &PastFreeze) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("reason", freeze.reason)?;
    dict.set_item("by", &freeze.by)?;
    dict.set_item("from_unix_ms", freeze.from_unix_ms)?;
    dict.set_item("until_unix_ms", freeze.until_unix_ms)?;
    dict.set_item("released", freeze.released)?;
    dict.set_item("held", freeze.held)?;
    dict.set_item("troubled", freeze.troubled)?;
    dict.set_item("lines", freeze.lines)?;
    Ok(dict)
}

fn groups<'py>(py: Python<'py>, rows: &[GroupRow]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for row in rows {
        let dict = PyDict::new(py);
        dict.set_item("group", &row.group)?;
        dict.set_item("troubled", row.troubled)?;
        dict.set_item("lines", row.lines)?;
        list.append(dict)?;
    }
    Ok(list)
}
