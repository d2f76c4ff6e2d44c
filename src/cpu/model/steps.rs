//! A model's steps on the rows of the present pass, one function a step.

use std::ops::{ControlFlow, Range};

use super::super::functions::{rms_norm, rms_norm_in_place, silu};
use super::super::pause::{Pause, Pauses};
use super::super::product::product;
use super::{CpuModel, SLOTS, index};
use crate::model::step::{EMBEDDING_GIVEN, Output, Slot, Step, WeightId};
use crate::model::{HeadNorms, RopePairing};
use crate::reference::Attend;

impl CpuModel {
    /// Passes some rows of the prompt through steps.
    pub(super) async fn piece<P: Pause>(
        &mut self,
        rows: Range<usize>,
        steps: &[Step],
        pauses: &mut Pauses<P>,
    ) -> ControlFlow<()> {
        self.run.position = rows.start as u32;
        self.run.rows = rows.len() as u32;
        self.execute(steps, pauses).await
    }

    pub(super) async fn execute<P: Pause>(
        &mut self,
        steps: &[Step],
        pauses: &mut Pauses<P>,
    ) -> ControlFlow<()> {
        for step in steps {
            let multiplications = self.step(step);
            pauses.after(multiplications).await?;
        }
        ControlFlow::Continue(())
    }

    /// Executes a step for the rows of the present pass; gives about how many multiplications it
    /// took.
    fn step(&mut self, step: &Step) -> u64 {
        match *step {
            Step::Embed { table, out } => {
                self.embed(table, out);
                0
            }
            Step::RmsNorm { x, weight, out } => {
                let len = self.run.rows as usize * self.width(out);
                let [x, out] = two_slots(&mut self.slots, x, out, len);
                let weight = self.weights[weight.0].vector();
                let eps = self.model.config.rms_norm_eps;
                let rows = x.chunks_exact(weight.len());
                for (x, out) in rows.zip(out.chunks_exact_mut(weight.len())) {
                    rms_norm(weight, x, eps, out);
                }
                0
            }
            Step::Linear {
                x,
                norm,
                weight,
                bias,
                out,
                output,
                last_row_only,
            } => {
                let rows = if last_row_only {
                    1
                } else {
                    self.run.rows as usize
                };
                let work = self.product(x, norm, weight, rows);
                self.put(bias, out, output, rows);
                work
            }
            Step::GatedLinear {
                x,
                norm,
                weight,
                out,
            } => {
                let rows = self.run.rows as usize;
                let work = self.product(x, Some(norm), weight, rows);
                self.put_gated(out, rows);
                work
            }
            Step::RotateAndCache { layer, norms } => {
                self.rotate_and_cache(layer, norms);
                0
            }
            Step::Attend { layer } => self.attend(layer),
            Step::Mean { x, out } => {
                self.mean(x, out);
                0
            }
        }
    }

    fn embed(&mut self, table: WeightId, out: Slot) {
        let width = self.width(out);
        let first = self.run.position as usize;
        let tokens = &self.tokens[first..first + self.run.rows as usize];
        let table = self.weights[table.0].matrix();
        let rows = &mut self.slots[index(out)];
        rows.resize(tokens.len() * width, 0.0);
        for (&token, out) in tokens.iter().zip(rows.chunks_exact_mut(width)) {
            if token == EMBEDDING_GIVEN {
                out.copy_from_slice(&self.given[self.given_rows * width..][..width]);
                self.given_rows += 1;
            } else {
                table.row(token as usize, out);
            }
        }
    }

    /// `W norm(x)` of the last `rows` rows, into `self.products`.
    fn product(&mut self, x: Slot, norm: Option<WeightId>, weight: WeightId, rows: usize) -> u64 {
        let matrix = self.weights[weight.0].matrix();
        let x = &self.slots[index(x)];
        let x = &x[x.len() - rows * matrix.cols..];
        let x = match norm {
            None => x,
            Some(norm) => {
                let norm = self.weights[norm.0].vector();
                let eps = self.model.config.rms_norm_eps;
                self.normed.resize(x.len(), 0.0);
                let of_rows = x.chunks_exact(matrix.cols);
                for (x, out) in of_rows.zip(self.normed.chunks_exact_mut(matrix.cols)) {
                    rms_norm(norm, x, eps, out);
                }
                &self.normed
            }
        };
        self.products.resize(rows * matrix.rows, 0.0);
        product(matrix, x, &mut self.products, &mut self.scratch);
        (rows * matrix.rows * matrix.cols) as u64
    }

    /// Takes the products to a slot.
    fn put(&mut self, bias: Option<WeightId>, out: Slot, output: Output, rows: usize) {
        let (stride, first) = (self.width(out), first_column(output));
        let width = self.products.len() / rows;
        if let Some(bias) = bias {
            let bias = self.weights[bias.0].vector();
            for row in self.products.chunks_exact_mut(width) {
                row.iter_mut().zip(bias).for_each(|(it, bias)| *it += bias);
            }
        }
        let slot = &mut self.slots[index(out)];
        slot.resize(rows * stride, 0.0);
        for (row, out) in self
            .products
            .chunks_exact(width)
            .zip(slot.chunks_exact_mut(stride))
        {
            let pairs = out[first..][..width].iter_mut().zip(row);
            match output {
                Output::Store { .. } => pairs.for_each(|(out, &it)| *out = it),
                Output::Add => pairs.for_each(|(out, &it)| *out += it),
                Output::TimesSilu => pairs.for_each(|(out, &it)| *out = silu(*out) * it),
            }
        }
    }

    /// Takes the products of a gate above its up part to a slot.
    fn put_gated(&mut self, out: Slot, rows: usize) {
        let width = self.width(out);
        let slot = &mut self.slots[index(out)];
        slot.resize(rows * width, 0.0);
        let of_rows = self.products.chunks_exact(2 * width);
        for (row, out) in of_rows.zip(slot.chunks_exact_mut(width)) {
            let (gate, up) = row.split_at(width);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = silu(*gate) * up;
            }
        }
    }

    /// The mean of all rows in the last one.
    fn mean(&mut self, x: Slot, out: Slot) {
        let (width, rows) = (self.width(x), self.run.rows as usize);
        let [x, out] = two_slots(&mut self.slots, x, out, rows * width);
        let out = &mut out[(rows - 1) * width..];
        out.fill(0.0);
        for row in x.chunks_exact(width) {
            out.iter_mut().zip(row).for_each(|(out, &it)| *out += it);
        }
        out.iter_mut().for_each(|it| *it /= rows as f32);
    }

    fn rotate_and_cache(&mut self, layer: u32, norms: Option<HeadNorms>) {
        let config = &self.model.config;
        let (head_dim, pairs) = (config.head_dim, config.head_dim / 2);
        let cache = &mut self.caches[layer as usize];
        let rows = self.slots[index(Slot::Qkv)].chunks_exact_mut(config.qkv_width());
        for (row, qkv) in rows.enumerate() {
            let position = self.run.position as usize + row;
            let turns = &self.rotations[position * pairs..][..pairs];
            for (head, values) in qkv.chunks_exact_mut(head_dim).enumerate() {
                let key = head.checked_sub(config.num_heads);
                let value = key.and_then(|it| it.checked_sub(config.num_kv_heads));
                if let Some(value) = value {
                    cache.set_value(value, position, values);
                    continue;
                }
                if let Some(norms) = norms {
                    let norm = if key.is_some() {
                        norms.key
                    } else {
                        norms.query
                    };
                    let weight = self.weights[norm.0].vector();
                    rms_norm_in_place(weight, values, config.rms_norm_eps);
                }
                turn(values, turns, config.rope_pairing);
                if let Some(key) = key {
                    cache.set_key(key, position, values);
                }
            }
        }
    }

    fn attend(&mut self, layer: u32) -> u64 {
        let config = &self.model.config;
        let attend = Attend {
            heads: config.num_heads,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            is_causal: config.is_causal,
            window: config.sliding_window,
        };
        let rows = self.run.rows as usize;
        let width = config.query_width();
        let position = self.run.position as usize;
        let slots = &mut self.slots;
        let [qkv, out] = two_slots(slots, Slot::Qkv, Slot::Attention, rows * width);
        let cache = &self.caches[layer as usize];
        cache.attend(&attend, position, qkv, out, &mut self.attend_scratch);
        (2 * rows * (position + rows) * width) as u64
    }

    pub(super) fn width(&self, slot: Slot) -> usize {
        let config = &self.model.config;
        match slot {
            Slot::Residual | Slot::Hidden => config.hidden_size,
            Slot::Qkv => config.qkv_width(),
            Slot::Attention => config.query_width(),
            Slot::FeedForward => config.intermediate_size,
            Slot::Logits => config.vocab_size,
        }
    }
}

/// Two different slots, the second of so many values.
fn two_slots(slots: &mut [Vec<f32>; SLOTS], x: Slot, out: Slot, len: usize) -> [&mut Vec<f32>; 2] {
    let slots = slots.get_disjoint_mut([index(x), index(out)]);
    let [x, out] = slots.expect("a step's slots differ");
    out.resize(len, 0.0);
    [x, out]
}

fn first_column(output: Output) -> usize {
    match output {
        Output::Store { first } => first as usize,
        Output::Add | Output::TimesSilu => 0,
    }
}

/// A pair (a, b) becomes (a cos - b sin, b cos + a sin).
fn turn(head: &mut [f32], turns: &[[f32; 2]], pairing: RopePairing) {
    for (pair, &[cos, sin]) in turns.iter().enumerate() {
        let (first, second) = match pairing {
            RopePairing::Neighbours => (2 * pair, 2 * pair + 1),
            RopePairing::Halves => (pair, pair + turns.len()),
        };
        let (a, b) = (head[first], head[second]);
        head[first] = a * cos - b * sin;
        head[second] = b * cos + a * sin;
    }
}
