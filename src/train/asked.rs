//! What a target is asked to write behind a question and vectors, and what each token of it weighs in the loss.

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

    /// For every problem so many of its vectors, fewer than all, and the intermediate result that they stand for.
    pub(super) fn supervised_steps(&self, examples: &[Example], vectors: &[usize]) -> Vec<Asked> {
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
