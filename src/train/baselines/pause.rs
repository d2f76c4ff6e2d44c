//! Pause: k times one learnt token between question and answer. Loss on the answer.

use super::adapted::AdaptedTarget;
use super::{Baseline, Item, Prompt, loss_at_end, prompt_of_ids, single};
use crate::train::gradients::Loss;
use crate::train::llama::Named;

/// The target's only added token is `<pause>`.
#[derive(Clone, Debug)]
pub struct Pause {
    pub target: AdaptedTarget,
    pub k: usize,
    pub eval_k: usize,
}

impl Pause {
    /// [question, k × `<pause>`, answer prompt].
    fn question(&self, item: &Item, k: usize) -> Vec<u32> {
        let pauses = vec![self.target.added_id(0); k];
        [&item.question[..], &pauses, &item.answer_prompt].concat()
    }

    /// [question, k × `<pause>`, answer prompt, answer].
    pub fn sequence(&self, item: &Item) -> Vec<u32> {
        [&self.question(item, self.k)[..], &item.answer].concat()
    }
}

impl Baseline for Pause {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.target.parameters()
    }

    fn target(&self) -> &AdaptedTarget {
        &self.target
    }

    fn target_mut(&mut self) -> &mut AdaptedTarget {
        &mut self.target
    }

    fn loss(&self, items: &[Item]) -> Loss {
        let sequences: Vec<Vec<u32>> = items.iter().map(|item| self.sequence(item)).collect();
        let labels: Vec<usize> = items.iter().map(|item| item.answer.len()).collect();
        single(loss_at_end(&self.target, &sequences, &labels))
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let question = |item| self.question(item, self.eval_k);
        let sequences: Vec<Vec<u32>> = items.iter().map(question).collect();
        prompt_of_ids(&self.target, &sequences)
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}
