//! Events as dictionaries.

use dataplane::{Event, EventBody};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::guard::guard_dict;
use crate::rows::{binding_tuple, masked, verdict_dict};

pub(crate) fn event(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("seq", event.seq)?;
    dict.set_item("at_unix_ms", event.at_unix_ms)?;
    match event.body {
        EventBody::Binding { change, row } => {
            dict.set_item("kind", "binding")?;
            dict.set_item("change", change.as_str())?;
            dict.set_item("binding", binding_tuple(*row))?;
        }
        EventBody::Verdict { previous, row } => {
            dict.set_item("kind", "verdict")?;
            dict.set_item("previous", previous.name())?;
            dict.set_item("verdict", verdict_dict(py, &row)?)?;
        }
        EventBody::Diverted(row) => {
            dict.set_item("kind", "diverted")?;
            dict.set_item("line", row.line.0)?;
            dict.set_item("rule", row.rule.0)?;
            dict.set_item("number", masked(&row.number.to_string()))?;
            dict.set_item("target", row.target.to_string())?;
            dict.set_item("how", row.how.as_str())?;
            dict.set_item("cause", row.cause.slug().0)?;
            dict.set_item("drill", row.drill)?;
        }
        EventBody::Calls(row) => {
            dict.set_item("kind", "calls")?;
            dict.set_item("line", row.line.0)?;
            dict.set_item("interval_ms", row.interval_ms)?;
            dict.set_item("offered", row.counts.offered)?;
            dict.set_item("completed", row.counts.completed)?;
            dict.set_item("declined", row.counts.declined)?;
            dict.set_item("cancelled", row.counts.cancelled)?;
            dict.set_item("diverted", row.counts.diverted)?;
            dict.set_item("rescued", row.counts.rescued)?;
            dict.set_item("failed", row.counts.failed)?;
        }
        EventBody::Guard(row) => {
            dict.set_item("kind", "guard")?;
            dict.set_item("guard", guard_dict(py, &row)?)?;
        }
        EventBody::Lost { count } => {
            dict.set_item("kind", "lost")?;
            dict.set_item("count", count)?;
        }
    }
    Ok(dict)
}
