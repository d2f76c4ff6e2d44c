//! The target: written reasoning and, in part of the examples, a direct answer. Loss on what follows the question and,
//! with a weight, on the question.

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::Device;
use serde_json::{Map, json};

use super::config::{Config, TargetSettings};
use super::error::TrainError;
use super::examples::{Example, Purpose, Stream, validation_sets};
use super::gradients::{Loss, Part};
use super::initialization::Normal;
use super::kernels::{self, Kernels, Reach};
use super::llama::{Llama, Named, Packing};
use super::optimizer::Change;
use super::trainer::{Stage, Validation};
use super::vocabulary::Vocabulary;

/// Sequences with the labels of their last rows: row `i` from the end is to predict label `i` from the end.
#[derive(Clone, Debug, Default)]
pub struct LabeledBatch {
    pub ids: Vec<u32>,
    pub lengths: Vec<usize>,
    pub label_counts: Vec<usize>,
    pub labels: Vec<u32>,
}

impl LabeledBatch {
    /// Adds [question, prompt, continuation]: every token of `continuation` is a label.
    pub fn push(&mut self, question: &[u32], prompt: u32, continuation: &[u32]) {
        self.ids.extend_from_slice(question);
        self.ids.push(prompt);
        self.ids
            .extend_from_slice(&continuation[..continuation.len() - 1]);
        self.lengths.push(question.len() + continuation.len());
        self.label_counts.push(continuation.len());
        self.labels.extend_from_slice(continuation);
    }

    /// Where the rows lie; those with labels are wanted.
    pub fn packing(&self) -> Packing {
        Packing {
            lengths: self.lengths.clone(),
            wanted: self.label_counts.clone(),
            before: Vec::new(),
        }
    }

    /// What every row is to predict, and the weight that it has: `label` of a row with a label, `question` of a row
    /// whose next token is the question's. The prompt behind a question is not foretold.
    fn next_tokens(&self, label: f32, question: f32) -> (Vec<u32>, Vec<f32>) {
        let (mut tokens, mut weights) = (Vec::new(), Vec::new());
        let (mut ids, mut labels) = (&self.ids[..], &self.labels[..]);
        for (&length, &count) in self.lengths.iter().zip(&self.label_counts) {
            let question_len = length - count;
            tokens.extend_from_slice(&ids[1..=question_len]);
            tokens.extend_from_slice(&labels[..count]);
            weights.extend(std::iter::repeat_n(question, question_len - 1));
            weights.push(0.0);
            weights.extend(std::iter::repeat_n(label, count));
            (ids, labels) = (&ids[length..], &labels[count..]);
        }
        (tokens, weights)
    }
}

/// What the model writes after `<reason>`.
pub fn explicit_continuation(example: &Example, vocabulary: &Vocabulary) -> Vec<u32> {
    let mut ids = example.reasoning.clone();
    ids.push(vocabulary.answer);
    ids.extend(direct_continuation(&example.answer, vocabulary));
    ids
}

/// What the model writes after `<answer>`.
pub fn direct_continuation(answer: &[u32], vocabulary: &Vocabulary) -> Vec<u32> {
    let mut ids = answer.to_vec();
    ids.push(vocabulary.end);
    ids
}

/// Training of the target.
#[derive(Clone)]
pub struct TargetStage<'a> {
    pub model: Llama,
    vocabulary: &'a Vocabulary,
    stream: Stream,
    settings: TargetSettings,
    validation: Arc<Vec<(String, Vec<Example>)>>,
}

/// Problems that are validated at a time.
pub const VALIDATION_CHUNK: usize = 100;

impl<'a> TargetStage<'a> {
    pub fn new(
        config: &Config,
        vocabulary: &'a Vocabulary,
        kernels: Kernels,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            model: untrained_target(config, vocabulary, kernels, device),
            vocabulary,
            stream: Stream::new(config, Purpose::Target),
            settings: config.target,
            validation: Arc::new(validation_sets(config, vocabulary)?),
        })
    }
}

/// The target with its starting values, to be trained or loaded into.
pub fn untrained_target(
    config: &Config,
    vocabulary: &Vocabulary,
    kernels: Kernels,
    device: &Device,
) -> Llama {
    let mut normal = Normal::new(config.seed ^ Purpose::Target as u64);
    Llama::new(
        config.target.sizes,
        vocabulary.size,
        kernels,
        &mut normal,
        device,
    )
}

impl Stage for TargetStage<'_> {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.model.parameters()
    }

    fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        Vec::new()
    }

    fn change(&self, _: &str, _: usize) -> Change {
        Change::Step(1.0)
    }

    fn parts(&self, _: usize, threads: usize) -> usize {
        threads.min(self.settings.schedule.batch)
    }

    fn loss(&self, step: usize, part: Part) -> Result<Loss, TrainError> {
        let settings = &self.settings;
        let batch = settings.schedule.batch;
        let examples = self.stream.examples(step, batch, self.vocabulary)?;
        let mut choices = self.stream.choices(step);
        let mut batch = LabeledBatch::default();
        let (mut labels, mut question_tokens) = (0, 0);
        for (i, example) in examples.iter().enumerate() {
            let drawn = f64::from(choices.below(1 << 20)) / f64::from(1 << 20);
            let direct = drawn < settings.direct_share;
            let (prompt, continuation) = if direct {
                let continuation = direct_continuation(&example.answer, self.vocabulary);
                (self.vocabulary.answer, continuation)
            } else {
                let continuation = explicit_continuation(example, self.vocabulary);
                (self.vocabulary.reason, continuation)
            };
            labels += continuation.len();
            question_tokens += example.question.len() - 1;
            if part.has(i) {
                batch.push(&example.question, prompt, &continuation);
            }
        }
        let label_weight = 1.0 / labels as f32;
        let question_weight = settings.question_weight_at(step) as f32;
        let (packing, targets, weights) = if question_weight > 0.0 {
            let question_weight = question_weight / question_tokens as f32;
            let (tokens, weights) = batch.next_tokens(label_weight, question_weight);
            (Packing::whole(batch.lengths.clone()), tokens, weights)
        } else {
            let weights = vec![label_weight; batch.labels.len()];
            (batch.packing(), batch.labels.clone(), weights)
        };
        let x = self.model.embed(&batch.ids);
        let hidden = self.model.decoder.hidden(x, &packing, Reach::Causal);
        let logits = self.model.logits(hidden);
        let total = kernels::cross_entropy(self.model.decoder.kernels, logits, &targets, &weights);
        Ok(Loss {
            total,
            terms: Vec::new(),
        })
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let mut figures = Map::new();
        let (mut explicit_sum, mut direct_sum) = (0.0, 0.0);
        for (name, examples) in self.validation.iter() {
            let mut right = [0usize; 2];
            for chunk in examples.chunks(VALIDATION_CHUNK) {
                for (mode, right) in right.iter_mut().enumerate() {
                    let mut batch = LabeledBatch::default();
                    for example in chunk {
                        if mode == 0 {
                            let continuation = explicit_continuation(example, self.vocabulary);
                            batch.push(&example.question, self.vocabulary.reason, &continuation);
                        } else {
                            let continuation =
                                direct_continuation(&example.answer, self.vocabulary);
                            batch.push(&example.question, self.vocabulary.answer, &continuation);
                        }
                    }
                    *right += count_all_right(&self.model, &batch);
                }
            }
            let [explicit, direct] = right.map(|right| right as f64 / examples.len() as f64);
            figures.insert(format!("{name}_explicit"), json!(explicit));
            figures.insert(format!("{name}_direct"), json!(direct));
            explicit_sum += explicit;
            direct_sum += direct;
        }
        // Written reasoning is what the target is for; the direct answers only break ties.
        Ok(Validation {
            score: explicit_sum + 1e-3 * direct_sum,
            figures,
        })
    }
}

/// Sequences in which every label is the most likely token. For a greedy run this is exactly "writes the label and
/// nothing else": at each step it has the labels so far before it.
pub fn count_all_right(model: &Llama, batch: &LabeledBatch) -> usize {
    let x = model.embed(&batch.ids);
    let hidden = model.decoder.hidden(x, &batch.packing(), Reach::Causal);
    count_right(
        best_rows(model.logits(hidden)),
        &batch.labels,
        &batch.label_counts,
    )
}

/// The column of the largest value in each row; for logits the most likely token.
pub fn best_rows(scores: Tensor<2>) -> Vec<u32> {
    let width = scores.dims()[1];
    let values = scores
        .inner()
        .try_into_vec_as::<f32>()
        .expect("tensors in training are f32");
    let best = |row: &[f32]| {
        let mut best = 0;
        for (column, value) in row.iter().enumerate() {
            if *value > row[best] {
                best = column;
            }
        }
        best as u32
    };
    values.chunks_exact(width).map(best).collect()
}

/// Sequences all of whose labels were found.
pub fn count_right(found: Vec<u32>, labels: &[u32], counts: &[usize]) -> usize {
    let mut start = 0;
    let mut right = 0;
    for &count in counts {
        right += usize::from(found[start..start + count] == labels[start..start + count]);
        start += count;
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_but_the_last_of_a_question_predicts_the_token_behind_it() {
        let mut batch = LabeledBatch::default();
        batch.push(&[10, 11, 12], 1, &[20, 21]);
        batch.push(&[13, 14], 2, &[22]);
        assert_eq!(batch.ids, [10, 11, 12, 1, 20, 13, 14, 2]);
        let (tokens, weights) = batch.next_tokens(1.0, 0.5);
        assert_eq!(tokens, [11, 12, 1, 20, 21, 14, 2, 22]);
        assert_eq!(weights, [0.5, 0.5, 0.0, 1.0, 1.0, 0.5, 0.0, 1.0]);
    }
}
