//! The evaluation of a published run: its questions, by both rules, with the most likely tokens and at every temperature
//! (METHOD, section 7).

use std::collections::BTreeMap;
use std::path::Path;
use std::slice;
use std::time::Instant;

use serde::Serialize;

use super::super::checkpoint::write_whole;
use super::super::decode::Written;
use super::super::error::TrainError;
use super::super::examples::Example;
use super::super::generator::GeneratorStage;
use super::super::score::Score;
use super::config::{EvaluationSettings, QuestionTiming};
use super::run::PublishedRun;
use super::tokens::PairTokenizers;
use crate::evaluation::run::Timing;
use crate::evaluation::{AnswerKind, Breakdown, Item, Tally};
use crate::model::Sampling;
use crate::problems::Random;
use crate::reasoning::Mode;
use crate::reasoning::comparison::Spread;

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
    pub modes: BTreeMap<Mode, TimedScore>,
    pub sampled: Vec<Sampled>,
}

/// A score with the time of a question, in milliseconds, under the name of what counts into it.
#[derive(Clone, Debug, Serialize)]
pub struct TimedScore {
    #[serde(flatten)]
    pub score: Score,
    /// From text to text, as `semcot eval` times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<Timing>,
    /// As the published code times; see [`QuestionTiming::Published`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_ms: Option<Timing>,
}

/// Scores at one temperature.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    pub temperature: f32,
    pub modes: BTreeMap<Mode, TimedScore>,
}

impl PublishedScore {
    /// A line for each score.
    pub fn summary(&self) -> String {
        let line = |name: String, modes: &BTreeMap<Mode, TimedScore>| {
            let of_mode = |timed: &TimedScore| {
                let score = &timed.score;
                let accuracy = &score.accuracy;
                format!(
                    "{name}: {:.1} % of {} strictly (95 %: {:.1}–{:.1} %), {:.1} % officially ({:.1}–{:.1} %), {:.1} tokens and {:.1} ms a question",
                    100.0 * accuracy.strict,
                    accuracy.n,
                    100.0 * accuracy.strict_interval.low,
                    100.0 * accuracy.strict_interval.high,
                    100.0 * accuracy.official,
                    100.0 * accuracy.official_interval.low,
                    100.0 * accuracy.official_interval.high,
                    score.tokens,
                    timed
                        .ms
                        .as_ref()
                        .or(timed.published_ms.as_ref())
                        .map_or(0.0, |ms| ms.mean),
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
            questions.push(Question {
                example: tokenizers.example(item)?,
                item: Item {
                    question: item.query.clone(),
                    answer: item.answer.clone(),
                    kind,
                    steps: None,
                    operators: String::new(),
                },
            });
        }
        let settings = &self.config.evaluation;
        let scored = |temperature| -> Result<BTreeMap<Mode, TimedScore>, TrainError> {
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

/// A question as it is asked, timed and judged.
struct Question {
    example: Example,
    item: Item,
}

/// Asks all questions, one at a time, and judges what is written, each drawn as its sampling says.
fn asked(
    stage: &GeneratorStage<'_>,
    tokenizers: &PairTokenizers,
    questions: &[Question],
    settings: &EvaluationSettings,
    sampling: impl Fn(usize) -> Option<Sampling>,
) -> Result<TimedScore, TrainError> {
    let mut tally = Tally::default();
    let mut ms = Vec::with_capacity(questions.len());
    let [mut tokens, mut target_passes, mut generator_passes] = [0u64; 3];
    for (number, question) in questions.iter().enumerate() {
        let sampling: Vec<Sampling> = sampling(number).into_iter().collect();
        let Timed {
            written,
            text,
            seconds,
        } = timed(stage, tokenizers, question, settings, &sampling)?;
        tally.judge(&question.item, text.trim(), text.trim());
        ms.push(1000.0 * seconds);
        tokens += written.ids.len() as u64;
        target_passes += u64::from(written.target_passes);
        generator_passes += u64::from(written.generator_passes);
    }
    let mean = |sum: u64| sum as f64 / questions.len().max(1) as f64;
    let time = Timing {
        mean: ms.iter().sum::<f64>() / ms.len().max(1) as f64,
        median: Spread::of(ms).median,
        generator: None,
        prefill: None,
        decode: None,
    };
    let (published_ms, ms) = match settings.timing {
        QuestionTiming::Published => (Some(time), None),
        QuestionTiming::TextToText => (None, Some(time)),
    };
    Ok(TimedScore {
        score: Score {
            accuracy: tally.accuracy(),
            breakdown: Breakdown::default(),
            tokens: mean(tokens),
            target_passes: mean(target_passes),
            generator_passes: mean(generator_passes),
        },
        ms,
        published_ms,
    })
}

/// An answer, and the time that counts.
struct Timed {
    written: Written,
    text: String,
    seconds: f64,
}

fn timed(
    stage: &GeneratorStage<'_>,
    tokenizers: &PairTokenizers,
    question: &Question,
    settings: &EvaluationSettings,
    sampling: &[Sampling],
) -> Result<Timed, TrainError> {
    let k = stage.settings.eval_implicit_tokens();
    let is_published = settings.timing == QuestionTiming::Published;
    let from_text = Instant::now();
    let tokenized;
    let examples = match is_published {
        true => slice::from_ref(&question.example),
        false => {
            tokenized = tokenizers.question(&question.item.question)?;
            slice::from_ref(&tokenized)
        }
    };
    let from_tokens = Instant::now();
    let vectors = stage.vectors(examples, k);
    if is_published {
        vectors.device().memory_cleanup();
    }
    let generated = from_tokens.elapsed();
    let prompt = stage.prompt(examples, &vectors);
    let from_prompt = Instant::now();
    let mut written = stage.write_behind(prompt, settings.max_tokens, sampling);
    let published = generated + from_prompt.elapsed();
    let written = written.pop().expect("one question was asked");
    let asked = examples[0].question.len() + k + stage.frame.prompt.len();
    let text = tokenizers.text(settings.long_answers.left(&written.ids, asked))?;
    let seconds = match settings.timing {
        QuestionTiming::Published => published.as_secs_f64(),
        QuestionTiming::TextToText => from_text.elapsed().as_secs_f64(),
    };
    Ok(Timed {
        written,
        text,
        seconds,
    })
}
