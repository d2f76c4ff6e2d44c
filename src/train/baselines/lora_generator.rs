//! The variation without a small generator: the target itself, with changes of low rank and a `<thought>` of its own, makes
//! the implicit tokens, and its states need no projection.

use burn::Tensor;

use super::adapted::AdaptedTarget;
use super::{Baseline, Item, answer_loss};
use crate::train::alignment::Alignment;
use crate::train::kernels::Reach;
use crate::train::llama::{Llama, Named};
use crate::train::trainer::Loss;

/// An item's reasoning is what the alignment reads: with a begin token.
#[derive(Clone, Debug)]
pub struct LoraGenerator {
    /// Its only added token is `<thought>`.
    pub generator: AdaptedTarget,
    /// Frozen, without changes.
    pub target: Llama,
    pub alignment: Alignment,
    /// Weight of the alignment loss; the loss on the answer has 1 − alpha.
    pub alpha: f64,
    pub k: usize,
}

impl LoraGenerator {
    /// The k states from the last question token on: `[k, hidden]`.
    pub fn vectors(&self, item: &Item) -> Tensor<2> {
        let thought = self.generator.added_id(0);
        let mut ids = item.question.clone();
        ids.extend(std::iter::repeat_n(thought, self.k - 1));
        let x = self.generator.embed(&ids);
        self.generator.last_hidden(x, self.k, Reach::Causal)
    }
}

impl Baseline for LoraGenerator {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.generator.parameters()
    }

    fn loss(&self, item: &Item) -> Loss {
        let vectors = self.vectors(item);
        let reason = (self.alignment)
            .losses(&self.target, &[&item.reasoning], &vectors)
            .sum();
        let answer = answer_loss(&self.target, item, vectors);
        let value = |loss: &Tensor<1>| loss.clone().inner().into_scalar::<f32>();
        Loss {
            terms: vec![("l_reason", value(&reason)), ("l_ans", value(&answer))],
            total: reason
                .mul_scalar(self.alpha)
                .add(answer.mul_scalar(1.0 - self.alpha)),
        }
    }
}
