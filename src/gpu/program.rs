//! The forward pass compiled: each step of `model` becomes a dispatch with its pipeline and bind
//! group, made once and used for every token. Prefill multiplies matrices by matrices, decode by
//! vectors; both work on the same buffers.

use super::activations::Activations;
use super::dispatch::{Dispatch, RotateNorms, Rows};
use super::linear::Linear;
use super::weight::Weight;
use super::{Gpu, GpuError};
use crate::model::LlamaConfig;
use crate::model::step::{Output, Slot, Step, WeightId};

/// A compiled pass over a prompt. Once the last layer's keys and values are cached, nothing but the
/// rows that are wanted need be computed: the last one of a target, the implicit tokens' of a
/// generator. Of three layers that saves a quarter of the work.
pub(super) struct Program {
    /// For every row of every piece of the prompt.
    pub(super) body: Vec<Dispatch>,
    /// For the wanted rows of the last piece, on [`Activations::tail_run`].
    pub(super) tail: Vec<Dispatch>,
}

/// The choice of the next token.
pub(super) struct Choices {
    /// The largest logit.
    pub(super) greedy: Dispatch,
    /// By probability, as [`Activations::sampling`] says.
    pub(super) sampled: Dispatch,
}

/// What a pass over a prompt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All rows.
    AllRows,
    /// Some of the last rows.
    LastRows,
    /// The last row.
    LastRow,
}

/// Compiles steps of one model.
pub(super) struct Compiler<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) config: &'a LlamaConfig,
    pub(super) weights: &'a [Weight],
    pub(super) activations: &'a Activations,
    /// The rows that are read where ids say that they are no token's: [`Activations::given`], or the hidden states of the
    /// pass before.
    pub(super) given: &'a wgpu::Buffer,
}

impl Compiler<'_> {
    /// A pass over a prompt.
    pub(super) fn prompt(&self, steps: &[Step], wanted: Wanted) -> Result<Program, GpuError> {
        let cached = steps
            .iter()
            .rposition(|it| matches!(it, Step::RotateAndCache { .. }));
        let body_len = match (wanted, cached) {
            (Wanted::LastRows | Wanted::LastRow, Some(last)) => last + 1,
            _ => steps.len(),
        };
        let (body, tail) = steps.split_at(body_len);
        let rows = match wanted {
            Wanted::LastRow => Rows::One,
            Wanted::AllRows | Wanted::LastRows => Rows::Many,
        };
        let activations = self.activations;
        Ok(Program {
            body: self.compile(body, Rows::Many, &activations.run)?,
            tail: self.compile(tail, rows, &activations.tail_run)?,
        })
    }

    /// A pass over one token.
    pub(super) fn decode(&self, steps: &[Step]) -> Result<Vec<Dispatch>, GpuError> {
        self.compile(steps, Rows::One, &self.activations.run)
    }

    /// The choice of the next token; ends a prompt and every decode pass.
    pub(super) fn choices(&self) -> Result<Choices, GpuError> {
        let (gpu, vocab_size) = (self.gpu, self.config.vocab_size);
        let Activations {
            run,
            sampling,
            logits,
            tokens,
            ..
        } = self.activations;
        Ok(Choices {
            greedy: gpu.select(run, vocab_size, logits, tokens)?,
            sampled: gpu.sample(run, sampling, vocab_size, logits, tokens)?,
        })
    }

    fn compile(
        &self,
        steps: &[Step],
        rows: Rows,
        run: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let mut dispatches = Vec::new();
        // What the buffer of normed rows holds at this point.
        let mut normed: Option<(Slot, WeightId)> = None;
        for &step in steps {
            if let Some(norm) = norm_before(step, rows)
                && normed != Some(norm)
            {
                let (x, weight) = norm;
                dispatches.push(self.rms_norm(run, x, weight, &self.activations.normed)?);
                normed = Some(norm);
            }
            dispatches.extend(self.dispatch(step, rows, run)?);
            if normed.is_some_and(|(slot, _)| Some(slot) == written(step)) {
                normed = None;
            }
        }
        Ok(dispatches)
    }

    fn dispatch(
        &self,
        step: Step,
        rows: Rows,
        run: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let (gpu, activations) = (self.gpu, self.activations);
        match step {
            Step::Embed { table, out } => gpu.embed(
                run,
                &self.weights[table.0],
                &activations.tokens,
                self.given,
                activations.slot(out),
            ),
            Step::RmsNorm { x, weight, out } => {
                let norm = self.rms_norm(run, x, weight, activations.slot(out))?;
                Ok(vec![norm])
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
                let out_first = match output {
                    Output::Store { first } => first,
                    Output::Add | Output::TimesSilu => 0,
                };
                let linear = Linear {
                    bias: bias.map(|it| &self.weights[it.0]),
                    out_first,
                    add: output == Output::Add,
                    times_silu: output == Output::TimesSilu,
                    // Logits are those of one row, whichever it is.
                    compact: last_row_only,
                    ..self.stored(x, norm, weight, out)
                };
                self.linear(run, linear, if last_row_only { Rows::One } else { rows })
            }
            Step::GatedLinear {
                x,
                norm,
                weight,
                out,
            } => {
                let linear = Linear {
                    gated: true,
                    ..self.stored(x, Some(norm), weight, out)
                };
                self.linear(run, linear, rows)
            }
            Step::RotateAndCache { layer, norms } => Ok(vec![gpu.rotate_and_cache(
                run,
                self.config.into(),
                &activations.rotations,
                &activations.qkv,
                &activations.cache[layer as usize],
                norms.map(|it| RotateNorms {
                    query: &self.weights[it.query.0],
                    key: &self.weights[it.key.0],
                    eps: self.config.rms_norm_eps,
                }),
            )?]),
            Step::Attend { layer } => Ok(vec![gpu.attend(
                run,
                self.config.into(),
                rows,
                &activations.qkv,
                &activations.cache[layer as usize],
                &activations.attention,
            )?]),
            Step::Mean { x, out } => Ok(vec![gpu.mean(
                run,
                self.width(x),
                activations.slot(x),
                activations.slot(out),
            )?]),
        }
    }

    fn rms_norm(
        &self,
        run: &wgpu::Buffer,
        x: Slot,
        weight: WeightId,
        out: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        self.gpu
            .rms_norm(run, self.norm(weight), self.activations.slot(x), out)
    }

    fn norm(&self, weight: WeightId) -> (&Weight, f32) {
        (&self.weights[weight.0], self.config.rms_norm_eps)
    }

    /// `out = W norm(x)`
    fn stored(&self, x: Slot, norm: Option<WeightId>, weight: WeightId, out: Slot) -> Linear<'_> {
        Linear {
            x: self.activations.slot(x),
            packed: self.activations.packed.as_ref(),
            norm: norm.map(|it| self.norm(it)),
            weight: &self.weights[weight.0],
            bias: None,
            out: self.activations.slot(out),
            out_first: 0,
            out_stride: self.width(out),
            add: false,
            times_silu: false,
            gated: false,
            compact: false,
        }
    }

    fn linear(
        &self,
        run: &wgpu::Buffer,
        linear: Linear<'_>,
        rows: Rows,
    ) -> Result<Vec<Dispatch>, GpuError> {
        match (rows, linear.norm) {
            (Rows::One, _) => self.gpu.matvec(run, &linear),
            (Rows::Many, None) => self.gpu.matmul(run, &linear),
            (Rows::Many, Some(_)) => self.gpu.matmul(
                run,
                &Linear {
                    x: &self.activations.normed,
                    ..linear
                },
            ),
        }
    }

    fn width(&self, slot: Slot) -> usize {
        match slot {
            Slot::Residual | Slot::Hidden => self.config.hidden_size,
            Slot::Qkv => self.config.qkv_width(),
            Slot::Attention => self.config.query_width(),
            Slot::FeedForward => self.config.intermediate_size,
            Slot::Logits => self.config.vocab_size,
        }
    }
}

/// What must be in the buffer of normed rows before a step: `matmul` does not norm its input.
fn norm_before(step: Step, rows: Rows) -> Option<(Slot, WeightId)> {
    match step {
        Step::Linear {
            x,
            norm: Some(norm),
            last_row_only: false,
            ..
        }
        | Step::GatedLinear { x, norm, .. }
            if rows == Rows::Many =>
        {
            Some((x, norm))
        }
        _ => None,
    }
}

/// The slot that a step writes.
fn written(step: Step) -> Option<Slot> {
    match step {
        Step::Embed { out, .. }
        | Step::RmsNorm { out, .. }
        | Step::Linear { out, .. }
        | Step::GatedLinear { out, .. }
        | Step::Mean { out, .. } => Some(out),
        Step::RotateAndCache { .. } => Some(Slot::Qkv),
        Step::Attend { .. } => Some(Slot::Attention),
    }
}
