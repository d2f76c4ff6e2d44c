//! Axes: what their ends and ticks are, where a value lies between them, and how a tick is written.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Ticks aimed at.
const TICKS: f64 = 6.0;

/// What an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is shown, with its unit.
    pub label: String,
    /// How values are spaced.
    pub scale: Scale,
    /// Its ends; the least and the greatest value where absent.
    pub bounds: Option<[f64; 2]>,
}

/// How values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; values must be above 0.
    Log,
    /// Evenly, with a tick at every whole number.
    Whole,
}

impl Axis {
    /// An axis that ends at the values shown.
    pub fn new(label: &str, scale: Scale) -> Self {
        Self {
            label: label.to_owned(),
            scale,
            bounds: None,
        }
    }

    /// Shares in percent, all of them.
    pub fn percent(label: &str) -> Self {
        Self {
            label: format!("{label} (%)"),
            scale: Scale::Linear,
            bounds: Some([0.0, 100.0]),
        }
    }

    /// Ends and ticks for some values.
    pub fn scale(&self, values: impl Iterator<Item = f64>) -> Scaled {
        let is_log = self.scale == Scale::Log;
        let shown = values.filter(|it| it.is_finite() && (!is_log || *it > 0.0));
        let (mut low, mut high) = shown
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
                (low.min(it), high.max(it))
            });
        if let Some(bounds) = self.bounds {
            [low, high] = bounds;
        }
        if low > high {
            (low, high) = (1.0, 2.0);
        }
        let mut scaled = Scaled {
            is_log,
            low: 0.0,
            high: 0.0,
            ticks: Vec::new(),
        };
        (scaled.low, scaled.high) = (scaled.place(low), scaled.place(high));
        let span = scaled.high - scaled.low;
        if span == 0.0 {
            scaled.low -= 0.5;
            scaled.high += 0.5;
        } else if self.bounds.is_none() {
            scaled.low -= 0.04 * span;
            scaled.high += 0.04 * span;
        } else {
            // Marks at the ends stay whole.
            scaled.low -= 0.02 * span;
            scaled.high += 0.02 * span;
        }
        scaled.ticks = match self.scale {
            Scale::Linear => linear_ticks(scaled.low, scaled.high, 0.0),
            Scale::Whole => linear_ticks(scaled.low, scaled.high, 1.0),
            Scale::Log => log_ticks(scaled.low, scaled.high),
        };
        scaled
    }
}

/// An axis for some values. Places are values, or their logarithms to the base of ten.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaled {
    is_log: bool,
    /// Place of the lower end.
    low: f64,
    /// Place of the upper end.
    high: f64,
    /// Values with a tick.
    ticks: Vec<f64>,
}

impl Scaled {
    /// Where a value lies. What a logarithm cannot show lies at the lower end.
    fn place(&self, value: f64) -> f64 {
        match self.is_log {
            false => value,
            true if value > 0.0 => value.log10(),
            true => self.low,
        }
    }
}

impl Ranged for Scaled {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let along = (self.place(*value) - self.low) / (self.high - self.low);
        first + (along * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        let value = |place: f64| {
            if self.is_log {
                10_f64.powf(place)
            } else {
                place
            }
        };
        value(self.low)..value(self.high)
    }
}

impl ValueFormatter<f64> for Scaled {
    fn format_ext(&self, value: &f64) -> String {
        written(*value)
    }
}

/// Whole steps of 1, 2 or 5 times a power of ten, none smaller than `least_step`.
fn linear_ticks(low: f64, high: f64, least_step: f64) -> Vec<f64> {
    let rough = (high - low) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let factor = factors.into_iter().find(|it| it * power >= rough);
    let step = (factor.unwrap_or(10.0) * power).max(least_step);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    // The product, not a sum, so that 0.3 is written as 0.3.
    (first..=last).map(|it| round(it as f64 * step)).collect()
}

/// 1, 2 and 5 of every power of ten; where that is too many, powers alone; where a power is far apart, even steps.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let within = |value: &f64| (low..=high).contains(&value.log10());
    let powers = low.floor() as i32..=high.ceil() as i32;
    let of_power = |factors: &'static [f64]| {
        move |power: i32| {
            factors
                .iter()
                .map(move |factor| round(factor * 10_f64.powi(power)))
        }
    };
    let every: Vec<f64> = powers
        .clone()
        .flat_map(of_power(&[1.0, 2.0, 5.0]))
        .filter(within)
        .collect();
    if every.len() < 3 {
        let ticks = linear_ticks(10_f64.powf(low), 10_f64.powf(high), 0.0);
        return ticks.into_iter().filter(|it| *it > 0.0).collect();
    }
    if every.len() <= 10 {
        return every;
    }
    powers.flat_map(of_power(&[1.0])).filter(within).collect()
}

/// Without what is left over from binary fractions.
fn round(value: f64) -> f64 {
    format!("{value:.10e}").parse().unwrap_or(value)
}

/// A tick as people write it: thousands shortened.
fn written(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        return format!("{}M", value / 1e6);
    }
    if size >= 1e4 {
        return format!("{}k", value / 1e3);
    }
    if size > 0.0 && size < 1e-4 {
        return format!("{value:e}");
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, values: &[f64]) -> Vec<String> {
        let scaled = axis.scale(values.iter().copied());
        scaled
            .ticks
            .iter()
            .map(|it| scaled.format_ext(it))
            .collect()
    }

    #[test]
    fn ticks_are_numbers_that_people_count_in() {
        let linear = Axis::new("x", Scale::Linear);
        assert_eq!(
            labels(&linear, &[0.0, 18_000.0]),
            ["0", "5000", "10k", "15k"]
        );
        assert_eq!(
            labels(&linear, &[0.0, 0.5]),
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        let whole = Axis::new("k", Scale::Whole);
        assert_eq!(labels(&whole, &[1.0, 4.0]), ["1", "2", "3", "4"]);
        let log = Axis::new("ms", Scale::Log);
        assert_eq!(labels(&log, &[0.9, 21.0]), ["1", "2", "5", "10", "20"]);
        assert_eq!(
            labels(&log, &[1e-5, 1.0]),
            ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(labels(&log, &[11.0, 14.0]), ["11", "12", "13", "14"]);
        assert_eq!(
            labels(&Axis::percent("right"), &[1.0]),
            ["0", "20", "40", "60", "80", "100"]
        );
    }

    #[test]
    fn one_value_no_value_and_values_without_a_logarithm_have_an_axis_too() {
        for scale in [Scale::Linear, Scale::Log, Scale::Whole] {
            let axis = Axis::new("x", scale);
            for values in [&[][..], &[3.0], &[0.0, -1.0], &[f64::NAN, f64::INFINITY]] {
                let scaled = axis.scale(values.iter().copied());
                assert!(scaled.low < scaled.high, "{scale:?} {values:?}: {scaled:?}");
                assert!(scaled.place(0.0).is_finite());
                assert!(!scaled.ticks.is_empty(), "{scale:?} {values:?}");
            }
        }
    }
}
