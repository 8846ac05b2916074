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
/// Sources: RFC 5806 §5.1 (diversion-reason tokens), ITU-T Q.850 §2.2.7 (cause values) carried in responses by RFC 6432 §1, RFC 4458 §2.1
/// with RFC 8119 §2 (`cause`: 404 unknown or not available, 408 no reply, 503 unavailable or deflection on fault).
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
        Cause::OptionsTimeout | Cause::Icmp => {
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
