//! Accuracy and cost over many questions, measured on the engine itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::model::run::Execute;
use crate::reasoning::comparison::Spread;
use crate::reasoning::{Answer, AskError, AskOptions, Mode, Pair};

use super::{Accuracy, Item, Tally};

/// Accuracy and cost of one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Questions asked, and the shares right by both rules.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Strictly right and asked, by the number of steps of the problem, where it is known.
    pub by_steps: BTreeMap<u32, [u64; 2]>,
    /// Mean tokens written an answered question, the end token included.
    pub tokens: f64,
    /// Mean forward passes of the target a question.
    pub target_passes: f64,
    /// Mean forward passes of the generator a question.
    pub generator_passes: f64,
    /// Milliseconds a question, question text to answer text.
    pub ms: Timing,
}

/// Milliseconds a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    tally: Tally,
    by_steps: BTreeMap<u32, [u64; 2]>,
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
    /// Counts an answer; gives back whether it is strictly right.
    fn add(&mut self, item: &Item, answer: &Answer) -> bool {
        let strict = self.tally.judge(item, &answer.answer, &answer.text);
        self.add_steps(item, strict);
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
        let strict = self.tally.judge(item, "", "");
        self.add_steps(item, strict);
    }

    fn add_steps(&mut self, item: &Item, strict: bool) {
        if let Some(steps) = item.steps {
            let [right, all] = self.by_steps.entry(steps).or_default();
            *right += u64::from(strict);
            *all += 1;
        }
    }

    fn score(self) -> Score {
        let answered = self.total_ms.len().max(1) as f64;
        let mean_ms = self.total_ms.iter().sum::<f64>() / answered;
        Score {
            accuracy: self.tally.accuracy(),
            by_steps: self.by_steps,
            tokens: self.tokens as f64 / answered,
            target_passes: self.target_passes as f64 / answered,
            generator_passes: self.generator_passes as f64 / answered,
            ms: Timing {
                median: Spread::of(self.total_ms).median,
                mean: mean_ms,
                generator: self.generator_ms.mean(),
                prefill: self.prefill_ms.mean(),
                decode: self.decode_ms.mean(),
            },
        }
    }
}

/// Asks every item in every mode and scores the answers.
///
/// A question that does not fit the context counts as wrong (it was not answered); any other
/// failure ends the evaluation. `on_asked` gets every answer as it comes.
///
/// # Errors
/// As [`Pair::ask`].
pub async fn evaluate<E: Execute>(
    pair: &mut Pair<E>,
    items: &[Item],
    modes: &[Mode],
    options: &AskOptions,
    mut on_asked: impl FnMut(&Asked) -> ControlFlow<()>,
) -> Result<BTreeMap<Mode, Score>, AskError<E::Error>> {
    let mut sums: BTreeMap<Mode, Sums> = BTreeMap::new();
    'items: for item in items {
        for &mode in modes {
            let options = AskOptions { mode, ..*options };
            let sums = sums.entry(mode).or_default();
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
                break 'items;
            }
        }
    }
    Ok(sums
        .into_iter()
        .map(|(mode, sums)| (mode, sums.score()))
        .collect())
}
