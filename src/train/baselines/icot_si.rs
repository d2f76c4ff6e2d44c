//! ICoT-SI: written reasoning that loses ever more tokens from its front, until none are left.

use super::adapted::{AdaptedTarget, without_last};
use super::{Baseline, Item, mean_cross_entropy, single};
use crate::train::kernels::Reach;
use crate::train::llama::{Named, Packing};
use crate::train::trainer::Loss;

/// Rate of the geometric distribution of tokens that are removed beyond the counter.
const LAMBDA: f64 = 4.0;
/// Most tokens that are removed beyond the counter, and one.
const MOST_EXTRA: usize = 100;

/// The target has no added tokens.
#[derive(Clone, Debug)]
pub struct IcotSi {
    pub target: AdaptedTarget,
    pub end: u32,
    /// Tokens removed from the front of the reasoning: the counter and what was drawn beyond it.
    pub removed: usize,
}

/// What an item becomes: ids, and where each stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub ids: Vec<u32>,
    pub positions: Vec<usize>,
    /// Those of the last ids that are to be predicted.
    pub labels: usize,
}

/// Probabilities of removing 0, 1, … tokens beyond the counter.
pub fn removal_distribution() -> Vec<f64> {
    (0..MOST_EXTRA)
        .map(|extra| (1.0 - (-LAMBDA).exp()) * (-LAMBDA * extra as f64).exp())
        .collect()
}

impl IcotSi {
    /// [question, end, rest of the reasoning, end, answer prompt, answer]. What comes after the gap keeps its positions.
    pub fn sequence(&self, item: &Item) -> Sequence {
        let removed = self.removed.min(item.reasoning.len());
        let end = [self.end];
        let ids = [
            &item.question[..],
            &end,
            &item.reasoning[removed..],
            &end,
            &item.answer_prompt,
            &item.answer,
        ]
        .concat();
        let gap = item.question.len() + 1;
        let position = |i: usize| if i < gap { i } else { i + removed };
        Sequence {
            positions: (0..ids.len()).map(position).collect(),
            labels: item.answer_prompt.len() + item.answer.len(),
            ids,
        }
    }

    /// What is read in evaluation: no reasoning, and positions without a gap.
    pub fn evaluation_ids(&self, item: &Item) -> Vec<u32> {
        let ends = [self.end; 2];
        [&item.question[..], &ends, &item.answer_prompt].concat()
    }
}

impl Baseline for IcotSi {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.target.parameters()
    }

    fn loss(&self, item: &Item) -> Loss {
        let sequence = self.sequence(item);
        let read = without_last(&sequence.ids);
        let decoder = (self.target.model.decoder).at_positions(&sequence.positions[..read.len()]);
        let packing = Packing {
            lengths: vec![read.len()],
            wanted: vec![sequence.labels],
            before: Vec::new(),
        };
        let hidden = decoder.hidden(self.target.embed(read), &packing, Reach::Causal);
        let labels = &sequence.ids[sequence.ids.len() - sequence.labels..];
        let logits = self.target.logits(hidden);
        single(mean_cross_entropy(decoder.kernels, logits, labels))
    }
}
