//! Events as dictionaries.

use dataplane::{Event, EventBody};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::rows::{binding_tuple, verdict_dict};

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
        EventBody::Lost { count } => {
            dict.set_item("kind", "lost")?;
            dict.set_item("count", count)?;
        }
    }
    Ok(dict)
}
