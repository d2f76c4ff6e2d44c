//! The evaluation of a published run: its questions, by both rules, with the most likely tokens and at every temperature
//! (METHOD, section 7).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::super::checkpoint::write_whole;
use super::super::error::TrainError;
use super::super::examples::Example;
use super::super::generator::GeneratorStage;
use super::super::score::Score;
use super::config::EvaluationSettings;
use super::run::PublishedRun;
use super::tokens::PairTokenizers;
use crate::evaluation::{AnswerKind, Item, Tally};
use crate::model::Sampling;
use crate::problems::Random;
use crate::reasoning::Mode;

/// Questions that are answered at a time.
const CHUNK: usize = 100;

/// Scores of a published run, in the form of what `semcot eval --json` writes.
#[derive(Clone, Debug, Serialize)]
pub struct PublishedScore {
    pub command: Vec<String>,
    /// Of the configuration.
    pub name: String,
    pub data_set: String,
    /// Of the training.
    pub seed: u64,
    /// With the most likely tokens.
    pub modes: BTreeMap<Mode, Score>,
    pub sampled: Vec<Sampled>,
}

/// Scores at one temperature.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    pub temperature: f32,
    pub modes: BTreeMap<Mode, Score>,
}

impl PublishedScore {
    /// A line for each score.
    pub fn summary(&self) -> String {
        let line = |name: String, modes: &BTreeMap<Mode, Score>| {
            let of_mode = |score: &Score| {
                let accuracy = &score.accuracy;
                format!(
                    "{name}: {:.1} % of {} strictly (95 %: {:.1}–{:.1} %), {:.1} % officially ({:.1}–{:.1} %), {:.1} tokens a question",
                    100.0 * accuracy.strict,
                    accuracy.n,
                    100.0 * accuracy.strict_interval.low,
                    100.0 * accuracy.strict_interval.high,
                    100.0 * accuracy.official,
                    100.0 * accuracy.official_interval.low,
                    100.0 * accuracy.official_interval.high,
                    score.tokens,
                )
            };
            modes.values().map(of_mode).collect::<Vec<_>>().join("\n")
        };
        let greedy = line("most likely tokens".to_owned(), &self.modes);
        let sampled = (self.sampled.iter())
            .map(|it| line(format!("temperature {}", it.temperature), &it.modes));
        std::iter::once(greedy)
            .chain(sampled)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes it whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(self).expect("plain data serializes");
        write_whole(path, &json)
    }
}

impl PublishedRun {
    /// Asks the evaluation items of the run's generator and target.
    pub fn score(&self, command: Vec<String>) -> Result<PublishedScore, TrainError> {
        let stage = self.trained()?;
        let tokenizers = self.tokenizers()?;
        let mut questions = Vec::new();
        for (number, item) in self.evaluation_items()?.iter().enumerate() {
            let kind = AnswerKind::of(&item.answer).ok_or_else(|| TrainError::Setting {
                field: "data_sets",
                message: format!(
                    "evaluation item {}: the answer is {:?}: it must be a number, yes or no, or one letter",
                    number + 1,
                    item.answer
                ),
            })?;
            questions.push((
                tokenizers.example(item)?,
                Item {
                    question: item.query.clone(),
                    answer: item.answer.clone(),
                    kind,
                    steps: None,
                },
            ));
        }
        let settings = &self.config.evaluation;
        let scored = |temperature| -> Result<BTreeMap<Mode, Score>, TrainError> {
            let sampling = Sampling {
                temperature,
                top_k: settings.top_k,
                top_p: settings.top_p,
                ..Sampling::default()
            };
            let score = asked(&stage, &tokenizers, &questions, settings, |question| {
                (temperature > 0.0).then(|| Sampling {
                    seed: Random::new(self.config.seed).bits() ^ question as u64,
                    ..sampling
                })
            })?;
            Ok(BTreeMap::from([(Mode::Implicit, score)]))
        };
        let sampled = settings.temperatures.iter().map(|&temperature| {
            Ok(Sampled {
                temperature,
                modes: scored(temperature)?,
            })
        });
        Ok(PublishedScore {
            command,
            name: self.config.name.clone(),
            data_set: self.config.data_set.clone(),
            seed: self.config.seed,
            modes: scored(0.0)?,
            sampled: sampled.collect::<Result<_, TrainError>>()?,
        })
    }
}

/// Asks all questions and judges what is written, each drawn as its sampling says.
fn asked(
    stage: &GeneratorStage<'_>,
    tokenizers: &PairTokenizers,
    questions: &[(Example, Item)],
    settings: &EvaluationSettings,
    sampling: impl Fn(usize) -> Option<Sampling>,
) -> Result<Score, TrainError> {
    let mut tally = Tally::default();
    let [mut tokens, mut target_passes, mut generator_passes] = [0u64; 3];
    for (number, chunk) in questions.chunks(CHUNK).enumerate() {
        let examples: Vec<Example> = chunk.iter().map(|(example, _)| example.clone()).collect();
        let numbers = number * CHUNK..number * CHUNK + chunk.len();
        let samplings: Vec<Sampling> = numbers.filter_map(&sampling).collect();
        let written = stage.write_sampled(&examples, settings.max_tokens, &samplings);
        for ((example, item), written) in chunk.iter().zip(written) {
            let asked = example.question.len()
                + stage.settings.eval_implicit_tokens()
                + stage.frame.prompt.len();
            let text = tokenizers.text(settings.long_answers.left(&written.ids, asked))?;
            tally.judge(item, text.trim(), text.trim());
            tokens += written.ids.len() as u64;
            target_passes += u64::from(written.target_passes);
            generator_passes += u64::from(written.generator_passes);
        }
    }
    let mean = |sum: u64| sum as f64 / questions.len().max(1) as f64;
    Ok(Score {
        accuracy: tally.accuracy(),
        by_steps: BTreeMap::new(),
        tokens: mean(tokens),
        target_passes: mean(target_passes),
        generator_passes: mean(generator_passes),
    })
}
