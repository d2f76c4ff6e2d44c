//! CODI: a pass with thoughts learns from a pass with written reasoning, at the positions that predict the answer.

use std::ops::Range;

use burn::Tensor;
use burn::tensor::{Device, TensorData, activation};

use super::adapted::{AdaptedTarget, Piece, labeled, without_last};
use super::settings::{CodiSettings, Evaluation, LastThought};
use super::{Baseline, Item, Prompt};
use crate::train::gradients::Loss;
use crate::train::initialization::Normal;
use crate::train::linear::Linear;
use crate::train::llama::{Named, Packing, Prefix, rows_tensor};
use crate::train::precision::Precision;

/// Number of the added tokens.
const BOT: usize = 0;
const EOT: usize = 1;
/// Inside the root of the layer norm.
const LAYER_NORM_EPS: f32 = 1e-5;

/// What a state goes through before it is the next input: linear, GELU, linear, layer norm, all of the target's width.
#[derive(Clone, Debug)]
pub struct ThoughtProjection {
    pub first: Linear,
    pub second: Linear,
    /// `[1, hidden]`.
    pub norm_weight: Tensor<2>,
    /// `[1, hidden]`.
    pub norm_bias: Tensor<2>,
}

impl ThoughtProjection {
    /// Linear layers uniform in ±1/sqrt(hidden).
    pub fn new(hidden: usize, normal: &mut Normal, device: &Device) -> Self {
        let mut linear = || Linear::uniform([hidden, hidden], normal, device);
        Self {
            first: linear(),
            second: linear(),
            norm_weight: Tensor::ones([1, hidden], device),
            norm_bias: Tensor::zeros([1, hidden], device),
        }
    }

    fn of(&self, state: Tensor<2>) -> Tensor<2> {
        let x = self.second.apply(activation::gelu(self.first.apply(state)));
        let centered = x.clone().sub(x.mean_dim(1));
        let variance = centered.clone().square().mean_dim(1);
        centered
            .div(variance.add_scalar(LAYER_NORM_EPS).sqrt())
            .mul(self.norm_weight.clone())
            .add(self.norm_bias.clone())
    }

    fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = Vec::from(self.first.parameters("projection.first"));
        named.extend(self.second.parameters("projection.second"));
        named.push(("projection.norm.weight".into(), &mut self.norm_weight));
        named.push(("projection.norm.bias".into(), &mut self.norm_bias));
        named
    }
}

/// The target's added tokens are `<bot>` and `<eot>`.
#[derive(Clone, Debug)]
pub struct Codi {
    pub target: AdaptedTarget,
    pub projection: ThoughtProjection,
    pub k: usize,
    pub eval_k: usize,
    /// What the target reads before it writes reasoning; published: nothing.
    pub reasoning_prompt: Vec<u32>,
    pub settings: CodiSettings,
    pub evaluation: Evaluation,
}

/// Questions that were read as far as their thoughts, and these.
struct Thinking {
    /// [question, `<bot>`, thoughts but the last].
    prefix: Prefix,
    before: Vec<Range<usize>>,
    /// `[questions, hidden]` each.
    thoughts: Vec<Tensor<2>>,
}

impl Codi {
    /// Makes `count` thoughts behind each question, by keys and values that are kept.
    fn think(&self, items: &[Item], count: usize) -> Thinking {
        let decoder = &self.target.model.decoder;
        let (state, mut prefix, mut packing) = self.target.read_questions(items, BOT);
        let wanted = vec![1; items.len()];
        let mut thoughts = vec![self.projection.of(state)];
        while thoughts.len() < count {
            packing = Packing {
                lengths: wanted.clone(),
                wanted: wanted.clone(),
                before: packing.extended_rows(),
            };
            let newest = thoughts[thoughts.len() - 1].clone();
            let (state, extended) = decoder.extended(Some(&prefix), newest, &packing);
            prefix = extended;
            thoughts.push(self.projection.of(state));
        }
        Thinking {
            before: packing.extended_rows(),
            prefix,
            thoughts,
        }
    }

    /// The k thoughts of an item, `[k, hidden]`.
    pub fn thoughts(&self, item: &Item) -> Tensor<2> {
        Tensor::cat(self.think(std::slice::from_ref(item), self.k).thoughts, 0)
    }

    /// The pass with written reasoning: all hidden states at the rows that predict what is written.
    fn teacher(&self, items: &[Item], written: &[Vec<u32>]) -> Vec<Tensor<2>> {
        let read: Vec<Vec<Piece<'_>>> = (items.iter().zip(written))
            .map(|(item, written)| {
                vec![
                    Piece::Ids(&item.question),
                    Piece::Ids(&self.reasoning_prompt),
                    Piece::Ids(without_last(written)),
                ]
            })
            .collect();
        let (x, lengths) = self.target.pack(&read, None);
        let labels: Vec<&[u32]> = written.iter().map(Vec::as_slice).collect();
        let packing = labeled(lengths, &labels);
        (self.target.model.decoder).hidden_states(x, &packing, None)
    }

    /// The pass with thoughts: all hidden states at the rows that predict the answers.
    fn student(&self, items: &[Item], answers: &[&[u32]]) -> Vec<Tensor<2>> {
        let Thinking {
            prefix,
            before,
            thoughts,
        } = self.think(items, self.k);
        let last = match self.settings.last_thought {
            LastThought::Read => thoughts.last(),
            LastThought::Unread => None,
        };
        let eot = [self.target.added_id(EOT)];
        let closings: Vec<Vec<u32>> = (items.iter())
            .map(|item| [&eot[..], &item.answer_prompt, without_last(&item.answer)].concat())
            .collect();
        let read: Vec<Vec<Piece<'_>>> = (closings.iter().enumerate())
            .map(|(i, closing)| match last {
                Some(_) => vec![Piece::Vectors(i..i + 1), Piece::Ids(closing)],
                None => vec![Piece::Ids(closing)],
            })
            .collect();
        let (x, lengths) = self.target.pack(&read, last);
        let packing = Packing {
            before,
            ..labeled(lengths, answers)
        };
        (self.target.model.decoder).hidden_states(x, &packing, Some(&prefix))
    }
}

/// The sum over rows of weight times the mean over a row's elements of d²/2 where |d| < 1, |d| − 1/2 elsewhere.
fn smooth_l1(a: Tensor<2>, b: Tensor<2>, weights: &Tensor<2>) -> Tensor<1> {
    let [a, b] = [a, b].map(|it| Precision::F32.of(it));
    let distance = a.sub(b).abs();
    // With c = min(|d|, 1) both cases are c · (|d| − c / 2).
    let near = distance.clone().clamp_max(1.0);
    let elements = near.clone().mul(distance.sub(near.div_scalar(2.0)));
    elements.mean_dim(1).mul(weights.clone()).sum()
}

impl Baseline for Codi {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.target.parameters();
        named.extend(self.projection.parameters());
        named
    }

    fn target(&self) -> &AdaptedTarget {
        &self.target
    }

    fn target_mut(&mut self) -> &mut AdaptedTarget {
        &mut self.target
    }

    fn loss(&self, items: &[Item]) -> Loss {
        let written: Vec<Vec<u32>> = (items.iter())
            .map(|item| [&item.reasoning[..], &item.answer_prompt, &item.answer].concat())
            .collect();
        let labels: Vec<&[u32]> = written.iter().map(Vec::as_slice).collect();
        let teacher = self.teacher(items, &written);
        let teacher_loss = (self.target).loss_of(teacher[teacher.len() - 1].clone(), &labels);

        let answers: Vec<&[u32]> = items.iter().map(|item| item.answer.as_slice()).collect();
        let student = self.student(items, &answers);
        let student_loss = (self.target).loss_of(student[student.len() - 1].clone(), &answers);

        // The teacher's rows that predict the answers, and the weight of each in the mean over an answer.
        let (mut rows, mut weights, mut end) = (Vec::new(), Vec::new(), 0);
        for (labels, answer) in labels.iter().zip(&answers) {
            end += labels.len();
            rows.extend(end - answer.len()..end);
            weights.extend(vec![1.0 / answer.len() as f32; answer.len()]);
        }
        let device = teacher_loss.device();
        let weights = TensorData::new(weights, [rows.len(), 1]);
        let weights = Tensor::<2>::from_data(weights, &device);
        let rows = rows_tensor(&rows, &device);
        let distillation = (teacher.into_iter().zip(student))
            .map(|(teacher, student)| {
                let teacher = teacher.detach().select(0, rows.clone());
                smooth_l1(student, teacher, &weights)
            })
            .reduce(|a, b| a.add(b))
            .expect("there are hidden states");
        let value = |loss: &Tensor<1>| loss.clone().inner().into_scalar::<f32>();
        Loss {
            terms: vec![
                ("loss_teacher", value(&teacher_loss)),
                ("loss_answer", value(&student_loss)),
                ("loss_distillation", value(&distillation)),
            ],
            total: teacher_loss
                .add(student_loss)
                .add(distillation.mul_scalar(self.settings.distillation)),
        }
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let count = self.eval_k;
        let thoughts = Tensor::cat(self.think(items, count).thoughts, 0);
        let [bot, eot] = [BOT, EOT].map(|number| [self.target.added_id(number)]);
        let questions = items.len();
        let sequence = |(i, item)| {
            let item: &Item = item;
            let mut pieces = vec![Piece::Ids(&item.question), Piece::Ids(&bot)];
            let thought = |made: usize| made * questions + i;
            pieces.extend((0..count).map(|made| Piece::Vectors(thought(made)..thought(made) + 1)));
            pieces.extend([Piece::Ids(&eot), Piece::Ids(&item.answer_prompt)]);
            if self.evaluation == Evaluation::Published {
                pieces.push(Piece::Ids(&item.answer));
            }
            pieces
        };
        let sequences: Vec<Vec<Piece<'_>>> = items.iter().enumerate().map(sequence).collect();
        let (x, lengths) = self.target.pack(&sequences, Some(&thoughts));
        Prompt {
            x,
            lengths,
            target_passes: vec![count as u32; items.len()],
            generator_passes: 0,
        }
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}
