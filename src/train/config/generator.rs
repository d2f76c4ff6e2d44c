//! Settings of the generator, and of the methods in its place.

use serde::{Deserialize, Serialize};

use super::super::baselines::settings::BaselineSettings;
use super::super::linear::Linear;
use super::super::llama::LlamaSizes;
use super::{Schedule, faded};
use crate::formats::manifest::ImplicitFrom;

/// The generator and how it is trained (METHOD, section 6).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorSettings {
    pub sizes: LlamaSizes,
    pub schedule: Schedule,
    pub method: Method,
    pub start: Start,
    /// k: vectors that the target is given in training.
    pub implicit_tokens: usize,
    /// k in use, as many as in training where it is not given. Published: 1, trained with 5, so that `<thought>` has no
    /// influence at all (METHOD, Q2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_implicit_tokens: Option<usize>,
    /// Which of the generator's states are projected. Published: those from the last question token on (METHOD, Q3); ours
    /// are those of the tokens put there for it.
    #[serde(default = "thought_positions")]
    pub implicit_from: ImplicitFrom,
    /// Whether an end token is appended to the answer and learnt. Published: no (METHOD, Q5); without it nothing teaches
    /// the target's input to make it stop.
    #[serde(default = "yes")]
    pub answer_end: bool,
    #[serde(default)]
    pub batch_loss: BatchLoss,
    #[serde(default)]
    pub embeddings: Embeddings,
    /// Whether rows of the embedding table that do not train shrink by weight decay all the same. Published: yes (METHOD,
    /// Q9); a frozen row that shrinks is not frozen.
    #[serde(default)]
    pub decay_frozen_rows: bool,
    /// Steps at the start in which only the projection, and what `projection_phase` adds, trains.
    pub projection_steps: usize,
    #[serde(default)]
    pub projection_phase: ProjectionPhase,
    #[serde(default)]
    pub alignment_space: AlignmentSpace,
    #[serde(default)]
    pub alignment_projection: AlignmentProjection,
    #[serde(default)]
    pub alignment_of: AlignmentOf,
    #[serde(default)]
    pub selection: Selection,
    /// Weight of the alignment loss; the loss on the answer has 1 − alpha.
    pub alpha: f64,
    /// Problems of a batch that the alignment loss is taken on.
    pub alignment_batch: usize,
    /// Weight of the loss that asks the first j vectors for the j-th intermediate result; 0 turns it off.
    pub step_supervision: f64,
    #[serde(default)]
    pub step_supervision_of: StepSupervisionOf,
    #[serde(default)]
    pub step_supervision_by: StepSupervisionBy,
    /// Step by which that weight has faded to 0, evenly from the first step; without it the weight stays.
    pub step_supervision_until: Option<usize>,
    /// Vectors that a step of arithmetic has, for the supervision of steps and the alignment with them: the j-th result is
    /// asked for behind j times so many.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub vectors_per_step: usize,
    /// Step before which not all written steps are replaced: the target writes what is left of the reasoning behind the
    /// vectors of the first steps, one step fewer in each of k equal parts of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_until: Option<usize>,
    /// How often the generator goes over its `<thought>` positions; from the second time on with the states of the time
    /// before in their place. 1 as published.
    #[serde(default = "one")]
    pub passes: usize,
    /// What the methods that it is compared with are set to.
    #[serde(default, skip_serializing_if = "BaselineSettings::is_default")]
    pub baseline: BaselineSettings,
}

fn thought_positions() -> ImplicitFrom {
    ImplicitFrom::ThoughtPositions
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

/// How the losses of a batch become one (METHOD, Q10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchLoss {
    /// Batches of any size weigh the same.
    #[default]
    Mean,
    /// As published: the smaller last batch of an epoch has a smaller gradient.
    Sum,
}

/// Which rows of the generator's embedding table train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Embeddings {
    /// All: our generators are trained with their words, not taken from a language model.
    #[default]
    All,
    /// That of `<thought>`, as published (METHOD, section 6).
    Thought,
}

/// What trains in the projection's phase at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionPhase {
    /// The projection and `<thought>`, whose row is as new as the projection.
    #[default]
    ProjectionAndThought,
    /// The projection alone, as published.
    Projection,
}

/// Where implicit tokens and written reasoning are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignmentSpace {
    /// Among the sentence transformer's embeddings.
    #[default]
    SentenceTransformer,
    /// The mean of the vectors and that of the target's hidden state: the published variation without a sentence
    /// transformer (METHOD, section 8).
    HiddenState,
    /// The means of the vectors and of the target's input embeddings, the space that the target reads the vectors in.
    Embeddings,
}

/// What of the generator is compared with written reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignmentProjection {
    /// The vectors that the target reads, as published: they have to be input embeddings and hidden states at once (METHOD,
    /// Q12).
    #[default]
    Shared,
    /// Its states by a projection of their own, which begins like that of the vectors and is not used afterwards.
    Own,
}

impl AlignmentProjection {
    /// The projection of its own before training, where there is one.
    pub fn of(self, projection: &Linear) -> Option<Linear> {
        (self == Self::Own).then(|| projection.clone())
    }
}

/// What of the written reasoning the vectors are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignmentOf {
    /// All vectors together with all of it, as published.
    #[default]
    Whole,
    /// Each vector with the sentences of its own steps.
    Steps,
}

/// Which intermediate results of a problem are asked for in a step of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSupervisionOf {
    /// One, drawn anew each time.
    #[default]
    Drawn,
    /// Each of them once, where fewer than all vectors stand for it; the loss is the mean over those of a batch. A step
    /// takes longer by what the target reads of them behind the question.
    All,
}

/// What the intermediate results are read off the vectors by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSupervisionBy {
    /// The target, which writes them behind the first vectors.
    #[default]
    Target,
    /// The generator's own table of words: each state of a step's vectors names one token of its result. All results are
    /// asked for.
    Generator,
}

/// What the best checkpoint is chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Answers that are right.
    #[default]
    Accuracy,
    /// The mean loss over the validation problems, as published.
    Loss,
}

/// What is put between question and answer, and what learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The generator's vectors; the target is frozen.
    Semcot,
    /// Variation: the target with changes of low rank makes the vectors for itself as it was.
    LoraGenerator,
    /// Baseline: a frozen small model's states, projected; only the projection trains.
    Softcot,
    /// Baseline: k times one learnt token; the target learns.
    Pause,
    /// Baseline: written reasoning that loses ever more tokens; the target learns.
    IcotSi,
    /// Baseline: the target's states are fed back in place of lines of the reasoning; the target learns.
    Coconut,
    /// Baseline: a pass with states fed back learns from one with written reasoning; the target learns.
    Codi,
    /// Control: the answer at once; the target learns.
    Direct,
    /// Control: written reasoning; the target learns.
    Explicit,
    /// Control: k constant learnt vectors; the target is frozen.
    ConstantVectors,
    /// Control: k constant learnt vectors; the target learns too, at a part of the rate.
    ConstantVectorsAndTarget,
}

impl Method {
    /// Whether the implicit tokens may be compared with written reasoning.
    pub fn aligns(self) -> bool {
        matches!(self, Method::Semcot | Method::LoraGenerator)
    }

    /// Whether it has k vectors of its own that use cannot have more of.
    pub(super) fn has_constant_vectors(self) -> bool {
        matches!(
            self,
            Method::ConstantVectors | Method::ConstantVectorsAndTarget
        )
    }
}

/// Where the generator's weights begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// From random numbers.
    Random,
    /// From the trained target, which must have the same sizes.
    Target,
}

impl GeneratorSettings {
    /// k in use.
    pub fn eval_implicit_tokens(&self) -> usize {
        self.eval_implicit_tokens.unwrap_or(self.implicit_tokens)
    }

    /// Vectors that stand for written steps at a step of training, the rest of which is still written; none where all are
    /// replaced.
    pub fn replaced_at(&self, step: usize) -> Option<usize> {
        let until = self.replaced_until.filter(|&until| step < until)?;
        Some(1 + step * self.implicit_tokens / until)
    }

    /// Weight of the step supervision at a step.
    pub fn step_supervision_at(&self, step: usize) -> f64 {
        faded(self.step_supervision, self.step_supervision_until, step)
    }
}
