//! Figures over several seeds: their mean and how far they lie apart.

use serde::{Deserialize, Serialize};

/// A figure found once with each of several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanSd {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the values, with n − 1 below; 0 for a single value.
    pub sd: f64,
    /// One for each seed, in their order.
    pub values: Vec<f64>,
}

impl MeanSd {
    /// Of some values; nothing where there are none.
    ///
    /// ```
    /// use semcot::evaluation::MeanSd;
    ///
    /// let found = MeanSd::of(vec![0.9, 1.0, 0.8]).expect("three values");
    /// assert!((found.mean - 0.9).abs() < 1e-12 && (found.sd - 0.1).abs() < 1e-12);
    /// ```
    pub fn of(values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / (n - 1.0).max(1.0)).sqrt();
        Some(Self { mean, sd, values })
    }
}

#[cfg(test)]
mod tests {
    use super::MeanSd;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let found = MeanSd::of(vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("values");
        assert_eq!(found.mean, 5.0);
        assert!((found.sd - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(MeanSd::of(vec![0.25]).map(|it| it.sd), Some(0.0));
        assert_eq!(MeanSd::of(Vec::new()), None);
    }
}
