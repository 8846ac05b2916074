//! `Explanation` as a dictionary.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

pub(crate) fn explanation(
    py: Python<'_>,
    from: dataplane::Explanation,
) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("number", from.number)?;
    dict.set_item("decision", from.decision)?;
    dict.set_item("status", from.status)?;
    dict.set_item("line", from.line.map(|line| line.0))?;
    dict.set_item("rule", from.rule.map(|rule| rule.0))?;
    dict.set_item("health", from.health.map(route_core::Health::name))?;
    dict.set_item("targets", from.targets)?;
    let hops: Vec<String> = from.next_hops.iter().map(ToString::to_string).collect();
    dict.set_item("next_hops", hops)?;
    let trace = PyList::empty(py);
    for (step, text) in from.trace {
        let row = PyDict::new(py);
        row.set_item("step", step)?;
        row.set_item("text", text)?;
        trace.append(row)?;
    }
    dict.set_item("trace", trace)?;
    Ok(dict)
}
