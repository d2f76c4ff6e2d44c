//! The settings of training as a published run has them: a schedule a phase, everything else the same in both.

use super::super::baselines::settings::BaselineSettings;
use super::super::config::{
    AlignmentOf, GeneratorSettings, Method, Schedule, SentenceSettings, Start,
    StepSupervisionAfter, StepSupervisionBy, StepSupervisionOf,
};
use super::super::llama::LlamaSizes;
use super::super::optimizer::{MatrixRule, OptimizerSettings};
use super::super::precision::Precision;
use super::config::{GeneratorChoices, Phase, SentenceChoices};

/// The schedule of a phase of so many steps: AdamW at a rate that stays, without a clip (METHOD, section 6).
pub fn schedule(phase: Phase, steps: usize, batch: usize, checkpoint_every: usize) -> Schedule {
    Schedule {
        steps,
        batch,
        learning_rate: phase.learning_rate,
        warmup_steps: 0,
        final_rate: 1.0,
        checkpoint_every,
        gradient_accumulation: 1,
        precision: Precision::F32,
        optimizer: OptimizerSettings {
            beta_1: 0.9,
            beta_2: 0.999,
            eps: 1e-8,
            weight_decay: phase.weight_decay,
            clip: f64::INFINITY,
            matrices: MatrixRule::Adamw,
        },
    }
}

/// Of a phase of the sentence transformer, whose first `linear_steps` train the linear layer alone.
pub fn sentence(
    choices: &SentenceChoices,
    schedule: Schedule,
    linear_steps: usize,
) -> SentenceSettings {
    SentenceSettings {
        first_layer: choices.first_layer,
        num_layers: choices.num_layers,
        embedding_size: choices.embedding_size,
        temperature: choices.temperature,
        directions: choices.directions,
        attention: choices.attention,
        linear_steps,
        schedule,
    }
}

/// Of a phase of the generator, whose first `linear_steps` train the projection alone.
pub fn generator(
    choices: &GeneratorChoices,
    alpha: f64,
    sizes: LlamaSizes,
    schedule: Schedule,
    linear_steps: usize,
) -> GeneratorSettings {
    GeneratorSettings {
        sizes,
        schedule,
        method: Method::Semcot,
        // Of a model's own weights, which this setting does not know.
        start: Start::Random,
        implicit_tokens: choices.implicit_tokens,
        eval_implicit_tokens: Some(choices.eval_implicit_tokens),
        implicit_from: choices.implicit_from,
        answer_end: choices.answer_end,
        batch_loss: choices.batch_loss,
        embeddings: choices.embeddings,
        decay_frozen_rows: choices.decay_frozen_rows,
        projection_steps: linear_steps,
        projection_phase: choices.projection_phase,
        alignment_space: choices.alignment_space,
        alignment_projection: choices.alignment_projection,
        alignment_of: AlignmentOf::Whole,
        selection: choices.selection,
        alpha,
        // All of a batch.
        alignment_batch: usize::MAX,
        step_supervision: 0.0,
        step_supervision_of: StepSupervisionOf::Drawn,
        step_supervision_by: StepSupervisionBy::Target,
        step_supervision_after: StepSupervisionAfter::LastPass,
        step_supervision_until: None,
        replaced_until: None,
        vectors_per_step: 1,
        passes: 1,
        teacher_forcing: 0.0,
        baseline: BaselineSettings::default(),
    }
}
