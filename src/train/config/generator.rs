//! Settings of the generator, and of the methods in its place.

use serde::{Deserialize, Serialize};

use super::super::baselines::settings::BaselineSettings;
use super::super::error::TrainError;
use super::super::linear::Linear;
use super::super::llama::LlamaSizes;
use super::{Schedule, check_share, faded};
use crate::formats::manifest::ImplicitFrom;
use crate::model::MOST_PASSES;

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
    #[serde(default)]
    pub step_supervision_after: StepSupervisionAfter,
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
    /// Share of a batch's problems of which the results of the first steps, as many as are drawn, stand in place of their
    /// thoughts from the second pass on: the tokens that `step_supervision_by = "generator"` asks for. In training only, and
    /// fading with that supervision.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub teacher_forcing: f64,
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

fn is_zero(number: &f64) -> bool {
    *number == 0.0
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

/// After which passes of the generator its words are asked for intermediate results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSupervisionAfter {
    /// The last, for all.
    #[default]
    LastPass,
    /// Each, for the results of the first vectors: after p passes of n for those of p n-ths of the vectors, rounded up to
    /// whole steps, so that a pass has its own steps to go.
    EachPass,
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
    /// Says which setting cannot be.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let wrong = |field, message: String| Err(TrainError::Setting { field, message });
        if !(1..=64).contains(&self.implicit_tokens) {
            return wrong(
                "generator.implicit_tokens",
                format!("{} is not from 1 to 64", self.implicit_tokens),
            );
        }
        let (train_k, eval_k) = (self.implicit_tokens, self.eval_implicit_tokens());
        if !(1..=64).contains(&eval_k) {
            return wrong(
                "generator.eval_implicit_tokens",
                format!("{eval_k} is not from 1 to 64"),
            );
        }
        if !(1..=train_k).contains(&self.vectors_per_step) {
            return wrong(
                "generator.vectors_per_step",
                format!(
                    "{} is not from 1 to the {train_k} implicit tokens",
                    self.vectors_per_step
                ),
            );
        }
        if self.method.has_constant_vectors() && eval_k > train_k {
            return wrong(
                "generator.eval_implicit_tokens",
                format!("{eval_k} constant vectors are asked for, {train_k} are learnt"),
            );
        }
        check_share("generator.alpha", self.alpha)?;
        if self.method == Method::Softcot && self.start != Start::Target {
            let message =
                "SoftCoT's small model does not train: only \"target\" gives it trained weights";
            return wrong("generator.start", message.into());
        }
        if self.alpha > 0.0 && !self.method.aligns() {
            let message =
                "only the methods semcot and lora_generator align their vectors: 0 is meant";
            return wrong("generator.alpha", message.into());
        }
        let has_own = self.alignment_projection == AlignmentProjection::Own;
        if has_own && self.method != Method::Semcot {
            let message = "only method \"semcot\" has a projection: \"shared\" is meant";
            return wrong("generator.alignment_projection", message.into());
        }
        if !(1..=MOST_PASSES as usize).contains(&self.passes) {
            return wrong(
                "generator.passes",
                format!("{} is not from 1 to 16", self.passes),
            );
        }
        if self.step_supervision_by == StepSupervisionBy::Generator && self.method != Method::Semcot
        {
            let message = "only method \"semcot\" has a generator: \"target\" is meant";
            return wrong("generator.step_supervision_by", message.into());
        }
        let reads_thoughts =
            self.method == Method::Semcot && self.implicit_from == ImplicitFrom::ThoughtPositions;
        if self.passes > 1 && !reads_thoughts {
            let message =
                "only method \"semcot\" with implicit_from \"thought_positions\" has more than one";
            return wrong("generator.passes", message.into());
        }
        check_share("generator.teacher_forcing", self.teacher_forcing)?;
        let asks_passes = self.step_supervision_after == StepSupervisionAfter::EachPass;
        if asks_passes && self.step_supervision_by != StepSupervisionBy::Generator {
            let message = "the target reads what the last pass has made: \"last_pass\" is meant";
            return wrong("generator.step_supervision_after", message.into());
        }
        let feeds_names =
            self.passes > 1 && self.step_supervision_by == StepSupervisionBy::Generator;
        if self.teacher_forcing > 0.0 && !feeds_names {
            let message = "only step_supervision_by \"generator\" with more than one pass has thoughts that \
                           results can stand for: 0 is meant";
            return wrong("generator.teacher_forcing", message.into());
        }
        match self.baseline.problem() {
            Some((field, message)) => wrong(field, message),
            None => Ok(()),
        }
    }

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

    /// The passes, of so many, after which the generator's words are asked for results, each with the vectors that are
    /// asked then.
    pub fn asked_passes(&self, passes: usize) -> Vec<(usize, usize)> {
        let (k, per_step) = (self.implicit_tokens, self.vectors_per_step);
        let vectors = |pass: usize| {
            let steps = ((pass + 1) * k).div_ceil(passes * per_step);
            (steps * per_step).min(k)
        };
        match self.step_supervision_after {
            StepSupervisionAfter::LastPass => vec![(passes - 1, k)],
            StepSupervisionAfter::EachPass => {
                (0..passes).map(|pass| (pass, vectors(pass))).collect()
            }
        }
    }

    /// Share of a batch's problems with teacher forcing at a step.
    pub fn teacher_forcing_at(&self, step: usize) -> f64 {
        faded(self.teacher_forcing, self.step_supervision_until, step)
    }

    /// Weight of the step supervision at a step.
    pub fn step_supervision_at(&self, step: usize) -> f64 {
        faded(self.step_supervision, self.step_supervision_until, step)
    }
}
