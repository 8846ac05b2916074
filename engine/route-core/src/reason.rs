//! What the headers of a 302 say about why a call is diverted.
use crate::verdict::Cause;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `reason` of the Diversion header field.
    pub diversion: &'static str,
    /// Cause value for `Reason: Q.850;cause=`.
    pub q850: u8,
    /// `text` beside it.
    pub q850_text: &'static str,
    /// `cause` parameter of the target's URI.
    pub cause_param: u16,
}

/// The row for what took the line out.
///
/// Sources: RFC 5806 for the tokens of `reason`; ITU-T Q.850 table 1 for the cause values, which RFC 6432 lets stand in
/// responses; RFC 4458 for `cause` (RFC 8119 adds a value that does not concern us), by the services that 3GPP TS 24.604
/// maps to them: 404 forwarding when not logged in, 408 on no reply, 503 when not reachable.
pub fn reason_for(cause: Cause) -> Reason {
    let row = |diversion, q850, q850_text, cause_param| Reason {
        diversion,
        q850,
        q850_text,
        cause_param,
    };
    match cause {
        // The destination's own interface is gone.
        Cause::NotRegistered | Cause::Expired | Cause::Removed => {
            row("out-of-service", 20, "Subscriber absent", 404)
        }
        // Nobody answers: the line, the network or the device is out of order.
        Cause::OptionsTimeout | Cause::Unreachable(_) => {
            row("out-of-service", 27, "Destination out of order", 503)
        }
        Cause::CallSilent => row("out-of-service", 18, "No user responding", 408),
        // Somebody answers, and says it cannot.
        Cause::OptionsCode(_) | Cause::CallFailed(_) => {
            row("out-of-service", 41, "Temporary failure", 503)
        }
        // The operator's doing.
        Cause::Wish => row("out-of-service", 31, "Normal, unspecified", 503),
        // No fault is known; stands here because the match is total.
        Cause::Start | Cause::OptionsAnswered | Cause::Registered | Cause::CallAnswered => {
            row("out-of-service", 31, "Normal, unspecified", 503)
        }
    }
}
