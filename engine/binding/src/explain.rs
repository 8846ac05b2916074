//! `Explanation` as a dictionary, `SurveyRow` as a tuple.

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
    dict.set_item("reason", from.reason)?;
    dict.set_item("line", from.line.map(|line| line.0))?;
    dict.set_item("rule", from.rule.map(|rule| rule.0))?;
    dict.set_item("found_rule", from.found_rule.map(|rule| rule.0))?;
    dict.set_item("in_force", from.in_force)?;
    dict.set_item("health", from.health.map(route_core::Health::name))?;
    dict.set_item("sent", from.sent)?;
    dict.set_item("targets", from.targets)?;
    dict.set_item("numbers", from.numbers)?;
    dict.set_item("left_out", from.left_out)?;
    dict.set_item("headers", from.headers)?;
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

/// `SurveyRow` of `_engine.pyi`.
pub(crate) type Row = (
    &'static str,
    u16,
    &'static str,
    i64,
    i64,
    bool,
    Vec<String>,
    &'static str,
);

pub(crate) fn row(from: dataplane::Explanation) -> Row {
    let left_out = from.left_out.first().map_or("", |(_, slug, _)| slug);
    let decision = match from.sent {
        "last_try" => "last_try",
        _ => from.decision,
    };
    (
        decision,
        from.status,
        from.reason,
        from.line.map_or(-1, |line| i64::from(line.0)),
        from.found_rule.map_or(-1, |rule| i64::from(rule.0)),
        from.in_force,
        from.numbers,
        left_out,
    )
}
