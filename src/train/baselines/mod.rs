//! The published baselines and two controls, all of which train the target itself: what each reads, its loss, and what its
//! target is given before it writes (METHOD, sections 8 and 10). One file each, one trait. Those whose target stays frozen
//! are sources of vectors (`train::source`).
//!
//! Losses and inputs are those of the published code where `[generator.baseline]` says so. Which items a step takes is
//! `train::baseline_stage`'s.

pub mod adapted;
pub mod coconut;
pub mod codi;
pub mod direct;
pub mod explicit;
pub mod icot_si;
pub mod lora_generator;
pub mod pause;
pub mod settings;
pub mod softcot;

use burn::Tensor;

use self::adapted::{AdaptedTarget, Piece, labeled, without_last};
use super::gradients::{Gradients, Loss};
use super::kernels::Reach;
use super::llama::Named;
use crate::problems::Random;

/// A problem as token ids, its pieces tokenized apart.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Question prompt and question.
    pub question: Vec<u32>,
    /// Written reasoning, without a begin token.
    pub reasoning: Vec<u32>,
    pub answer_prompt: Vec<u32>,
    /// With the end token, where that is learnt.
    pub answer: Vec<u32>,
    /// Tokens that a schedule removes from the front of the reasoning.
    pub removed: usize,
}

/// What a target reads before it writes: packed rows, and what making them has cost.
pub struct Prompt {
    pub x: Tensor<2>,
    pub lengths: Vec<usize>,
    /// Passes of the target before it reads all of them, of every question.
    pub target_passes: Vec<u32>,
    pub generator_passes: u32,
}

/// A way to train the target that the method is compared with.
pub trait Baseline: Send {
    /// All that is trained, in a fixed order.
    fn parameters(&mut self) -> Vec<Named<'_>>;

    /// The target that is trained, and that writes.
    fn target(&self) -> &AdaptedTarget;

    /// See [`Baseline::target`].
    fn target_mut(&mut self) -> &mut AdaptedTarget;

    /// Number of the schedule's stage at a step.
    fn stage_at(&self, _step: usize) -> usize {
        0
    }

    /// Goes to a stage of the schedule.
    fn set_stage(&mut self, _stage: usize) {}

    /// Tokens that the stage removes from the front of a reasoning.
    fn removed(&self, _reasoning: &[u32], _random: &mut Random) -> usize {
        0
    }

    /// The sum of the losses of items, and its terms by name.
    fn loss(&self, items: &[Item]) -> Loss;

    /// What the target reads of items before it writes. Of their reasoning and answer it learns nothing, unless the
    /// published evaluation is asked for.
    fn prompt(&self, items: &[Item]) -> Prompt;

    /// A copy that shares its weights.
    fn boxed(&self) -> Box<dyn Baseline>;
}

impl Clone for Box<dyn Baseline> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

/// Gradients of the sum of the losses of some items, the published batch.
pub fn gradients_of_sum(baseline: &dyn Baseline, items: &[Item]) -> Gradients {
    let mut baseline = baseline.boxed();
    for (_, tensor) in baseline.parameters() {
        *tensor = tensor.clone().inner().autodiff().require_grad();
    }
    let Loss { total, terms } = baseline.loss(items);
    Gradients::back_from(total, terms, baseline.parameters())
}

/// A loss whose only term is itself.
fn single(total: Tensor<1>) -> Loss {
    let value = total.clone().inner().into_scalar::<f32>();
    Loss {
        total,
        terms: vec![("loss_answer", value)],
    }
}

/// The loss of a target that reads sequences whole and is to write the labels at the end of each.
fn loss_at_end(target: &AdaptedTarget, sequences: &[Vec<u32>], labels: &[usize]) -> Tensor<1> {
    let read: Vec<Vec<Piece<'_>>> = (sequences.iter())
        .map(|sequence| vec![Piece::Ids(without_last(sequence))])
        .collect();
    let (x, lengths) = target.pack(&read, None);
    let labels: Vec<&[u32]> = (sequences.iter().zip(labels))
        .map(|(sequence, &count)| &sequence[sequence.len() - count..])
        .collect();
    let packing = labeled(lengths, &labels);
    let hidden = (target.model.decoder).hidden(x, &packing, Reach::Causal);
    target.loss_of(hidden, &labels)
}

/// What a target reads that needs no pass to be made.
fn prompt_of_ids(target: &AdaptedTarget, sequences: &[Vec<u32>]) -> Prompt {
    let read: Vec<Vec<Piece<'_>>> = (sequences.iter())
        .map(|sequence| vec![Piece::Ids(sequence)])
        .collect();
    let (x, lengths) = target.pack(&read, None);
    Prompt {
        x,
        lengths,
        target_passes: vec![0; sequences.len()],
        generator_passes: 0,
    }
}
