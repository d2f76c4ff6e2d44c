//! Direct fine-tuning, a control: the answer at once, with nothing between question and answer prompt.

use super::adapted::AdaptedTarget;
use super::{Baseline, Item, Prompt, loss_at_end, prompt_of_ids, single};
use crate::train::gradients::Loss;
use crate::train::llama::Named;

/// The target has no added tokens.
#[derive(Clone, Debug)]
pub struct Direct {
    pub target: AdaptedTarget,
}

impl Baseline for Direct {
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
        let sequence =
            |item: &Item| [&item.question[..], &item.answer_prompt, &item.answer].concat();
        let sequences: Vec<Vec<u32>> = items.iter().map(sequence).collect();
        let labels: Vec<usize> = items.iter().map(|item| item.answer.len()).collect();
        single(loss_at_end(&self.target, &sequences, &labels))
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let question = |item: &Item| [&item.question[..], &item.answer_prompt].concat();
        let sequences: Vec<Vec<u32>> = items.iter().map(question).collect();
        prompt_of_ids(&self.target, &sequences)
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}
