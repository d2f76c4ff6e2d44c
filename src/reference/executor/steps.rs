//! What each step of a pass computes, by the kernels of this folder.

use super::super::{Attend, Linear, Rotate, RotateNorms};
use super::super::{attend, embed, matmul, matvec, mean, rms_norm, rotate_and_cache};
use super::Executor;
use crate::model::HeadNorms;
use crate::model::step::{Output, Slot, Step, WeightId};

impl Executor {
    pub(super) fn weight(&self, id: WeightId) -> &[f32] {
        &self.weights[id.0]
    }

    fn width(&self, slot: Slot) -> usize {
        let config = &self.model.config;
        match slot {
            Slot::Residual | Slot::Hidden => config.hidden_size,
            Slot::Qkv => config.qkv_width(),
            Slot::Attention => config.query_width(),
            Slot::FeedForward => config.intermediate_size,
            Slot::Logits => config.vocab_size,
        }
    }

    /// Executes steps for the rows of the present pass.
    pub(in crate::reference) fn execute(&mut self, steps: &[Step], given: &[f32]) {
        for step in steps {
            self.step(step, given);
        }
    }

    fn step(&mut self, step: &Step, given: &[f32]) {
        match *step {
            Step::Embed { table, out } => {
                let mut rows = self.take_for(out, self.run.rows);
                let width = self.width(out);
                embed(
                    &self.run,
                    self.weight(table),
                    &self.tokens,
                    given,
                    width,
                    &mut rows,
                );
                *self.slots.of(out) = rows;
            }
            Step::RmsNorm { x, weight, out } => {
                let mut rows = self.take_for(out, self.run.rows);
                let eps = self.model.config.rms_norm_eps;
                rms_norm(
                    &self.run,
                    self.weight(weight),
                    self.slots.get(x),
                    eps,
                    &mut rows,
                );
                *self.slots.of(out) = rows;
            }
            Step::Linear {
                x,
                norm,
                weight,
                bias,
                out,
                output,
                last_row_only,
            } => self.linear(LinearStep {
                x,
                norm,
                weight,
                bias,
                out,
                output,
                gated: false,
                last_row_only,
            }),
            Step::GatedLinear {
                x,
                norm,
                weight,
                out,
            } => self.linear(LinearStep {
                x,
                norm: Some(norm),
                weight,
                bias: None,
                out,
                output: Output::Store { first: 0 },
                gated: true,
                last_row_only: false,
            }),
            Step::RotateAndCache { layer, norms } => self.rotate_and_cache(layer, norms),
            Step::Attend { layer } => self.attend(layer),
            Step::Mean { x, out } => {
                let mut rows = self.take_for(out, self.run.rows);
                mean(&self.run, self.width(x), self.slots.get(x), &mut rows);
                *self.slots.of(out) = rows;
            }
        }
    }

    /// One row is a `matvec`, which norms its input itself; more are `rms_norm` and `matmul`.
    fn linear(&mut self, step: LinearStep) {
        let one_row = step.last_row_only || self.run.rows == 1;
        let mut y = self.take_for(step.out, if one_row { 1 } else { self.run.rows });
        let eps = self.model.config.rms_norm_eps;
        let weight = self.weight(step.weight);
        let bias = step.bias.map(|id| self.weight(id));
        let x = self.slots.get(step.x);
        let rows = self.model.weights.get(step.weight).rows;
        let linear = Linear {
            width: self.width(step.x),
            out_width: if step.gated { rows / 2 } else { rows },
            out_first: match step.output {
                Output::Store { first } => first as usize,
                Output::Add | Output::TimesSilu => 0,
            },
            out_stride: self.width(step.out),
            add: step.output == Output::Add,
            times_silu: step.output == Output::TimesSilu,
            gated: step.gated,
        };
        let norm = step.norm.map(|id| self.weight(id));
        match norm {
            _ if one_row => {
                let norm = norm.map(|norm| (norm, eps));
                matvec(&self.run, &linear, weight, norm, bias, x, &mut y);
            }
            Some(norm) => {
                let mut normed = vec![0.0; x.len()];
                rms_norm(&self.run, norm, x, eps, &mut normed);
                matmul(&self.run, &linear, weight, bias, &normed, &mut y);
            }
            None => matmul(&self.run, &linear, weight, bias, x, &mut y),
        }
        *self.slots.of(step.out) = y;
    }

    fn rotate_and_cache(&mut self, layer: u32, norms: Option<HeadNorms>) {
        let config = &self.model.config;
        let rotate = Rotate {
            heads: config.num_heads,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            pairing: config.rope_pairing,
            kv_type: self.kv_type,
        };
        let norms = norms.map(|it| RotateNorms {
            query: &self.weights[it.query.0],
            key: &self.weights[it.key.0],
            eps: config.rms_norm_eps,
        });
        let cache = &mut self.caches[layer as usize];
        rotate_and_cache(
            &self.run,
            &rotate,
            &self.rotations,
            &mut self.slots.qkv,
            &mut cache.keys,
            &mut cache.values,
            norms.as_ref(),
        );
    }

    fn attend(&mut self, layer: u32) {
        let mut rows = self.take_for(Slot::Attention, self.run.rows);
        let config = &self.model.config;
        let constants = Attend {
            heads: config.num_heads,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            is_causal: config.is_causal,
            window: config.sliding_window,
        };
        let cache = &self.caches[layer as usize];
        attend(
            &self.run,
            &constants,
            &self.slots.qkv,
            &cache.keys,
            &cache.values,
            &mut rows,
        );
        self.slots.attention = rows;
    }

    /// The activations of a slot, of the right size for `rows` rows, out of the slots while they
    /// are written.
    fn take_for(&mut self, slot: Slot, rows: u32) -> Vec<f32> {
        let len = rows as usize * self.width(slot);
        let mut taken = std::mem::take(self.slots.of(slot));
        taken.resize(len, 0.0);
        taken
    }
}

/// [`Step::Linear`] and [`Step::GatedLinear`] in one.
struct LinearStep {
    x: Slot,
    norm: Option<WeightId>,
    weight: WeightId,
    bias: Option<WeightId>,
    out: Slot,
    output: Output,
    gated: bool,
    last_row_only: bool,
}
