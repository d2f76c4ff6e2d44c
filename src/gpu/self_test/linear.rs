//! Cases of `matvec` and `matmul`.

use super::super::linear::{Linear, PackedRows};
use super::super::{Gpu, GpuError};
use super::bench::Values;
use super::packed::as_packed;
use super::{Comparison, Pass};
use crate::reference;
use crate::weights::WeightType;

/// Values are sums of up to 768 products, near 1 altogether. f32 sums against f64 sums: 5e-7 was the
/// most on lavapipe and SwiftShader; GPUs may take exp and 1/sqrt some units less exactly. One
/// product left out moves a value by 1e-2.
const TOLERANCE: f32 = 1e-5;

const EPS: f32 = 1e-5;

/// A linear map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearCase {
    /// Type of W.
    pub weights: WeightType,
    /// Width of x.
    pub width: usize,
    /// Columns written.
    pub out_width: usize,
    /// First column written.
    pub out_first: u32,
    /// Columns of y that are not written.
    pub out_spared: usize,
    /// `matvec`, which takes the last row of the pass; else `matmul`.
    pub is_one_row: bool,
    /// Whether x is normed first (`matvec` only).
    pub has_norm: bool,
    /// Whether there is a bias.
    pub has_bias: bool,
    /// Whether the result is added.
    pub adds: bool,
    /// Whether y holds a gate.
    pub times_silu: bool,
    /// Whether W is a gate above an up part.
    pub is_gated: bool,
    /// Whether rows of y are counted from the pass's first.
    pub is_compact: bool,
    /// The rows.
    pub pass: Pass,
}

impl LinearCase {
    /// `y = W x`
    pub const fn plain(weights: WeightType, width: usize, out_width: usize, pass: Pass) -> Self {
        Self {
            weights,
            width,
            out_width,
            out_first: 0,
            out_spared: 0,
            is_one_row: false,
            has_norm: false,
            has_bias: false,
            adds: false,
            times_silu: false,
            is_gated: false,
            is_compact: false,
            pass,
        }
    }

    pub(super) fn kernel(&self) -> &'static str {
        if self.is_one_row { "matvec" } else { "matmul" }
    }

    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let pass = self.pass;
        let matrices = if self.is_gated { 2 } else { 1 };
        let weights = values.within(
            2.0 / (self.width as f32).sqrt(),
            matrices * self.out_width * self.width,
        );
        let (weight, weights) = gpu.weight(self.weights, &weights, self.width)?;
        let norm = values.within(1.0, self.width);
        let norm_weight = gpu.vector(&norm)?;
        let bias = values.within(1.0, self.out_width);
        let bias_weight = gpu.vector(&bias)?;
        let x = values.within(1.0, pass.buffer_rows() * self.width);
        let x_buffer = gpu.filled("x", &x)?;
        let out_stride = self.out_width + self.out_first as usize + self.out_spared;
        let mut y = values.within(1.0, pass.buffer_rows() * out_stride);
        let y_buffer = gpu.filled("y", &y)?;

        let packed = match !self.is_one_row && gpu.layout().packs_rows(self.weights) {
            true => Some(PackedRows::allocate(
                gpu,
                pass.buffer_rows() as u64,
                self.width,
            )?),
            false => None,
        };
        let x = if packed.is_some() { as_packed(&x) } else { x };
        let linear = Linear {
            x: &x_buffer,
            packed: packed.as_ref(),
            norm: self.has_norm.then_some((&norm_weight, EPS)),
            weight: &weight,
            bias: self.has_bias.then_some(&bias_weight),
            out: &y_buffer,
            out_first: self.out_first,
            out_stride,
            add: self.adds,
            times_silu: self.times_silu,
            gated: self.is_gated,
            compact: self.is_compact,
        };
        let run_buffer = gpu.run_buffer(pass.run())?;
        let dispatches = if self.is_one_row {
            gpu.matvec(&run_buffer, &linear)?
        } else {
            gpu.matmul(&run_buffer, &linear)?
        };
        let found: Vec<f32> = gpu
            .written(&dispatches, pass.rows, &y_buffer, y.len())
            .await?;

        let twin = reference::Linear {
            width: self.width,
            out_width: self.out_width,
            out_first: self.out_first as usize,
            out_stride,
            add: self.adds,
            times_silu: self.times_silu,
            gated: self.is_gated,
        };
        let norm = self.has_norm.then_some((norm.as_slice(), EPS));
        let bias = self.has_bias.then_some(bias.as_slice());
        let first_row = match (self.is_compact, self.is_one_row) {
            (true, _) => 0,
            (false, true) => pass.buffer_rows() - 1,
            (false, false) => pass.first_row as usize,
        };
        let rows = &mut y[first_row * out_stride..];
        match (pass.is_done, self.is_one_row) {
            (true, _) => {}
            (false, true) => {
                reference::matvec(&pass.run(), &twin, &weights, norm, bias, &x, rows);
            }
            (false, false) => reference::matmul(&pass.run(), &twin, &weights, bias, &x, rows),
        }
        Ok(Comparison::new(&found, &y, TOLERANCE))
    }
}
