//! How far a measured share can be from the true one.

use serde::{Deserialize, Serialize};

/// The 97.5 % point of the normal distribution: five per cent outside, half of it on each side.
const Z: f64 = 1.959_963_984_540_054;

/// Bounds of a share, as fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound, at least 0.
    pub low: f64,
    /// Upper bound, at most 1.
    pub high: f64,
}

impl Interval {
    /// Wilson's 95 % interval for `right` of `n`. Nothing measured leaves everything open.
    ///
    /// ```
    /// use semcot::evaluation::Interval;
    ///
    /// let interval = Interval::wilson(990, 1000);
    /// assert!(interval.low > 0.981 && interval.high < 0.995);
    /// ```
    pub fn wilson(right: u64, n: u64) -> Self {
        Self::of_share(right.min(n) as f64 / n.max(1) as f64, n)
    }

    /// The same for a share that was found on `n` questions, which a mean over several runs on them is too.
    pub fn of_share(share: f64, n: u64) -> Self {
        if n == 0 {
            return Self {
                low: 0.0,
                high: 1.0,
            };
        }
        let n_f = n as f64;
        let z2 = Z * Z;
        let center = share + z2 / (2.0 * n_f);
        let margin = Z * (share * (1.0 - share) / n_f + z2 / (4.0 * n_f * n_f)).sqrt();
        let scale = 1.0 + z2 / n_f;
        Self {
            low: ((center - margin) / scale).max(0.0),
            high: ((center + margin) / scale).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe 1998, table I: 81 of 263 and 0 of 20, without continuity correction.
        let some = Interval::wilson(81, 263);
        assert!(
            (some.low - 0.2553).abs() < 5e-5 && (some.high - 0.3662).abs() < 5e-5,
            "{some:?}"
        );
        let none = Interval::wilson(0, 20);
        assert!(
            none.low == 0.0 && (none.high - 0.1611).abs() < 5e-5,
            "{none:?}"
        );
    }

    #[test]
    fn all_right_still_leaves_room_and_nothing_measured_leaves_everything() {
        assert!(Interval::wilson(1000, 1000).low < 1.0);
        assert_eq!(
            Interval::wilson(0, 0),
            Interval {
                low: 0.0,
                high: 1.0
            }
        );
    }
}
