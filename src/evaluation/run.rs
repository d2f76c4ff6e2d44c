//! Accuracy and cost over many questions, measured on the engine itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::model::run::Execute;
use crate::reasoning::comparison::Spread;
use crate::reasoning::{Answer, AskError, AskOptions, Mode, Pair};

use super::{Accuracy, Breakdown, Interval, Item, MeanSd, Tally};

/// Accuracy and cost of one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Questions asked, and the shares right by both rules.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Right answers by the kind of problem.
    #[serde(flatten)]
    pub breakdown: Breakdown,
    /// Mean tokens written an answered question, the end token included.
    pub tokens: f64,
    /// Mean forward passes of the target a question.
    pub target_passes: f64,
    /// Mean forward passes of the generator a question.
    pub generator_passes: f64,
    /// Milliseconds a question, question text to answer text.
    pub ms: Timing,
    /// The shares right with each seed, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_seeds: Option<OverSeeds>,
}

/// Shares right over several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverSeeds {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// By the strict rule.
    pub strict: MeanSd,
    /// By the rule of the method's authors.
    pub official: MeanSd,
}

/// Milliseconds a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Median of the whole.
    pub median: f64,
    /// Mean of the whole.
    pub mean: f64,
    /// Mean of the generator's phase, where the device can time it.
    pub generator: Option<f64>,
    /// Mean of the target's prefill.
    pub prefill: Option<f64>,
    /// Mean of the decode passes.
    pub decode: Option<f64>,
}

/// One question that was asked in one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// The question.
    pub question: String,
    /// The truth.
    pub truth: String,
    /// Right by the strict rule.
    pub strict: bool,
    /// What was answered, and what it cost.
    pub answer: Answer,
}

/// Sums over the questions of one mode.
#[derive(Default)]
struct Sums {
    /// A tally for each seed.
    tallies: Vec<Tally>,
    breakdown: Breakdown,
    tokens: u64,
    target_passes: u64,
    generator_passes: u64,
    total_ms: Vec<f64>,
    generator_ms: PhaseSum,
    prefill_ms: PhaseSum,
    decode_ms: PhaseSum,
}

/// Sum over the runs that timed a phase.
#[derive(Default)]
struct PhaseSum {
    sum: f64,
    n: u64,
}

impl PhaseSum {
    fn add(&mut self, ms: Option<f64>) {
        if let Some(ms) = ms {
            self.sum += ms;
            self.n += 1;
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

impl Sums {
    fn begin_seed(&mut self) {
        self.tallies.push(Tally::default());
    }

    /// Counts an answer; gives back whether it is strictly right.
    fn add(&mut self, item: &Item, answer: &Answer) -> bool {
        let strict = self.judge(item, &answer.answer, &answer.text);
        self.tokens += u64::from(answer.tokens);
        self.target_passes += u64::from(answer.target_passes);
        self.generator_passes += u64::from(answer.generator_passes);
        self.total_ms.push(answer.ms.total);
        self.generator_ms.add(answer.ms.generator);
        self.prefill_ms.add(answer.ms.prefill);
        self.decode_ms.add(answer.ms.decode);
        strict
    }

    /// Counts a question that was not answered: it is wrong and costs nothing.
    fn add_unanswered(&mut self, item: &Item) {
        self.judge(item, "", "");
    }

    fn judge(&mut self, item: &Item, answer: &str, written: &str) -> bool {
        let tally = self.tallies.last_mut().expect("a seed has begun");
        let strict = tally.judge(item, answer, written);
        self.breakdown.add(item, strict);
        strict
    }

    fn score(&self, questions: Questions, seeds: &[u64]) -> Score {
        let answered = self.total_ms.len().max(1) as f64;
        let mean_ms = self.total_ms.iter().sum::<f64>() / answered;
        Score {
            accuracy: self.accuracy(questions),
            breakdown: self.breakdown.clone(),
            tokens: self.tokens as f64 / answered,
            target_passes: self.target_passes as f64 / answered,
            generator_passes: self.generator_passes as f64 / answered,
            ms: Timing {
                median: Spread::of(self.total_ms.clone()).median,
                mean: mean_ms,
                generator: self.generator_ms.mean(),
                prefill: self.prefill_ms.mean(),
                decode: self.decode_ms.mean(),
            },
            over_seeds: (seeds.len() > 1).then(|| self.over_seeds(seeds)).flatten(),
        }
    }

    /// Shares of all answers. Asking a question again says nothing about other questions, so that the intervals are
    /// of as many as there are different ones.
    fn accuracy(&self, questions: Questions) -> Accuracy {
        let all = self.tallies.iter().fold(Tally::default(), |sum, it| Tally {
            n: sum.n + it.n,
            strict: sum.strict + it.strict,
            official: sum.official + it.official,
        });
        let accuracy = all.accuracy();
        let n = match questions {
            Questions::OfEachSeed => all.n,
            Questions::Same => all.n / self.tallies.len().max(1) as u64,
        };
        Accuracy {
            n,
            strict_interval: Interval::of_share(accuracy.strict, n),
            official_interval: Interval::of_share(accuracy.official, n),
            ..accuracy
        }
    }

    fn over_seeds(&self, seeds: &[u64]) -> Option<OverSeeds> {
        let shares = |share: fn(Accuracy) -> f64| {
            let tallies = self.tallies.iter();
            MeanSd::of(tallies.map(|it| share(it.accuracy())).collect())
        };
        Some(OverSeeds {
            seeds: seeds.to_vec(),
            strict: shares(|it| it.strict)?,
            official: shares(|it| it.official)?,
        })
    }
}

/// What a further seed asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Questions {
    /// Questions drawn for it.
    OfEachSeed,
    /// The same questions, of which only the written tokens may differ.
    Same,
}

/// Many questions asked in several modes, once or with several seeds, and what came of it.
pub struct Evaluation {
    modes: Vec<Mode>,
    questions: Questions,
    seeds: Vec<u64>,
    sums: BTreeMap<Mode, Sums>,
}

impl Evaluation {
    /// Nothing asked yet.
    pub fn new(modes: &[Mode], questions: Questions) -> Self {
        Self {
            modes: modes.to_vec(),
            questions,
            seeds: Vec::new(),
            sums: BTreeMap::new(),
        }
    }

    /// Asks every item in every mode. `options` says how in which mode; where tokens are drawn, each item has numbers
    /// of its own, which `seed` decides.
    ///
    /// A question that does not fit the context counts as wrong (it was not answered); any other
    /// failure ends the evaluation. `on_asked` gets every answer as it comes, and may end it there.
    ///
    /// # Errors
    /// As [`Pair::ask`].
    pub async fn ask<E: Execute>(
        &mut self,
        pair: &mut Pair<E>,
        items: &[Item],
        seed: u64,
        options: impl Fn(Mode) -> AskOptions,
        mut on_asked: impl FnMut(&Asked) -> ControlFlow<()>,
    ) -> Result<(), AskError<E::Error>> {
        self.seeds.push(seed);
        for mode in &self.modes {
            self.sums.entry(*mode).or_default().begin_seed();
        }
        for (index, item) in items.iter().enumerate() {
            for &mode in &self.modes {
                let mut options = AskOptions {
                    mode,
                    ..options(mode)
                };
                options.sampling.seed = seed_of_item(seed, index);
                let sums = self.sums.entry(mode).or_default();
                let answer = match pair
                    .ask(&item.question, &options, |_| ControlFlow::Continue(()))
                    .await
                {
                    Ok(answer) => answer,
                    Err(AskError::QuestionTooLong { .. }) => {
                        sums.add_unanswered(item);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let asked = Asked {
                    question: item.question.clone(),
                    truth: item.answer.clone(),
                    strict: sums.add(item, &answer),
                    answer,
                };
                if on_asked(&asked).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The scores of what was asked, by mode.
    pub fn scores(&self) -> BTreeMap<Mode, Score> {
        let scores = self.sums.iter();
        scores
            .map(|(&mode, sums)| (mode, sums.score(self.questions, &self.seeds)))
            .collect()
    }
}

/// The seed of an item's draws: others for every item and for every seed.
fn seed_of_item(seed: u64, item: usize) -> u64 {
    /// Spreads neighboring seeds over all 64 bits (the golden ratio, as in SplitMix).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    seed.wrapping_mul(SPREAD).wrapping_add(item as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(strict_of_ten: &[u64]) -> Sums {
        let tallies = strict_of_ten.iter().map(|&strict| Tally {
            n: 10,
            strict,
            official: 10,
        });
        Sums {
            tallies: tallies.collect(),
            ..Sums::default()
        }
    }

    #[test]
    fn asking_the_same_questions_again_does_not_narrow_the_interval() {
        let sums = sums(&[7, 9, 8]);
        let fresh = sums.accuracy(Questions::OfEachSeed);
        assert_eq!((fresh.n, fresh.strict), (30, 0.8));
        assert_eq!(fresh.strict_interval, Interval::wilson(24, 30));
        let same = sums.accuracy(Questions::Same);
        assert_eq!((same.n, same.strict), (10, 0.8));
        assert_eq!(same.strict_interval, Interval::wilson(8, 10));
        assert_eq!(same.official_interval, Interval::wilson(10, 10));
    }

    #[test]
    fn several_seeds_give_mean_and_deviation_and_one_gives_neither() {
        let found = sums(&[7, 9, 8]).score(Questions::Same, &[1, 2, 3]);
        let over_seeds = found.over_seeds.expect("three seeds");
        assert_eq!(over_seeds.strict.values, [0.7, 0.9, 0.8]);
        assert!((over_seeds.strict.sd - 0.1).abs() < 1e-12);
        assert_eq!(
            (over_seeds.official.mean, over_seeds.official.sd),
            (1.0, 0.0)
        );
        assert_eq!(sums(&[7]).score(Questions::Same, &[1]).over_seeds, None);
    }

    #[test]
    fn every_item_and_every_seed_has_draws_of_its_own() {
        let mut seeds: Vec<u64> = (1..=5)
            .flat_map(|seed| (0..2000).map(move |item| seed_of_item(seed, item)))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 10_000);
    }
}
