//! Bindings, verdicts, states and call records: tuples and dictionaries both ways.

use std::net::SocketAddr;

use dataplane::{BindingRow, CallRow, LineState, RegistrationRow, VerdictRow};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use route_core::LineSlot;

use crate::errors::EngineError;

/// `BindingRow` of the `.pyi`.
pub(crate) type BindingTuple = (u32, String, String, u64, String, u32, u16, String, String);

pub(crate) fn binding_tuple(row: BindingRow) -> BindingTuple {
    (
        row.line.0,
        row.contact,
        row.received.to_string(),
        row.expires_unix_ms,
        row.call_id,
        row.cseq,
        row.q,
        row.user_agent,
        row.user,
    )
}

pub(crate) fn binding_row(tuple: BindingTuple) -> PyResult<BindingRow> {
    let (line, contact, received, expires_unix_ms, call_id, cseq, q, user_agent, user) = tuple;
    let received: SocketAddr = received.parse().map_err(|_| {
        EngineError::new_err(format!(
            "binding of line {line}: {received:?} is no address"
        ))
    })?;
    let line = LineSlot(line);
    Ok(BindingRow {
        line,
        contact,
        received,
        expires_unix_ms,
        call_id,
        cseq,
        q,
        user_agent,
        user,
    })
}

/// `RegistrationRow` of the `.pyi`.
pub(crate) type RegistrationTuple = (u32, String, u64, u64, u32, String);

pub(crate) fn registration_row(tuple: RegistrationTuple) -> PyResult<RegistrationRow> {
    let (line, state, since_unix_ms, expires_unix_ms, contacts, evidence) = tuple;
    let state = state.parse().map_err(|()| {
        EngineError::new_err(format!(
            "registration of line {line}: {state:?} is no state of a registration"
        ))
    })?;
    Ok(RegistrationRow {
        line: LineSlot(line),
        user: String::new(),
        state,
        since_unix_ms,
        expires_unix_ms: (expires_unix_ms != 0).then_some(expires_unix_ms),
        contacts,
        order: None,
        evidence,
    })
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct VerdictItem {
    line: u32,
    health: String,
    since_unix_ms: u64,
    cause: String,
    evidence: String,
    place: String,
}

impl VerdictItem {
    pub(crate) fn read(self) -> PyResult<VerdictRow> {
        let health = self.health.parse().map_err(|()| {
            EngineError::new_err(format!(
                "verdict of line {}: {:?} is no health",
                self.line, self.health
            ))
        })?;
        let place = self.place.parse().map_err(|()| {
            EngineError::new_err(format!(
                "verdict of line {}: {:?} is no place of a fault",
                self.line, self.place
            ))
        })?;
        Ok(VerdictRow {
            line: LineSlot(self.line),
            health,
            since_unix_ms: self.since_unix_ms,
            cause: self.cause,
            evidence: self.evidence,
            place,
        })
    }
}

pub(crate) fn verdict_dict<'py>(py: Python<'py>, row: &VerdictRow) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("line", row.line.0)?;
    dict.set_item("health", row.health.name())?;
    dict.set_item("since_unix_ms", row.since_unix_ms)?;
    dict.set_item("cause", &row.cause)?;
    dict.set_item("evidence", &row.evidence)?;
    dict.set_item("place", row.place.name())?;
    Ok(dict)
}

pub(crate) fn line_state<'py>(
    py: Python<'py>,
    state: &LineState,
    table: &route_core::RouteTable,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let line = table.line(state.line);
    let wish = line.map(|line| line.wish).unwrap_or_default();
    let effective = route_core::effective(wish, state.verdict.health);
    dict.set_item("line", state.line.0)?;
    dict.set_item(
        "line_id",
        line.map(|line| line.line_id.to_string())
            .unwrap_or_default(),
    )?;
    dict.set_item("wish", wish.name())?;
    dict.set_item("health", state.verdict.health.name())?;
    dict.set_item("effective", effective.name())?;
    dict.set_item("diverting", effective == route_core::Health::Down)?;
    dict.set_item("since_unix_ms", state.verdict.since_unix_ms)?;
    dict.set_item("cause", &state.verdict.cause)?;
    dict.set_item("evidence", &state.verdict.evidence)?;
    dict.set_item("place", state.verdict.place.name())?;
    dict.set_item("bindings", state.bindings)?;
    let targets = PyList::empty(py);
    for target in &state.targets {
        let row = PyDict::new(py);
        row.set_item("address", target.address.to_string())?;
        row.set_item("health", target.health.name())?;
        #[allow(clippy::cast_precision_loss, reason = "shown to people")]
        row.set_item("rtt_ms", target.rtt_us.map(|rtt| rtt as f64 / 1000.0))?;
        row.set_item("last_seen_unix_ms", target.last_seen_unix_ms)?;
        targets.append(row)?;
    }
    dict.set_item("targets", targets)?;
    Ok(dict)
}

/// A call's record; the number keeps all but its last three digits.
pub(crate) fn call_record<'py>(
    py: Python<'py>,
    call_id: &str,
    row: &CallRow,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("call_id", call_id)?;
    dict.set_item("at_unix_ms", row.at_unix_ms)?;
    dict.set_item("number", masked(&row.number))?;
    dict.set_item("line", row.line.map(|line| line.0))?;
    dict.set_item("rule", row.rule.map(|rule| rule.0))?;
    dict.set_item("decision", row.decision)?;
    dict.set_item("steps", row.steps.clone())?;
    Ok(dict)
}

pub(crate) fn masked(number: &str) -> String {
    let shown = number.len().saturating_sub(3);
    format!("+{}{}", &number[..shown], ".".repeat(number.len() - shown))
}
