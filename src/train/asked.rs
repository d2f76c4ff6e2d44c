//! What a target is asked to write behind a question and vectors, and what each token of it weighs in the loss.

use std::iter;

use burn::Tensor;

use super::config::StepSupervisionOf;
use super::examples::Example;
use super::generator::{GeneratorStage, continuation};
use super::kernels;
use super::llama::rows_tensor;
use super::source::{Forced, Made, Source};

/// Parts that a share of a batch is rounded down to.
const SHARES: u32 = 1000;

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
    /// How many the loss is the mean over: those of the whole batch.
    pub of_batch: usize,
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
        iter::repeat_n(share / (count * length) as f32, length)
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
        let mut asked = self.answers(examples, replaced);
        for (ask, example) in asked.iter_mut().zip(examples) {
            let Some(&end) = self
                .steps_of(example, replaced)
                .checked_sub(1)
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

    /// Steps of a problem that its first `vectors` vectors have been through.
    fn steps_of(&self, example: &Example, vectors: usize) -> usize {
        let settings = &self.settings;
        example.steps_of(vectors, settings.implicit_tokens, settings.vectors_per_step)
    }

    /// The intermediate results that a step of training asks for: of those examples of a batch that are `of_part`, as they
    /// are numbered among these.
    pub(super) fn supervised_steps(
        &self,
        step: usize,
        batch: &[Example],
        of_part: &[usize],
    ) -> SupervisedSteps {
        let k = self.settings.implicit_tokens;
        let examples: Vec<&Example> = of_part.iter().map(|&i| &batch[i]).collect();
        match self.settings.step_supervision_of {
            StepSupervisionOf::Drawn => {
                let mut choices = self.batches.choices(step);
                let drawn: Vec<usize> = (batch.iter())
                    .map(|_| choices.between(1, k as u32 - 1) as usize)
                    .collect();
                let ask = |(question, &i): (usize, &usize)| {
                    self.result_behind(question, examples[question], drawn[i])
                };
                SupervisedSteps {
                    asked: of_part.iter().enumerate().filter_map(ask).collect(),
                    of_batch: batch.len(),
                }
            }
            StepSupervisionOf::All => {
                let numbered = examples.into_iter().enumerate();
                let results = |(question, example)| {
                    let stops = self.result_stops(example, k - 1);
                    stops.filter_map(move |vectors| self.result_behind(question, example, vectors))
                };
                let counts = batch
                    .iter()
                    .map(|example| self.result_stops(example, k - 1).count());
                SupervisedSteps {
                    asked: numbered.flat_map(results).collect(),
                    of_batch: counts.sum::<usize>().max(1),
                }
            }
        }
    }

    /// What naming the intermediate results costs the generator's own table of words: a token of a result for each vector of
    /// its step, its end where it has fewer. The part's share of the mean over the batch; none where nothing is asked for.
    pub(super) fn named_steps_loss(
        &self,
        source: &Source,
        made: &Made,
        batch: &[Example],
        of_part: &[usize],
    ) -> Option<Tensor<1>> {
        let Source::Generator(generator) = source else {
            return None;
        };
        let k = self.settings.implicit_tokens;
        let per_step = self.settings.vectors_per_step;
        let passes = self.settings.asked_passes(made.states.len());
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for (number, &(_, most)) in passes.iter().enumerate() {
            for (question, &i) in of_part.iter().enumerate() {
                let first = (number * of_part.len() + question) * k;
                for stop in self.result_stops(&batch[i], most) {
                    labels.extend(self.result_tokens(&batch[i], stop));
                    rows.extend(first + stop - per_step..first + stop);
                }
            }
        }
        if rows.is_empty() {
            return None;
        }
        let stops = (passes.iter())
            .flat_map(|&(_, most)| batch.iter().map(move |example| (example, most)))
            .map(|(example, most)| self.result_stops(example, most).count());
        let share = 1.0 / (stops.sum::<usize>() * per_step) as f32;
        let states: Vec<Tensor<2>> = (passes.iter())
            .map(|&(pass, _)| made.states[pass].clone())
            .collect();
        let states = Tensor::cat(states, 0);
        let rows = rows_tensor(&rows, &states.device());
        let weights = vec![share; labels.len()];
        Some(kernels::cross_entropy(
            generator.model.decoder.kernels,
            generator.model.logits(states.select(0, rows)),
            &labels,
            &weights,
        ))
    }

    /// What a batch's teacher forcing puts in place of thoughts: of those examples that are `of_part`, as they are numbered
    /// among these.
    pub fn forced(&self, step: usize, batch: &[Example], of_part: &[usize]) -> Forced {
        let mut forced = Forced::default();
        let share = (self.settings.teacher_forcing_at(step) * f64::from(SHARES)) as u32;
        if share == 0 {
            return forced;
        }
        let k = self.settings.implicit_tokens;
        let mut choices = self.batches.choices(step);
        let drawn: Vec<usize> = (batch.iter())
            .map(|example| {
                let results = self.result_stops(example, k).count() as u32;
                let is_forced = choices.chance(share, SHARES) && results > 1;
                usize::from(is_forced) * choices.between(1, results.max(2) - 1) as usize
            })
            .collect();
        for (question, &i) in of_part.iter().enumerate() {
            for stop in self.result_stops(&batch[i], k).take(drawn[i]) {
                let tokens = self.result_tokens(&batch[i], stop);
                forced.tokens.extend(tokens);
                let first = question * k + stop - self.settings.vectors_per_step;
                forced.thoughts.extend(first..question * k + stop);
            }
        }
        forced
    }

    /// What the vectors of the step that ends behind so many of a problem's are to name: a token of its result each, its end
    /// where it has fewer.
    fn result_tokens<'e>(
        &'e self,
        example: &'e Example,
        stop: usize,
    ) -> impl Iterator<Item = u32> + 'e {
        let result = &example.intermediate[self.steps_of(example, stop) - 1];
        let tokens = result.iter().chain(iter::repeat(&self.frame.end));
        tokens.take(self.settings.vectors_per_step).copied()
    }

    /// After how many vectors, `most` at the end, one more of a problem's steps has been gone through.
    fn result_stops(&self, example: &Example, most: usize) -> impl Iterator<Item = usize> {
        let per_step = self.settings.vectors_per_step;
        let steps = move |vectors| self.steps_of(example, vectors);
        let stops = (per_step..=most).step_by(per_step);
        stops.filter(move |&vectors| steps(vectors) > steps(vectors - per_step))
    }

    /// The intermediate result that so many of a problem's vectors, fewer than all, stand for.
    fn result_behind(&self, question: usize, example: &Example, vectors: usize) -> Option<Asked> {
        let last = self.steps_of(example, vectors).checked_sub(1)?;
        Some(Asked {
            question,
            vectors,
            prompt: self.frame.prompt.clone(),
            continuation: self.continuation(&example.intermediate[last]),
        })
    }
}
