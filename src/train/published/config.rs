//! The configuration file of a published run: two models, the authors' data, and every setting of the method at its
//! published value where the file says nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::config::{
    AlignmentProjection, AlignmentSpace, BatchLoss, Directions, Embeddings, ProjectionPhase,
    Selection, SentenceAttention,
};
use super::super::error::TrainError;
use super::super::extends::extended;
use super::super::precision::Precision;
use crate::formats::manifest::ImplicitFrom;
use crate::reasoning::pairing::PublishedPrompts;

/// Everything that decides what a published run trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedConfig {
    /// Name of the run; its data set's name is put behind it.
    pub name: String,
    /// Start values and orders follow from it, where `replay` does not give them.
    pub seed: u64,
    /// Which of `data_sets` is trained on.
    pub data_set: String,
    pub models: Models,
    /// The authors' prompts of this name (METHOD, section 2).
    pub prompts: PublishedPrompts,
    /// Items in a step.
    #[serde(default = "four")]
    pub batch: usize,
    /// What the passes of a step compute in; what is trained stays f32, and is what validates.
    #[serde(default)]
    pub precision: Precision,
    #[serde(default)]
    pub best_value: BestValue,
    #[serde(default)]
    pub logged_losses: LoggedLosses,
    #[serde(default)]
    pub items: ItemSettings,
    #[serde(default)]
    pub tokens: TokenSettings,
    #[serde(default)]
    pub sentence_transformer: SentenceChoices,
    #[serde(default)]
    pub generator: GeneratorChoices,
    #[serde(default)]
    pub evaluation: EvaluationSettings,
    pub data_sets: BTreeMap<String, DataSet>,
    /// What chance decided in a run of the published code, to be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// The two models, each a folder of Hugging Face's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// The large one, which is frozen.
    pub target: String,
    /// What the generator begins as.
    pub generator: String,
}

/// A data set and the values that were tuned for it (METHOD, section 8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSet {
    /// The authors' `train.json`, or a file of its form, below the folder of data.
    pub train: String,
    /// Their `eval.json`.
    pub evaluation: String,
    /// Weight of the alignment loss.
    pub alpha: f64,
    pub sentence_transformer: Phases,
    pub generator: Phases,
}

/// The two phases of a stage: each with a new AdamW, a rate that stays and a choice of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Only the linear layer trains. No epochs leave it out, which is what the published variation without a warm-up was
    /// meant to be (METHOD, Q16).
    pub linear: Phase,
    /// Everything trains.
    pub all: Phase,
}

/// Length, rate and decay of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub epochs: usize,
}

/// What the second phase of a stage has to be better than, to be kept (METHOD, Q14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestValue {
    /// Nothing, as published: its best epoch is kept even where the first phase had a better one.
    #[default]
    Restarts,
    /// The best of the first phase.
    Carried,
}

/// What stands in the metrics as the sentence transformer's losses of an epoch (METHOD, Q13). Nothing is chosen by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoggedLosses {
    /// As published: for training the sum of the batches' means over the number of items, for validation the mean over the
    /// items, over their number once more. The two cannot be compared.
    #[default]
    Published,
    /// The mean over the items, for both.
    Means,
}

/// Which items are used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ItemSettings {
    /// The first of the training file, all where there are fewer.
    pub train: usize,
    /// The first of the evaluation file.
    pub evaluation: usize,
    /// Part of the training items that the sentence transformer is chosen on, rounded up.
    pub sentence_validation: f64,
    pub selection: SelectionItems,
    pub repeated: Repeated,
}

impl Default for ItemSettings {
    fn default() -> Self {
        Self {
            train: 800,
            evaluation: 200,
            sentence_validation: 0.2,
            selection: SelectionItems::default(),
            repeated: Repeated::default(),
        }
    }
}

/// The items that the generator's epoch is chosen on (METHOD, Q1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionItems {
    /// Those that are reported, as published.
    #[default]
    Evaluation,
    /// The training items that the sentence transformer was chosen on; the generator then trains on the others alone.
    HeldOut,
}

/// Training questions that the evaluation part has too (METHOD, Q23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// As published.
    #[default]
    Kept,
    Dropped,
}

/// How text becomes tokens (METHOD, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// The token that is added to the generator's tokenizer.
    pub thought: String,
    /// Longer pieces are cut.
    pub max_piece: usize,
    /// Whether the target's question begins with the begin token that its tokenizer has. Published: no (METHOD, Q17).
    pub target_begin_token: bool,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            thought: super::super::vocabulary::THOUGHT.to_owned(),
            max_piece: 512,
            target_begin_token: false,
        }
    }
}

/// The sentence transformer (METHOD, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SentenceChoices {
    pub first_layer: usize,
    pub num_layers: usize,
    pub embedding_size: usize,
    pub temperature: f64,
    pub directions: Directions,
    pub attention: SentenceAttention,
}

impl Default for SentenceChoices {
    fn default() -> Self {
        Self {
            first_layer: 16,
            num_layers: 5,
            embedding_size: 768,
            temperature: 1.0,
            directions: Directions::Forward,
            attention: SentenceAttention::Full,
        }
    }
}

/// The generator (METHOD, section 6). What each setting means stands at the setting of the same name in
/// [`super::super::config::GeneratorSettings`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneratorChoices {
    pub implicit_tokens: usize,
    pub eval_implicit_tokens: usize,
    pub implicit_from: ImplicitFrom,
    pub answer_end: bool,
    pub batch_loss: BatchLoss,
    pub embeddings: Embeddings,
    pub decay_frozen_rows: bool,
    pub projection_phase: ProjectionPhase,
    pub alignment_space: AlignmentSpace,
    pub alignment_projection: AlignmentProjection,
    pub selection: Selection,
}

impl Default for GeneratorChoices {
    fn default() -> Self {
        Self {
            implicit_tokens: 5,
            eval_implicit_tokens: 1,
            implicit_from: ImplicitFrom::LastQuestionToken,
            answer_end: false,
            batch_loss: BatchLoss::Sum,
            embeddings: Embeddings::Thought,
            decay_frozen_rows: true,
            projection_phase: ProjectionPhase::Projection,
            alignment_space: AlignmentSpace::SentenceTransformer,
            alignment_projection: AlignmentProjection::Shared,
            selection: Selection::Loss,
        }
    }
}

/// How answers are written and judged (METHOD, section 7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSettings {
    pub max_tokens: usize,
    /// One score for each, beside the one with the most likely tokens that the published code never makes (METHOD, Q8).
    pub temperatures: Vec<f32>,
    pub top_k: u32,
    pub top_p: f32,
    pub long_answers: LongAnswers,
    pub timing: QuestionTiming,
}

/// What counts into the time of a question (METHOD, Q19). Questions are asked one at a time either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionTiming {
    /// As published: the generator's pass and the target's writing, and a collection of free memory between them; not the
    /// tokenizing, the look-up of the target's input, nor the text of what was written. Nothing waits for the device but
    /// what reads from it.
    #[default]
    Published,
    /// From the text of the question to the text of the answer.
    TextToText,
}

/// Answers of more tokens than what they were asked with (METHOD, Q7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongAnswers {
    /// As published, by a slip: they lose their first tokens, one fewer than those that they were asked with.
    #[default]
    Cut,
    Whole,
}

impl LongAnswers {
    /// What is left of an answer to so many tokens and vectors.
    pub fn left(self, written: &[u32], asked: usize) -> &[u32] {
        match self {
            Self::Cut if written.len() > asked => &written[asked - 1..],
            Self::Cut | Self::Whole => written,
        }
    }
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self {
            max_tokens: 30,
            temperatures: vec![0.1, 0.3, 0.5, 0.7, 0.9],
            top_k: 50,
            top_p: 0.9,
            long_answers: LongAnswers::default(),
            timing: QuestionTiming::default(),
        }
    }
}

/// Draws of a run of the published code, which come from other generators of random numbers than ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// JSON: `split` with `train` and `validation`, and an order for each epoch of `sentence_linear`, `sentence_all`,
    /// `generator_linear` and `generator_all`.
    pub orders: PathBuf,
    /// Safetensors with the start values of `projection_layer` and `embedding_projection`.
    pub start: PathBuf,
}

fn four() -> usize {
    4
}

impl PublishedConfig {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let config: PublishedConfig = extended(path)?;
        config.check()?;
        Ok(config)
    }

    /// Whether a file is of this kind: only these name models.
    pub fn is_in(path: &Path) -> Result<bool, TrainError> {
        Ok(extended::<toml::Table>(path)?.contains_key("models"))
    }

    /// The data set that is trained on.
    pub fn data(&self) -> Result<&DataSet, TrainError> {
        let names = || {
            let names: Vec<&str> = self.data_sets.keys().map(String::as_str).collect();
            names.join(", ")
        };
        (self.data_sets.get(&self.data_set)).ok_or_else(|| TrainError::Setting {
            field: "data_set",
            message: format!("\"{}\" is not one of {}", self.data_set, names()),
        })
    }

    /// Whether the generator's training compares embeddings of the sentence transformer.
    pub fn needs_sentence_transformer(&self) -> Result<bool, TrainError> {
        let space = self.generator.alignment_space;
        Ok(self.data()?.alpha > 0.0 && space == AlignmentSpace::SentenceTransformer)
    }

    /// Says which setting cannot be. What depends on the models is checked when they are read.
    pub fn check(&self) -> Result<(), TrainError> {
        let wrong = |field, message: String| Err(TrainError::Setting { field, message });
        let data = self.data()?;
        if !(0.0..=1.0).contains(&data.alpha) {
            return wrong("alpha", format!("{} is not from 0 to 1", data.alpha));
        }
        let phases = [data.sentence_transformer, data.generator];
        for phase in phases.iter().flat_map(|it| [it.linear, it.all]) {
            let is_number = |value: f64| value.is_finite() && value >= 0.0;
            if !(is_number(phase.learning_rate) && is_number(phase.weight_decay)) {
                let message = format!("{phase:?}: rate and decay must be numbers from 0 on");
                return wrong("data_sets", message);
            }
        }
        for (field, value) in [
            ("batch", self.batch),
            ("items.train", self.items.train),
            ("items.evaluation", self.items.evaluation),
            ("evaluation.max_tokens", self.evaluation.max_tokens),
            (
                "sentence_transformer.num_layers",
                self.sentence_transformer.num_layers,
            ),
            (
                "sentence_transformer.embedding_size",
                self.sentence_transformer.embedding_size,
            ),
        ] {
            if value == 0 {
                return wrong(field, "must be at least 1".into());
            }
        }
        if !(1..=512).contains(&self.tokens.max_piece) {
            return wrong(
                "tokens.max_piece",
                format!("{} is not from 1 to 512", self.tokens.max_piece),
            );
        }
        let part = self.items.sentence_validation;
        if !(part > 0.0 && part < 1.0) {
            return wrong(
                "items.sentence_validation",
                format!("{part} is not between 0 and 1"),
            );
        }
        if self.sentence_transformer.temperature <= 0.0 {
            return wrong("sentence_transformer.temperature", "must be above 0".into());
        }
        for (field, k) in [
            ("generator.implicit_tokens", self.generator.implicit_tokens),
            (
                "generator.eval_implicit_tokens",
                self.generator.eval_implicit_tokens,
            ),
        ] {
            if !(1..=64).contains(&k) {
                return wrong(field, format!("{k} is not from 1 to 64"));
            }
        }
        let evaluation = &self.evaluation;
        if evaluation.temperatures.iter().any(|it| *it <= 0.0)
            || !(evaluation.top_p > 0.0 && evaluation.top_p <= 1.0)
        {
            let message = "temperatures must be above 0, and top_p above 0 and at most 1".into();
            return wrong("evaluation", message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::LongAnswers;

    #[test]
    fn only_answers_longer_than_what_was_asked_lose_tokens() {
        let written = [1, 2, 3, 4, 5];
        assert_eq!(LongAnswers::Cut.left(&written, 4), [4, 5]);
        assert_eq!(LongAnswers::Cut.left(&written, 5), written);
        assert_eq!(LongAnswers::Whole.left(&written, 4), written);
    }
}
