//! Random numbers of one packet: a row of its own, so that no decision moves another.

/// `SplitMix64`: small, and good enough for coins.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The row of packet `number` in a lane.
    pub(crate) fn of_packet(lane_seed: u64, number: u64) -> Self {
        Self(mix(lane_seed
            ^ mix(number
                .wrapping_mul(0xA076_1D64_78BD_642F)
                .wrapping_add(1))))
    }

    /// The seed of a lane, from that of the run and the lane's place.
    pub(crate) fn lane_seed(seed: u64, lane: u64) -> u64 {
        mix(mix(seed).wrapping_add(lane.wrapping_mul(0xE703_7ED1_A0B4_28DB)))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in 0 ≤ x < 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with a probability in percent.
    pub(crate) fn percent(&mut self, percent: f64) -> bool {
        self.uniform() * 100.0 < percent
    }

    /// Standard normal, cut at ±2 (polar method).
    pub(crate) fn cut_normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let value = x * (-2.0 * square.ln() / square).sqrt();
                if value.abs() <= 2.0 {
                    return value;
                }
            }
        }
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
