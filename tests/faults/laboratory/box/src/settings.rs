//! What one direction of a wire does, as it is told by name.

/// Percentages of packets, milliseconds, bits per second; all zero: a short cable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Percent lost.
    pub(crate) loss: f64,
    /// Delay.
    pub(crate) delay_ms: f64,
    /// Half the width of the delay's spread.
    pub(crate) jitter_ms: f64,
    /// The spread is a normal one, cut at two standard deviations.
    pub(crate) normal: bool,
    /// Percent held back.
    pub(crate) reorder: f64,
    /// How much longer those take.
    pub(crate) reorder_ms: f64,
    /// Percent sent twice.
    pub(crate) duplicate: f64,
    /// Percent with one wrong bit.
    pub(crate) corrupt: f64,
    /// Rate of whole frames; 0: no limit.
    pub(crate) rate_bps: f64,
    /// Longest wait for the rate.
    pub(crate) queue_ms: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            loss: 0.0,
            delay_ms: 0.0,
            jitter_ms: 0.0,
            normal: false,
            reorder: 0.0,
            reorder_ms: 30.0,
            duplicate: 0.0,
            corrupt: 0.0,
            rate_bps: 0.0,
            queue_ms: 200.0,
        }
    }
}

const LONGEST_MS: f64 = 600_000.0;

impl Settings {
    /// Change one setting. The error says what is wrong; nothing has changed then.
    pub(crate) fn set(&mut self, name: &str, value: f64) -> Result<(), String> {
        let (place, most) = match name {
            "normal" => {
                self.normal = value != 0.0;
                return Ok(());
            }
            "loss" => (&mut self.loss, 100.0),
            "reorder" => (&mut self.reorder, 100.0),
            "duplicate" => (&mut self.duplicate, 100.0),
            "corrupt" => (&mut self.corrupt, 100.0),
            "delay_ms" => (&mut self.delay_ms, LONGEST_MS),
            "jitter_ms" => (&mut self.jitter_ms, LONGEST_MS),
            "reorder_ms" => (&mut self.reorder_ms, LONGEST_MS),
            "queue_ms" => (&mut self.queue_ms, LONGEST_MS),
            "rate_bps" => (&mut self.rate_bps, 1e12),
            _ => return Err(format!("there is no setting {name}")),
        };
        if !(0.0..=most).contains(&value) {
            return Err(format!("{name} is between 0 and {most}"));
        }
        *place = value;
        Ok(())
    }
}
