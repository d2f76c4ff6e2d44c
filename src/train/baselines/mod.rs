//! The published baselines and the variation without a small generator: what each reads, and its loss (METHOD, sections 8
//! and 10). One file each, one trait.
//!
//! Here are forward pass and loss of one item; which items a step takes and what is removed from them is for a training
//! loop to say. The losses are those of the published code, quirks included, without dropout.

pub mod adapted;
pub mod coconut;
pub mod codi;
pub mod icot_si;
pub mod lora_generator;
pub mod pause;
pub mod softcot;

use burn::Tensor;

use super::kernels::{self, Reach};
use super::llama::{Llama, Named, Packing};
use super::trainer::{Gradients, Loss};

/// A problem as token ids, its pieces tokenized apart.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Question prompt and question, for the target.
    pub question: Vec<u32>,
    /// For the small model, where there is one: all that it reads.
    pub generator_question: Vec<u32>,
    /// Written reasoning, without a begin token.
    pub reasoning: Vec<u32>,
    pub answer_prompt: Vec<u32>,
    pub answer: Vec<u32>,
}

/// A way to train that the method is compared with.
pub trait Baseline: Clone {
    /// All that is trained, in a fixed order.
    fn parameters(&mut self) -> Vec<Named<'_>>;

    /// The loss of one item, and its terms by name.
    fn loss(&self, item: &Item) -> Loss;
}

/// Gradients of the sum of the losses of some items, the published batch.
pub fn gradients_of_sum<B: Baseline>(baseline: &B, items: &[Item]) -> Gradients {
    let mut baseline = baseline.clone();
    for (_, tensor) in baseline.parameters() {
        *tensor = tensor.clone().inner().autodiff().require_grad();
    }
    let losses: Vec<Loss> = items.iter().map(|item| baseline.loss(item)).collect();
    let terms = losses.iter().flat_map(|loss| loss.terms.clone()).collect();
    let total = (losses.into_iter().map(|loss| loss.total))
        .reduce(|a, b| a.add(b))
        .expect("there are items");
    Gradients::back_from(total, terms, baseline.parameters())
}

/// The loss whose only term is itself.
fn single(total: Tensor<1>) -> Loss {
    let value = total.clone().inner().into_scalar::<f32>();
    Loss {
        total,
        terms: vec![("loss", value)],
    }
}

/// The mean of −log p over the labels, which the last rows predict.
fn mean_cross_entropy(kernels: kernels::Kernels, logits: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let weights = vec![1.0 / labels.len() as f32; labels.len()];
    kernels::cross_entropy(kernels, logits, labels, &weights)
}

/// The answer's loss of a frozen target that reads [question, vectors, answer prompt, answer].
fn answer_loss(target: &Llama, item: &Item, vectors: Tensor<2>) -> Tensor<1> {
    let (_, read) = item.answer.split_last().expect("an answer has tokens");
    let behind = [&item.answer_prompt[..], read].concat();
    let x = Tensor::cat(
        vec![target.embed(&item.question), vectors, target.embed(&behind)],
        0,
    );
    let packing = Packing {
        lengths: vec![x.dims()[0]],
        wanted: vec![item.answer.len()],
        before: Vec::new(),
    };
    let hidden = target.decoder.hidden(x, &packing, Reach::Causal);
    let kernels = target.decoder.kernels;
    mean_cross_entropy(kernels, target.logits(hidden), &item.answer)
}
