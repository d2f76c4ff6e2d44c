//! COCONUT: the target's last hidden state is fed back as its next input, in place of lines of the reasoning.

use burn::Tensor;

use super::adapted::{AdaptedTarget, without_last};
use super::{Baseline, Item, single};
use crate::train::kernels::Reach;
use crate::train::llama::Named;
use crate::train::trainer::Loss;

/// Number of the added tokens.
const BOT: usize = 0;
const EOT: usize = 1;
const THOUGHT: usize = 2;
/// Thoughts in place of a line.
const THOUGHTS_A_LINE: usize = 2;

/// The target's added tokens are `<bot>`, `<eot>` and `<thought>`. An item's reasoning is what is left of it at the stage.
#[derive(Clone, Debug)]
pub struct Coconut {
    pub target: AdaptedTarget,
    pub stage: usize,
    /// Most thoughts.
    pub k: usize,
}

impl Coconut {
    /// Thoughts of the stage.
    pub fn thoughts(&self) -> usize {
        (THOUGHTS_A_LINE * self.stage).min(self.k)
    }

    /// [question, `<bot>`, thoughts, `<eot>`, rest of the reasoning, answer prompt, answer]; at stage 0 without `<eot>`.
    pub fn sequence(&self, item: &Item) -> Vec<u32> {
        let [bot, eot, thought] = [BOT, EOT, THOUGHT].map(|number| self.target.added_id(number));
        let mut ids = item.question.clone();
        ids.push(bot);
        if self.stage > 0 {
            ids.extend(vec![thought; self.thoughts()]);
            ids.push(eot);
        }
        ids.extend_from_slice(&item.reasoning);
        ids.extend_from_slice(&item.answer_prompt);
        ids.extend_from_slice(&item.answer);
        ids
    }

    /// What the last pass reads for the whole sequence: every thought is the normed state of the row before it. The
    /// published mask is one short while thoughts are made, so that no row reads the newest.
    pub fn inputs(&self, item: &Item) -> Tensor<2> {
        let sequence = self.sequence(item);
        let first = item.question.len() + 1;
        let mut x = self.target.embed(&sequence[..first]);
        for thought in 0..self.thoughts() {
            let reach = if thought == 0 {
                Reach::Causal
            } else {
                Reach::CausalButNewest
            };
            let state = self.target.last_hidden(x.clone(), 1, reach);
            x = Tensor::cat(vec![x, state], 0);
        }
        let rest = self.target.embed(&sequence[first + self.thoughts()..]);
        Tensor::cat(vec![x, rest], 0)
    }
}

impl Baseline for Coconut {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.target.parameters()
    }

    fn loss(&self, item: &Item) -> Loss {
        let x = self.inputs(item);
        let read = without_last(&self.sequence(item)).len();
        single(self.target.loss_at_end(x.narrow(0, 0, read), &item.answer))
    }
}
