//! `parse_message` and `digest_answer`: the engine's own parser and digest, for the few messages that Python handles itself.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sip_core::digest::{Credentials, ServerChallenge, respond};
use sip_core::header::HeaderName;
use sip_core::message::{HeaderIndex, Message};

use crate::errors::MessageError;

/// A SIP message as Python sees it: text is ISO 8859-1, so that every octet comes back as it was.
#[pyclass(frozen, get_all, module = "sipproxy._engine")]
pub(crate) struct ParsedMessage {
    method: String,
    request_uri: String,
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    call_id: String,
    cseq: u32,
    from_tag: Option<String>,
    to_tag: Option<String>,
    branch: Option<String>,
    expires: Option<u32>,
    contact_uris: Vec<String>,
    record_routes: Vec<String>,
}

#[pymethods]
impl ParsedMessage {
    /// The values of all lines of that name, split at commas where the header field is a list.
    fn values(&self, name: &str) -> Vec<String> {
        let wanted = HeaderName::from_bytes(name.as_bytes());
        self.headers
            .iter()
            .filter(|(own, _)| match wanted {
                HeaderName::Other => own.eq_ignore_ascii_case(name),
                known => HeaderName::from_bytes(own.as_bytes()) == known,
            })
            .map(|(_, value)| value.clone())
            .collect()
    }
}

/// Parse one datagram.
#[pyfunction]
pub(crate) fn parse_message(data: &[u8]) -> PyResult<ParsedMessage> {
    let mut index = HeaderIndex::new();
    let message = Message::parse(data, &mut index)
        .map_err(|fault| MessageError::new_err((fault.status().unwrap_or(0), fault.reason())))?;
    let reason = match message.start_line() {
        sip_core::message::StartLine::Request { .. } => String::new(),
        sip_core::message::StartLine::Response { reason, .. } => text(reason),
    };
    let uris = message
        .contacts()
        .filter_map(|contact| Some(text(contact.ok()?.uri)));
    let branch = message.top_via().ok().and_then(|via| via.branch);
    Ok(ParsedMessage {
        method: text(message.method().as_bytes()),
        request_uri: text(message.request_uri()),
        status: message.status().unwrap_or(0),
        reason,
        headers: message
            .lines()
            .map(|line| {
                let name = match line.name {
                    HeaderName::Other => text(line.field_name),
                    known => known.as_str().to_owned(),
                };
                (name, text(line.value))
            })
            .collect(),
        body: message.body().to_vec(),
        call_id: text(message.call_id()),
        cseq: message.cseq().number,
        from_tag: message.from_tag().map(text),
        to_tag: message.to_tag().map(text),
        branch: branch.map(text),
        expires: message.expires(),
        contact_uris: uris.collect(),
        record_routes: message.values(HeaderName::RecordRoute).map(text).collect(),
    })
}

/// The value of Authorization or Proxy-Authorization for a challenge; `None` if it is none that can be answered.
#[pyfunction]
pub(crate) fn digest_answer(
    challenge: &str,
    method: &str,
    uri: &str,
    username: &str,
    password: &str,
    cnonce: &str,
    nonce_count: u32,
) -> PyResult<Option<String>> {
    let challenge = octets(challenge)?;
    let Some(challenge) = ServerChallenge::parse(&challenge) else {
        return Ok(None);
    };
    let credentials = Credentials::Password(username.as_bytes(), password.as_bytes());
    let value = respond(
        &challenge,
        credentials,
        method.as_bytes(),
        &octets(uri)?,
        cnonce.as_bytes(),
        nonce_count,
    );
    Ok(value.as_deref().map(text))
}

/// Octets as ISO 8859-1, on one line (RFC 3261 §7.3.1 lets a value fold).
fn text(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|octet| match octet {
            b'\r' | b'\n' => ' ',
            octet => char::from(*octet),
        })
        .collect()
}

fn octets(text: &str) -> PyResult<Vec<u8>> {
    text.chars()
        .map(|c| u8::try_from(c).map_err(|_| PyValueError::new_err("beyond ISO 8859-1")))
        .collect()
}
