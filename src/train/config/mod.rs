//! The configuration file of a run: one TOML file for all stages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod drawn;
mod generator;

pub use drawn::{Lesson, Mixture};
pub use generator::{
    AlignmentOf, AlignmentProjection, AlignmentSpace, BatchLoss, Embeddings, GeneratorSettings,
    Method, ProjectionPhase, Selection, Start, StepSupervisionAfter, StepSupervisionBy,
    StepSupervisionOf,
};

use super::error::TrainError;
use super::extends::extended;
use super::llama::LlamaSizes;
use super::optimizer::OptimizerSettings;
use super::precision::Precision;
use super::written::{Written, WrittenSettings};
use crate::problems::{self, Split};

/// Everything that decides what a run trains.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the model folder and, by default, of the run.
    pub name: String,
    /// What the pair is for, in one sentence; goes into semcot.json.
    #[serde(default = "described")]
    pub description: String,
    /// What a reader of the model folder should know of how the run went; goes into semcot.json.
    #[serde(default)]
    pub notes: String,
    /// All random numbers of the run follow from it.
    pub seed: u64,
    /// Folder of the run that made tokenizer, target and sentence transformer, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<PathBuf>,
    /// The file of a generator of these sizes, as `semcot export` writes it, whose weights the generator begins with in place
    /// of what `generator.start` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_from: Option<PathBuf>,
    /// How hard the problems are.
    #[serde(default)]
    pub problems: problems::Settings,
    /// Share of each family in a batch.
    pub mixture: Mixture,
    /// Problems that people wrote, beside the generated ones; a command that trains with them needs their folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<WrittenSettings>,
    /// These problems, once they are read; what does not train does without.
    #[serde(skip)]
    pub written_problems: Option<Arc<Written>>,
    pub tokenizer: TokenizerSettings,
    pub validation: ValidationSettings,
    pub target: TargetSettings,
    pub sentence_transformer: SentenceSettings,
    pub generator: GeneratorSettings,
    /// Easier problems for the generator to begin with, one lesson after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curriculum: Vec<Lesson>,
}

fn described() -> String {
    "A target and a generator for word problems of additions and subtractions and of flipped coins"
        .into()
}

/// Training of the tokenizer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerSettings {
    pub vocab_size: usize,
    /// Training problems of each family that it is trained on.
    pub problems: usize,
}

/// Validation during training.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationSettings {
    /// Steps between validations.
    pub every: usize,
    /// Problems of each family.
    pub problems: usize,
    /// The questions that checkpoints are chosen on. Published: those that are reported, `heldout` (METHOD, Q1); ours are
    /// apart, because a choice among checkpoints flatters the questions it is made on.
    #[serde(default = "validation_split")]
    pub split: Split,
}

fn validation_split() -> Split {
    Split::Validation
}

/// Length, rate and batch of a stage.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub steps: usize,
    /// Problems in a step.
    pub batch: usize,
    pub learning_rate: f64,
    /// Steps over which the rate rises from zero.
    pub warmup_steps: usize,
    /// The rate falls along a cosine to this part of itself.
    pub final_rate: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Rounds that a step's batch is computed in, one after the other, whose gradients add up to the batch's: so many times
    /// less memory. The sentence transformer's batch stays whole, because each of its pairs is held against all others.
    #[serde(default = "one")]
    pub gradient_accumulation: usize,
    /// What the passes of a step compute in; what is trained stays f32, and is what validates.
    #[serde(default)]
    pub precision: Precision,
    #[serde(default)]
    pub optimizer: OptimizerSettings,
}

fn one() -> usize {
    1
}

impl Schedule {
    /// The learning rate of a step, counted from zero.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let span = self.steps.saturating_sub(self.warmup_steps).max(1);
        let part = ((step - self.warmup_steps) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * part).cos());
        self.learning_rate * (self.final_rate + (1.0 - self.final_rate) * cosine)
    }
}

/// The target and how it is trained.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    pub sizes: LlamaSizes,
    pub schedule: Schedule,
    /// Part of the examples that answer without reasoning.
    pub direct_share: f64,
    /// Weight of the loss on the questions' own tokens; 0 turns it off. To tell what comes next in a story a model must
    /// tell its people apart, which little else in the training asks for.
    #[serde(default)]
    pub question_weight: f64,
    /// Step by which that weight has faded to 0, evenly from the first step; without it the weight stays.
    pub question_weight_until: Option<usize>,
}

impl TargetSettings {
    /// Weight of the loss on questions at a step.
    pub fn question_weight_at(&self, step: usize) -> f64 {
        faded(self.question_weight, self.question_weight_until, step)
    }
}

/// The sentence transformer and how it is trained (METHOD, section 5).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentenceSettings {
    /// The target's layer that its input enters; the hidden state of that number is its input.
    pub first_layer: usize,
    /// Layers copied from the target.
    pub num_layers: usize,
    /// Numbers in an embedding.
    pub embedding_size: usize,
    /// Divisor of the cosines in the contrastive loss; 1 as published.
    pub temperature: f64,
    pub directions: Directions,
    pub attention: SentenceAttention,
    /// Steps at the start in which only the linear layer trains.
    pub linear_steps: usize,
    pub schedule: Schedule,
}

/// Which way the contrastive loss runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// From reasoning to condensed reasoning only, as published.
    Forward,
    /// The mean of both ways.
    Both,
}

/// Which positions the sentence transformer's attention sees (METHOD, Q4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentenceAttention {
    /// All, as published.
    Full,
    /// Those before.
    Causal,
}

/// A weight that fades evenly to 0 at the step `until`, where there is one.
fn faded(weight: f64, until: Option<usize>, step: usize) -> f64 {
    match until {
        Some(until) if step >= until => 0.0,
        Some(until) => weight * (1.0 - step as f64 / until as f64),
        None => weight,
    }
}

/// Whether a setting is a share of something.
fn check_share(field: &'static str, share: f64) -> Result<(), TrainError> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    let message = format!("{share} is not from 0 to 1");
    Err(TrainError::Setting { field, message })
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let config: Config = extended(path)?;
        config.check()?;
        Ok(config)
    }

    /// Reads the problems that people wrote, if the configuration names any, below the folder `data`.
    pub fn read_written(&mut self, data: Option<&Path>) -> Result<(), TrainError> {
        let Some(settings) = &self.written else {
            return Ok(());
        };
        let folder = data.ok_or_else(|| TrainError::Setting {
            field: "written",
            message: "say with --data in which folder its files are".into(),
        })?;
        self.written_problems = Some(Arc::new(Written::read(settings, folder)?));
        Ok(())
    }

    /// Whether the generator's training compares embeddings of the sentence transformer.
    pub fn needs_sentence_transformer(&self) -> bool {
        let generator = &self.generator;
        generator.alpha > 0.0 && generator.alignment_space == AlignmentSpace::SentenceTransformer
    }

    /// Says which setting cannot be.
    pub fn check(&self) -> Result<(), TrainError> {
        let wrong = |field, message: String| Err(TrainError::Setting { field, message });
        self.problems.check()?;
        for lesson in &self.curriculum {
            lesson.limit(self.problems).check()?;
        }
        if !self.curriculum.is_sorted_by_key(|lesson| lesson.until) {
            return wrong(
                "curriculum",
                "each lesson must end after the one before".into(),
            );
        }
        self.mixture.check()?;
        for lesson in &self.curriculum {
            lesson.check()?;
        }
        if let Some(written) = &self.written {
            check_share("written.share", written.share)?;
            check_share("written.renumbered", written.renumbered)?;
        }
        if let Some(message) = self.target.sizes.problem() {
            return wrong("target.sizes", message);
        }
        if let Some(message) = self.generator.sizes.problem() {
            return wrong("generator.sizes", message);
        }
        check_share("target.direct_share", self.target.direct_share)?;
        let weight = self.target.question_weight;
        if !(weight >= 0.0 && weight.is_finite()) {
            let message = format!("{weight} is no weight: a number from 0 on is");
            return wrong("target.question_weight", message);
        }
        let sentence = &self.sentence_transformer;
        let last = sentence.first_layer + sentence.num_layers;
        if sentence.num_layers == 0 || last > self.target.sizes.num_layers {
            let have = self.target.sizes.num_layers;
            return wrong(
                "sentence_transformer",
                format!(
                    "layers {}..{last} are asked for, the target has {have}",
                    sentence.first_layer
                ),
            );
        }
        if sentence.temperature <= 0.0 {
            return wrong("sentence_transformer.temperature", "must be above 0".into());
        }
        let generator = &self.generator;
        if generator.start == Start::Target && generator.sizes != self.target.sizes {
            return wrong(
                "generator.start",
                "\"target\" needs the same sizes as the target".into(),
            );
        }
        if self.generator_from.is_some() && generator.method != Method::Semcot {
            let message = "only method \"semcot\" has a generator to begin with";
            return wrong("generator_from", message.into());
        }
        generator.check()?;
        let schedules = [
            ("target.schedule", &self.target.schedule),
            ("sentence_transformer.schedule", &sentence.schedule),
            ("generator.schedule", &generator.schedule),
        ];
        for (field, schedule) in schedules {
            if schedule.batch == 0 || schedule.checkpoint_every == 0 {
                return wrong(
                    field,
                    "batch and checkpoint_every must be at least 1".into(),
                );
            }
            if !(1..=schedule.batch).contains(&schedule.gradient_accumulation) {
                let rounds = schedule.gradient_accumulation;
                let message = format!(
                    "gradient_accumulation {rounds} is not from 1 to the batch, {}",
                    schedule.batch
                );
                return wrong(field, message);
            }
        }
        if self.validation.every == 0 || self.validation.problems == 0 {
            return wrong("validation", "every and problems must be at least 1".into());
        }
        Ok(())
    }
}
