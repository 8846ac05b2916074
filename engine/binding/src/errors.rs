//! The one conversion of Rust errors to Python exceptions; `.pyi` says what their `args` hold.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(sipproxy._engine, EngineError, PyException);
create_exception!(sipproxy._engine, SettingsError, EngineError);
create_exception!(sipproxy._engine, DeltaError, EngineError);
create_exception!(sipproxy._engine, MessageError, EngineError);

pub(crate) fn settings_error(error: dataplane::SettingsError) -> PyErr {
    SettingsError::new_err((error.place, error.what, error.remedy))
}

pub(crate) fn delta_error(error: route_core::DeltaError) -> PyErr {
    DeltaError::new_err((error.where_, error.what))
}

/// A value that cannot be what the setting asks for.
pub(crate) fn bad_setting(
    place: impl Into<String>,
    what: impl Into<String>,
    remedy: &str,
) -> PyErr {
    SettingsError::new_err((place.into(), what.into(), remedy.to_owned()))
}
