//! CODI: a pass with thoughts learns from a pass with written reasoning, at the positions that predict the answer.

use burn::Tensor;
use burn::tensor::activation;

use super::adapted::{AdaptedTarget, without_last};
use super::{Baseline, Item};
use crate::train::kernels::Reach;
use crate::train::llama::{Named, Packing};
use crate::train::trainer::Loss;

/// Number of the added tokens.
const BOT: usize = 0;
const EOT: usize = 1;
/// Weight of the distillation.
const DISTILLATION: f32 = 20.0;
/// Inside the root of the layer norm.
const LAYER_NORM_EPS: f32 = 1e-5;

/// What a state goes through before it is the next input: linear, GELU, linear, layer norm, all of the target's width.
#[derive(Clone, Debug)]
pub struct ThoughtProjection {
    /// `[hidden, hidden]`.
    pub first_weight: Tensor<2>,
    /// `[1, hidden]`, as the further ones.
    pub first_bias: Tensor<2>,
    pub second_weight: Tensor<2>,
    pub second_bias: Tensor<2>,
    pub norm_weight: Tensor<2>,
    pub norm_bias: Tensor<2>,
}

impl ThoughtProjection {
    fn of(&self, state: Tensor<2>) -> Tensor<2> {
        let x = state
            .matmul(self.first_weight.clone())
            .add(self.first_bias.clone());
        let x = activation::gelu(x)
            .matmul(self.second_weight.clone())
            .add(self.second_bias.clone());
        let centered = x.clone().sub(x.mean_dim(1));
        let variance = centered.clone().square().mean_dim(1);
        centered
            .div(variance.add_scalar(LAYER_NORM_EPS).sqrt())
            .mul(self.norm_weight.clone())
            .add(self.norm_bias.clone())
    }

    fn parameters(&mut self) -> Vec<Named<'_>> {
        vec![
            ("projection.first.weight".into(), &mut self.first_weight),
            ("projection.first.bias".into(), &mut self.first_bias),
            ("projection.second.weight".into(), &mut self.second_weight),
            ("projection.second.bias".into(), &mut self.second_bias),
            ("projection.norm.weight".into(), &mut self.norm_weight),
            ("projection.norm.bias".into(), &mut self.norm_bias),
        ]
    }
}

/// The target's added tokens are `<bot>` and `<eot>`.
#[derive(Clone, Debug)]
pub struct Codi {
    pub target: AdaptedTarget,
    pub projection: ThoughtProjection,
    pub k: usize,
}

impl Codi {
    /// [question, `<bot>`] and the k thoughts. The last is made but not read by what follows, as published.
    fn thoughts_behind(&self, item: &Item) -> (Tensor<2>, Vec<Tensor<2>>) {
        let mut ids = item.question.clone();
        ids.push(self.target.added_id(BOT));
        let mut x = self.target.embed(&ids);
        let mut thoughts: Vec<Tensor<2>> = Vec::new();
        for _ in 0..self.k {
            if let Some(newest) = thoughts.last() {
                x = Tensor::cat(vec![x, newest.clone()], 0);
            }
            let state = self.target.last_hidden(x.clone(), 1, Reach::Causal);
            thoughts.push(self.projection.of(state));
        }
        (x, thoughts)
    }

    /// The k thoughts `[k, hidden]`.
    pub fn thoughts(&self, item: &Item) -> Tensor<2> {
        Tensor::cat(self.thoughts_behind(item).1, 0)
    }

    /// All hidden states of one sequence, the embeddings among them.
    fn hidden_states(&self, x: Tensor<2>) -> Vec<Tensor<2>> {
        let packing = Packing::whole(vec![x.dims()[0]]);
        (self.target.model.decoder).hidden_states(x, &packing, Reach::Causal)
    }

    /// The mean loss on `labels`, predicted by the last rows of the last hidden state.
    fn loss_of(&self, states: &[Tensor<2>], labels: &[u32]) -> Tensor<1> {
        let last = states[states.len() - 1].clone();
        let kernels = self.target.model.decoder.kernels;
        let logits = self.target.logits(last_rows(last, labels.len()));
        super::mean_cross_entropy(kernels, logits, labels)
    }
}

fn last_rows(x: Tensor<2>, count: usize) -> Tensor<2> {
    let rows = x.dims()[0];
    x.narrow(0, rows - count, count)
}

/// The mean over all elements of d²/2 where |d| < 1, |d| − 1/2 elsewhere.
fn smooth_l1(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let distance = a.sub(b).abs();
    // With c = min(|d|, 1) both cases are c · (|d| − c / 2).
    let near = distance.clone().clamp_max(1.0);
    near.clone().mul(distance.sub(near.div_scalar(2.0))).mean()
}

impl Baseline for Codi {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.target.parameters();
        named.extend(self.projection.parameters());
        named
    }

    fn loss(&self, item: &Item) -> Loss {
        let written = [&item.reasoning[..], &item.answer_prompt, &item.answer].concat();
        let read = [&item.question[..], without_last(&written)].concat();
        let teacher = self.hidden_states(self.target.embed(&read));
        let teacher_loss = self.loss_of(&teacher, &written);

        let (thoughts, _) = self.thoughts_behind(item);
        let mut closing = vec![self.target.added_id(EOT)];
        closing.extend_from_slice(&item.answer_prompt);
        closing.extend_from_slice(without_last(&item.answer));
        let x = Tensor::cat(vec![thoughts, self.target.embed(&closing)], 0);
        let student = self.hidden_states(x);
        let student_loss = self.loss_of(&student, &item.answer);

        let answer = item.answer.len();
        let distillation = (teacher.into_iter().zip(student))
            .map(|(teacher, student)| {
                smooth_l1(
                    last_rows(student, answer),
                    last_rows(teacher, answer).detach(),
                )
            })
            .reduce(|a, b| a.add(b))
            .expect("there are hidden states");
        let value = |loss: &Tensor<1>| loss.clone().inner().into_scalar::<f32>();
        Loss {
            terms: vec![
                ("teacher_loss", value(&teacher_loss)),
                ("student_loss", value(&student_loss)),
                ("distillation_loss", value(&distillation)),
            ],
            total: teacher_loss
                .add(student_loss)
                .add(distillation.mul_scalar(DISTILLATION)),
        }
    }
}
