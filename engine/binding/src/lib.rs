//! The extension module `sipproxy._engine`: conversions and error mapping, nothing else.
//!
//! What it offers is described in `sipproxy/_engine.pyi`; each method here is one call into `dataplane` or `route-core`.

mod delta;
mod engine;
mod errors;
mod events;
mod explain;
mod guard;
mod message;
mod rows;
mod settings;
mod table;
mod virtual_engine;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    use pyo3::types::PyDict;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};
    use pyo3::prelude::PyDictMethods;

    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::errors::{DeltaError, EngineError, MessageError, SettingsError};
    #[pymodule_export]
    use super::message::{ParsedMessage, digest_answer, parse_message};
    #[pymodule_export]
    use super::settings::detection_bounds;
    #[pymodule_export]
    use super::table::RouteTable;
    #[pymodule_export]
    use super::virtual_engine::VirtualEngine;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("NOT_LIVE", route_core::NOT_LIVE)?;
        let build = PyDict::new(module.py());
        build.set_item("version", env!("CARGO_PKG_VERSION"))?;
        build.set_item(
            "profile",
            if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        )?;
        build.set_item("rustc", env!("ENGINE_RUSTC_VERSION"))?;
        module.add("BUILD", build)
    }
}
