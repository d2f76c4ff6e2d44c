//! What a target is asked to write behind a question and vectors, and what each token of it weighs in the loss.

use super::config::StepSupervisionOf;
use super::examples::Example;
use super::generator::{GeneratorStage, continuation};

/// A continuation to be learnt: the target reads a question, the first of its vectors and a prompt, and is to write it.
pub struct Asked {
    /// Number of the question in its batch.
    pub question: usize,
    pub vectors: usize,
    pub prompt: Vec<u32>,
    pub continuation: Vec<u32>,
}

/// Intermediate results to be written.
pub struct SupervisedSteps {
    pub asked: Vec<Asked>,
    /// How many there are of a problem, at most.
    pub of_each: usize,
}

/// The tokens of all continuations.
pub fn labels_of(asked: &[Asked]) -> Vec<u32> {
    asked
        .iter()
        .flat_map(|ask| ask.continuation.iter().copied())
        .collect()
}

/// The mean over so many continuations of the mean over their tokens, times `share`.
pub fn weights_of(asked: &[Asked], count: usize, share: f32) -> Vec<f32> {
    let of_one = |ask: &Asked| {
        let length = ask.continuation.len();
        std::iter::repeat_n(share / (count * length) as f32, length)
    };
    asked.iter().flat_map(of_one).collect()
}

impl GeneratorStage<'_> {
    fn continuation(&self, answer: &[u32]) -> Vec<u32> {
        continuation(&self.settings, &self.frame, answer)
    }

    /// The answers of all examples, behind `k` vectors each.
    pub(super) fn answers(&self, examples: &[Example], k: usize) -> Vec<Asked> {
        let ask = |(question, example): (usize, &Example)| Asked {
            question,
            vectors: k,
            prompt: self.frame.prompt.clone(),
            continuation: self.continuation(&example.answer),
        };
        examples.iter().enumerate().map(ask).collect()
    }

    /// The answers of all examples behind their first `replaced` vectors, and before them what these do not stand for of the
    /// reasoning.
    pub(super) fn rests(&self, examples: &[Example], replaced: usize) -> Vec<Asked> {
        let k = self.settings.implicit_tokens;
        let mut asked = self.answers(examples, replaced);
        for (ask, example) in asked.iter_mut().zip(examples) {
            let Some(&end) = (example.steps_of(replaced, k).checked_sub(1))
                .and_then(|last| example.step_ends.get(last))
            else {
                continue;
            };
            let rest = &example.reasoning[end..];
            if !rest.is_empty() {
                ask.prompt = self.frame.reasoning_prompt.clone();
                ask.continuation = [rest, &self.frame.prompt, &ask.continuation].concat();
            }
        }
        asked
    }

    /// The intermediate results that a step of training asks for: of the examples that are `of_part` in a batch of `count`.
    pub(super) fn supervised_steps(
        &self,
        step: usize,
        examples: &[Example],
        of_part: &[usize],
        count: usize,
    ) -> SupervisedSteps {
        let k = self.settings.implicit_tokens;
        match self.settings.step_supervision_of {
            StepSupervisionOf::Drawn => {
                let mut choices = self.batches.choices(step);
                let drawn: Vec<usize> = (0..count)
                    .map(|_| choices.between(1, k as u32 - 1) as usize)
                    .collect();
                let drawn: Vec<usize> = of_part.iter().map(|&i| drawn[i]).collect();
                SupervisedSteps {
                    asked: self.results_behind(examples, &drawn),
                    of_each: 1,
                }
            }
            StepSupervisionOf::All => {
                let behind =
                    |vectors| self.results_behind(examples, &vec![vectors; examples.len()]);
                SupervisedSteps {
                    asked: (1..k).flat_map(behind).collect(),
                    of_each: k - 1,
                }
            }
        }
    }

    /// For every problem so many of its vectors, fewer than all, and the intermediate result that they stand for.
    fn results_behind(&self, examples: &[Example], vectors: &[usize]) -> Vec<Asked> {
        let k = self.settings.implicit_tokens;
        let ask = |(question, (example, &vectors)): (usize, (&Example, &usize))| {
            let last = example.steps_of(vectors, k).checked_sub(1)?;
            Some(Asked {
                question,
                vectors,
                prompt: self.frame.prompt.clone(),
                continuation: self.continuation(&example.intermediate[last]),
            })
        };
        let all = examples.iter().zip(vectors).enumerate();
        all.filter_map(ask).collect()
    }
}
