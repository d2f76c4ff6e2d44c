//! Written reasoning, a control: the target writes its reasoning and then the answer. With no steps of training it is the
//! target as it stands.

use super::adapted::AdaptedTarget;
use super::{Baseline, Item, Prompt, loss_at_end, prompt_of_ids, single};
use crate::train::gradients::Loss;
use crate::train::llama::Named;

/// The target has no added tokens.
#[derive(Clone, Debug)]
pub struct Explicit {
    pub target: AdaptedTarget,
    /// What the target reads before it writes reasoning.
    pub reasoning_prompt: Vec<u32>,
}

impl Baseline for Explicit {
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
        let written =
            |item: &Item| [&item.reasoning[..], &item.answer_prompt, &item.answer].concat();
        let sequence =
            |item: &Item| [&item.question[..], &self.reasoning_prompt, &written(item)].concat();
        let sequences: Vec<Vec<u32>> = items.iter().map(sequence).collect();
        let labels: Vec<usize> = items.iter().map(|item| written(item).len()).collect();
        single(loss_at_end(&self.target, &sequences, &labels))
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let question = |item: &Item| [&item.question[..], &self.reasoning_prompt].concat();
        let sequences: Vec<Vec<u32>> = items.iter().map(question).collect();
        prompt_of_ids(&self.target, &sequences)
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}
