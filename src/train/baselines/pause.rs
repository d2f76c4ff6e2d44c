//! Pause: k times one learnt token between question and answer. Loss on the answer.

use super::adapted::{AdaptedTarget, without_last};
use super::{Baseline, Item, single};
use crate::train::llama::Named;
use crate::train::trainer::Loss;

/// The target's only added token is `<pause>`.
#[derive(Clone, Debug)]
pub struct Pause {
    pub target: AdaptedTarget,
    pub k: usize,
}

impl Pause {
    /// [question, k × `<pause>`, answer prompt, answer].
    pub fn sequence(&self, item: &Item) -> Vec<u32> {
        let pauses = vec![self.target.added_id(0); self.k];
        [
            &item.question[..],
            &pauses,
            &item.answer_prompt,
            &item.answer,
        ]
        .concat()
    }
}

impl Baseline for Pause {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.target.parameters()
    }

    fn loss(&self, item: &Item) -> Loss {
        let sequence = self.sequence(item);
        let x = self.target.embed(without_last(&sequence));
        single(self.target.loss_at_end(x, &item.answer))
    }
}
