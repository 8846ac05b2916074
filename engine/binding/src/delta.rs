//! `Delta`: a dictionary of lists to `route_core::Delta`. Missing keys are empty lists.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use route_core::{Delta, LineSlot, LineSpec, RuleSlot, RuleSpec, TargetSpec};

use crate::errors::{DeltaError, delta_error};

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct LineItem {
    slot: u32,
    line_id: String,
    order_id: String,
    site_id: String,
    groups: Vec<String>,
    product: String,
    profile: String,
    kind: String,
    users: Vec<String>,
    credentials: Vec<(String, String, String)>,
    peers: Vec<(String, u32)>,
    #[pyo3(item("registrar"), default)]
    registrar: Option<(String, u32)>,
    request_uri: String,
    wish: String,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct TargetItem {
    digits: String,
    keep_after: Option<u32>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct RuleItem {
    slot: u32,
    rule_id: String,
    label: String,
    armed: bool,
    #[pyo3(item("rests"), default)]
    rests: String,
    targets: Vec<TargetItem>,
    #[pyo3(item("phone_system_targets"), default)]
    phone_system_targets: Vec<TargetItem>,
}

fn list(items: Vec<TargetItem>) -> Vec<TargetSpec> {
    let items = items.into_iter();
    let specs = items.map(|target| TargetSpec {
        digits: target.digits,
        keep_after: target.keep_after,
    });
    specs.collect()
}

const KEYS: [&str; 8] = [
    "lines",
    "lines_removed",
    "rules",
    "rules_removed",
    "exact",
    "exact_removed",
    "prefixes",
    "prefixes_removed",
];

pub(crate) fn read(dict: &Bound<'_, PyDict>) -> PyResult<Delta> {
    for key in dict.keys() {
        let key: String = key.extract()?;
        if !KEYS.contains(&key.as_str()) {
            return Err(DeltaError::new_err((
                key,
                format!("is not one of {}", KEYS.join(", ")),
            )));
        }
    }
    let mut delta = Delta::default();
    each(dict, "lines", |item: LineItem| {
        let spec = LineSpec {
            slot: item.slot,
            line_id: item.line_id,
            order_id: item.order_id,
            site_id: item.site_id,
            groups: item.groups,
            product: item.product,
            profile: item.profile,
            kind: item.kind,
            users: item.users,
            credentials: item.credentials,
            peers: item.peers,
            registrar: item.registrar,
            request_uri: item.request_uri,
            wish: item.wish,
        };
        delta.push_line(spec).map_err(delta_error)
    })?;
    each(dict, "lines_removed", |slot: u32| {
        delta.lines_removed.push(LineSlot(slot));
        Ok(())
    })?;
    each(dict, "rules", |item: RuleItem| {
        let spec = RuleSpec {
            slot: item.slot,
            rule_id: item.rule_id,
            label: item.label,
            armed: item.armed,
            rests: item.rests,
            targets: list(item.targets),
            phone_system_targets: list(item.phone_system_targets),
        };
        delta.push_rule(spec).map_err(delta_error)
    })?;
    each(dict, "rules_removed", |slot: u32| {
        delta.rules_removed.push(RuleSlot(slot));
        Ok(())
    })?;
    each(
        dict,
        "exact",
        |(digits, line, rule, flags): (String, u32, i64, u32)| {
            delta
                .push_exact(&digits, line, rule, flags)
                .map_err(delta_error)
        },
    )?;
    each(dict, "exact_removed", |digits: String| {
        delta.push_exact_removed(&digits).map_err(delta_error)
    })?;
    each(
        dict,
        "prefixes",
        |(digits, min, max, line, rule, flags): (String, u32, u32, u32, i64, u32)| {
            delta
                .push_prefix(&digits, min, max, line, rule, flags)
                .map_err(delta_error)
        },
    )?;
    each(dict, "prefixes_removed", |digits: String| {
        delta.push_prefix_removed(&digits).map_err(delta_error)
    })?;
    Ok(delta)
}

fn each<T>(
    dict: &Bound<'_, PyDict>,
    key: &str,
    mut push: impl FnMut(T) -> PyResult<()>,
) -> PyResult<()>
where
    T: for<'a, 'py> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let Some(items) = dict.get_item(key)? else {
        return Ok(());
    };
    let items = items.cast_into::<PyList>()?;
    for (position, item) in items.iter().enumerate() {
        let value = item.extract::<T>().map_err(|error| {
            let error: PyErr = error.into();
            DeltaError::new_err((
                format!("{key}[{position}]"),
                error.value(dict.py()).to_string(),
            ))
        })?;
        push(value)?;
    }
    Ok(())
}
