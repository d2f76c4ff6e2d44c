//! The modes side by side on one question: interleaved repeats after a warm-up, medians, spread.
//!
//! Modes take turns inside a repeat so that a drift of the machine (heat, other tabs) meets them
//! all alike, and every mode runs once unmeasured first: pipelines and caches are warm for all.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::model::run::Execute;

use super::Mode;
use super::answer::Answer;
use super::pair::{AskError, AskOptions, Pair};

/// Most repeats of one comparison.
pub const MAX_REPEATS: u32 = 1000;

/// What to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareOptions {
    /// Modes, in the order in which they take turns.
    pub modes: Vec<Mode>,
    /// Measured runs a mode.
    pub repeats: u32,
    /// For all modes alike; `mode` itself is overwritten.
    pub ask: AskOptions,
}

impl Default for CompareOptions {
    fn default() -> Self {
        CompareOptions {
            modes: Mode::ALL.to_vec(),
            repeats: 5,
            ask: AskOptions::new(Mode::Implicit),
        }
    }
}

/// Times of repeated runs, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Every run, in order.
    pub runs: Vec<f64>,
    /// The middle one (mean of the two middle ones for an even number).
    pub median: f64,
    /// The fastest.
    pub min: f64,
    /// The slowest.
    pub max: f64,
}

impl Spread {
    /// Summarises `runs`; all zero when there are none.
    pub fn of(runs: Vec<f64>) -> Self {
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let Some((&min, &max)) = sorted.first().zip(sorted.last()) else {
            return Spread::default();
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Spread {
            runs,
            median,
            min,
            max,
        }
    }
}

/// One mode of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Time from question text to answer text.
    pub ms: Spread,
    /// The answer of the last run (greedy: all runs write the same).
    pub answer: Answer,
}

/// All modes of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// By mode.
    pub modes: BTreeMap<Mode, Compared>,
    /// Median time of explicit ÷ median time of implicit, where both were run.
    pub speed_up: Option<f64>,
}

impl<E: Execute> Pair<E> {
    /// Runs `question` in every mode, `repeats` times in turn, after one unmeasured run of each.
    ///
    /// `on_answer` gets every measured answer as it comes, and may stop the comparison; what was
    /// measured until then is returned, and nothing when some mode was never measured.
    ///
    /// # Errors
    /// As [`Pair::ask`], and when `repeats` is 0 or over [`MAX_REPEATS`].
    pub async fn compare(
        &mut self,
        question: &str,
        options: &CompareOptions,
        mut on_answer: impl FnMut(&Answer) -> ControlFlow<()>,
    ) -> Result<Option<Comparison>, AskError<E::Error>> {
        if !(1..=MAX_REPEATS).contains(&options.repeats) {
            return Err(AskError::OptionOutOfRange {
                option: "the number of repeats",
                found: options.repeats,
                min: 1,
                max: MAX_REPEATS,
            });
        }
        let asked = |mode| AskOptions {
            mode,
            ..options.ask
        };
        let ignore = |_| ControlFlow::Continue(());
        for &mode in &options.modes {
            self.ask(question, &asked(mode), ignore).await?;
        }
        let mut answers: BTreeMap<Mode, Vec<Answer>> = BTreeMap::new();
        'repeats: for _ in 0..options.repeats {
            for &mode in &options.modes {
                let answer = self.ask(question, &asked(mode), ignore).await?;
                let stop = on_answer(&answer).is_break();
                answers.entry(mode).or_default().push(answer);
                if stop {
                    break 'repeats;
                }
            }
        }
        if options.modes.iter().any(|mode| !answers.contains_key(mode)) {
            return Ok(None);
        }
        let modes: BTreeMap<Mode, Compared> = answers
            .into_iter()
            .filter_map(|(mode, mut answers)| {
                let ms = Spread::of(answers.iter().map(|answer| answer.ms.total).collect());
                answers.pop().map(|answer| (mode, Compared { ms, answer }))
            })
            .collect();
        let median = |mode| {
            modes
                .get(&mode)
                .map(|compared: &Compared| compared.ms.median)
        };
        let speed_up = median(Mode::Explicit)
            .zip(median(Mode::Implicit))
            .map(|(explicit, implicit)| explicit / implicit);
        Ok(Some(Comparison { modes, speed_up }))
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_of_an_even_number_of_runs_is_the_mean_of_the_middle_two() {
        let spread = Spread::of(vec![4.0, 1.0, 9.0, 2.0]);
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 3.0, 9.0));
        assert_eq!(spread.runs, [4.0, 1.0, 9.0, 2.0]);
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
