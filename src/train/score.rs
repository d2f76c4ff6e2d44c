//! How good a trained method is on held-out problems, judged by the rules that judge the engine's answers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::checkpoint::write_whole;
use super::config::{Config, Method};
use super::decode::Written;
use super::error::TrainError;
use super::examples::{Example, Purpose, Stream};
use super::vocabulary::Vocabulary;
use crate::evaluation::{Accuracy, Breakdown, Item, Tally};
use crate::problems::{Family, Problem};
use crate::reasoning::Mode;

/// Accuracy and cost, in the form of `crate::evaluation::run::Score` but without times: many questions are answered at
/// once here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Right answers by the kind of problem.
    #[serde(flatten)]
    pub breakdown: Breakdown,
    /// Mean tokens written a question, the end token included.
    pub tokens: f64,
    /// Mean forward passes of the target a question.
    pub target_passes: f64,
    /// Mean forward passes of the generator a question.
    pub generator_passes: f64,
}

/// A score as it is written to a file, in the form of what `semcot eval --json` writes.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreFile {
    pub command: Vec<String>,
    /// Of the configuration.
    pub name: String,
    pub method: Method,
    /// Of the training.
    pub seed: u64,
    pub family: Family,
    pub modes: BTreeMap<Mode, Score>,
}

impl ScoreFile {
    pub fn new(
        command: Vec<String>,
        config: &Config,
        family: Family,
        (mode, score): (Mode, Score),
    ) -> Self {
        Self {
            command,
            name: config.name.clone(),
            method: config.generator.method,
            seed: config.seed,
            family,
            modes: BTreeMap::from([(mode, score)]),
        }
    }

    /// A line for a person.
    pub fn summary(&self) -> String {
        let of_mode = |(mode, score): (&Mode, &Score)| {
            let accuracy = &score.accuracy;
            format!(
                "{} {:.1} % of {} (95 %: {:.1}–{:.1} %), {:.1} tokens and {:.1} passes of the target a question",
                mode.name(),
                100.0 * accuracy.strict,
                accuracy.n,
                100.0 * accuracy.strict_interval.low,
                100.0 * accuracy.strict_interval.high,
                score.tokens,
                score.target_passes,
            )
        };
        let lines: Vec<String> = self.modes.iter().map(of_mode).collect();
        lines.join("; ")
    }

    /// Writes it whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(self).expect("plain data serializes");
        write_whole(path, &json)
    }
}

/// Problems that are answered at a time.
const CHUNK: usize = 100;

/// Most tokens of an answer without reasoning, as published (METHOD, section 7).
pub const MOST_ANSWER_TOKENS: usize = 30;
/// Room above the longest written reasoning and answer of the training problems, in tokens.
const SPARE_TOKENS: usize = 32;
/// Problems that the longest is looked for among.
const LENGTH_SAMPLE: usize = 2000;

/// Tokens that written reasoning and answer may take: the most of a sample, rounded up with some room.
pub fn longest_continuation(config: &Config, vocabulary: &Vocabulary) -> Result<usize, TrainError> {
    let stream = Stream::new(config, Purpose::Tokenizer);
    let examples = stream.examples(0, LENGTH_SAMPLE, vocabulary)?;
    let longest = examples
        .iter()
        .map(|example| example.reasoning.len() + example.answer.len() + 2)
        .max();
    Ok((longest.unwrap_or(0) + SPARE_TOKENS).next_multiple_of(SPARE_TOKENS))
}

/// Most tokens that a configuration's method may write.
pub fn most_tokens(config: &Config, vocabulary: &Vocabulary) -> Result<usize, TrainError> {
    match config.generator.method {
        Method::Explicit => longest_continuation(config, vocabulary),
        _ => Ok(MOST_ANSWER_TOKENS),
    }
}

/// Something that answers questions on the training backend.
pub trait Answers {
    /// What stands between question and answer.
    fn mode(&self) -> Mode;

    /// What is written for every example.
    fn write(&self, examples: &[Example], most_tokens: usize) -> Vec<Written>;
}

/// What is written after the answer prompt; all of it where there is no reasoning to write, nothing where the reasoning
/// never came to it.
pub fn answer_of(mode: Mode, written: &[u32], answer_prompt: u32) -> &[u32] {
    match mode {
        Mode::Implicit | Mode::Direct => written,
        Mode::Explicit => match written.iter().position(|&id| id == answer_prompt) {
            Some(at) => &written[at + 1..],
            None => &[],
        },
    }
}

/// Asks all problems and judges what is written.
pub fn score(
    answers: &dyn Answers,
    vocabulary: &Vocabulary,
    problems: &[Problem],
    most_tokens: usize,
) -> Score {
    let mode = answers.mode();
    let mut tally = Tally::default();
    let mut breakdown = Breakdown::default();
    let [mut tokens, mut target_passes, mut generator_passes] = [0u64; 3];
    for chunk in problems.chunks(CHUNK) {
        let examples: Vec<Example> = (chunk.iter())
            .map(|problem| Example::of(problem, vocabulary))
            .collect();
        let written = answers.write(&examples, most_tokens);
        for (problem, written) in chunk.iter().zip(written) {
            let text_of = |ids: &[u32]| {
                // Tokens that a baseline has added have no text.
                let known: Vec<u32> = (ids.iter().copied())
                    .filter(|&id| (id as usize) < vocabulary.size)
                    .collect();
                vocabulary.tokenizer.decode(&known).trim().to_owned()
            };
            let answer = text_of(answer_of(mode, &written.ids, vocabulary.answer));
            let reasoning_len = match mode {
                Mode::Implicit | Mode::Direct => 0,
                Mode::Explicit => (written.ids.iter())
                    .position(|&id| id == vocabulary.answer)
                    .unwrap_or(written.ids.len()),
            };
            // Run together, "= 9." and "9" would read as 9.9.
            let text = format!("{}\n{answer}", text_of(&written.ids[..reasoning_len]));
            let item = Item::from(problem.clone());
            let strict = tally.judge(&item, &answer, text.trim());
            breakdown.add(&item, strict);
            tokens += written.ids.len() as u64;
            target_passes += u64::from(written.target_passes);
            generator_passes += u64::from(written.generator_passes);
        }
    }
    let mean = |sum: u64| sum as f64 / problems.len().max(1) as f64;
    Score {
        accuracy: tally.accuracy(),
        breakdown,
        tokens: mean(tokens),
        target_passes: mean(target_passes),
        generator_passes: mean(generator_passes),
    }
}
