//! SoftCoT: a frozen small model reads an instruction, the question and k unknown tokens; only the projection of its states
//! at these into the frozen target trains.

use burn::Tensor;

use super::{Baseline, Item, answer_loss, single};
use crate::train::kernels::Reach;
use crate::train::llama::{Llama, Named, Packing};
use crate::train::trainer::Loss;

/// An item's question for the small model is the whole of what it reads, the k tokens at its end.
#[derive(Clone, Debug)]
pub struct SoftCot {
    pub target: Llama,
    pub small: Llama,
    /// `[small hidden, target hidden]`.
    pub weight: Tensor<2>,
    /// `[1, target hidden]`.
    pub bias: Tensor<2>,
    pub k: usize,
}

impl SoftCot {
    /// The k projected states `[k, target hidden]`.
    pub fn thoughts(&self, item: &Item) -> Tensor<2> {
        let packing = Packing {
            lengths: vec![item.generator_question.len()],
            wanted: vec![self.k],
            before: Vec::new(),
        };
        let x = self.small.embed(&item.generator_question);
        (self.small.decoder.hidden(x, &packing, Reach::Causal))
            .matmul(self.weight.clone())
            .add(self.bias.clone())
    }
}

impl Baseline for SoftCot {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        vec![
            ("weight".into(), &mut self.weight),
            ("bias".into(), &mut self.bias),
        ]
    }

    fn loss(&self, item: &Item) -> Loss {
        single(answer_loss(&self.target, item, self.thoughts(item)))
    }
}
