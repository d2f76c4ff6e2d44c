//! ICoT-SI: written reasoning that loses ever more tokens from its front, until none are left.

use super::adapted::{AdaptedTarget, Piece, labeled, without_last};
use super::settings::{IcotSiSettings, LossOn, Positions};
use super::{Baseline, Item, Prompt, prompt_of_ids, single};
use crate::problems::Random;
use crate::train::gradients::Loss;
use crate::train::kernels::Reach;
use crate::train::llama::Named;

/// Rate of the geometric distribution of tokens that are removed beyond the counter.
const LAMBDA: f64 = 4.0;
/// Most tokens that are removed beyond the counter, and one.
const MOST_EXTRA: usize = 100;

/// The target has no added tokens. Its schedule's stage is the counter: tokens removed of every item.
#[derive(Clone, Debug)]
pub struct IcotSi {
    pub target: AdaptedTarget,
    pub end: u32,
    pub counter: usize,
    pub settings: IcotSiSettings,
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

/// Tokens removed beyond the counter.
fn drawn_extra(random: &mut Random) -> usize {
    let drawn = f64::from(random.below(1 << 30)) / f64::from(1 << 30);
    let mut below = 0.0;
    let past = removal_distribution()
        .into_iter()
        .take_while(|probability| {
            below += probability;
            drawn >= below
        });
    past.count().min(MOST_EXTRA - 1)
}

impl IcotSi {
    /// [question, end, rest of the reasoning, end, answer prompt, answer].
    pub fn sequence(&self, item: &Item) -> Sequence {
        let removed = item.removed.min(item.reasoning.len());
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
        let before = item.question.len() + 1;
        let gap = match self.settings.positions {
            Positions::Kept => removed,
            Positions::Closed => 0,
        };
        let position = |i: usize| if i < before { i } else { i + gap };
        let labels = match self.settings.loss_on {
            LossOn::RestAndAnswer => ids.len() - before,
            LossOn::Answer => item.answer_prompt.len() + item.answer.len(),
        };
        Sequence {
            positions: (0..ids.len()).map(position).collect(),
            labels,
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

    fn target(&self) -> &AdaptedTarget {
        &self.target
    }

    fn target_mut(&mut self) -> &mut AdaptedTarget {
        &mut self.target
    }

    fn stage_at(&self, step: usize) -> usize {
        (step / self.settings.removal_steps).min(self.settings.most_tokens)
    }

    fn set_stage(&mut self, stage: usize) {
        self.counter = stage;
    }

    fn removed(&self, reasoning: &[u32], random: &mut Random) -> usize {
        let extra = drawn_extra(random);
        match self.counter < self.settings.most_tokens {
            true => (self.counter + extra).min(reasoning.len()),
            false => reasoning.len(),
        }
    }

    fn loss(&self, items: &[Item]) -> Loss {
        let sequences: Vec<Sequence> = items.iter().map(|item| self.sequence(item)).collect();
        let (mut read, mut positions, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for sequence in &sequences {
            let ids = without_last(&sequence.ids);
            positions.extend_from_slice(&sequence.positions[..ids.len()]);
            read.push(vec![Piece::Ids(ids)]);
            labels.push(&sequence.ids[sequence.ids.len() - sequence.labels..]);
        }
        let (x, lengths) = self.target.pack(&read, None);
        let decoder = self.target.model.decoder.at_positions(&positions);
        let hidden = decoder.hidden(x, &labeled(lengths, &labels), Reach::Causal);
        single(self.target.loss_of(hidden, &labels))
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let sequences: Vec<Vec<u32>> = (items.iter())
            .map(|item| self.evaluation_ids(item))
            .collect();
        prompt_of_ids(&self.target, &sequences)
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_draw_in_fifty_five_removes_more_than_the_counter() {
        let mut random = Random::new(1);
        let draws: Vec<usize> = (0..20_000).map(|_| drawn_extra(&mut random)).collect();
        let more = draws.iter().filter(|extra| **extra > 0).count() as f64 / 20_000.0;
        // e^−4, and four standard deviations of a share of 20 000 draws.
        let expected = (-LAMBDA).exp();
        assert!(
            (more - expected).abs() < 4.0 * (expected / 20_000.0).sqrt(),
            "{more}"
        );
    }
}
