//! Cases of the kernels that take rows as they are: `embed`, `rms_norm` and `mean`.

use super::super::activations::GIVEN_FIRST;
use super::super::{Gpu, GpuError};
use super::bench::Values;
use super::{Comparison, Pass};
use crate::model::step::EMBEDDING_GIVEN;
use crate::reference;
use crate::weights::WeightType;

/// One product of a scale and a quant, for some types with a minimum subtracted: a device may fuse
/// the two, which is half a unit in the last place.
const EMBED_TOLERANCE: f32 = 1e-6;

/// A sum of squares in f32 against f64: 5e-7 was the most on lavapipe and SwiftShader; GPUs may take
/// 1/sqrt two units less exactly.
const RMS_NORM_TOLERANCE: f32 = 5e-6;

/// A sum of up to 33 values in f32 against f64: at most as many half units in the last place.
const MEAN_TOLERANCE: f32 = 2e-6;

const EPS: f32 = 1e-5;

/// Every so many rows one is given instead of looked up.
const GIVEN_EVERY: usize = 3;

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmbedCase {
    /// Type of the table.
    pub weights: WeightType,
    /// Rows of the table.
    pub vocab_size: usize,
    /// Width of a row.
    pub width: usize,
    /// The rows.
    pub pass: Pass,
}

impl EmbedCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let (width, pass) = (self.width, self.pass);
        let table = values.within(1.0, self.vocab_size * width);
        let (weight, table) = gpu.weight(self.weights, &table, width)?;
        let given = values.within(1.0, pass.context().div_ceil(GIVEN_EVERY) * width);
        // The table's last row is among them, and twins count given rows in their order.
        let mut tokens: Vec<u32> = (0..pass.context())
            .map(|_| values.below(self.vocab_size) as u32)
            .collect();
        tokens[pass.context() - 1] = self.vocab_size as u32 - 1;
        let mut twin_tokens = tokens.clone();
        let first = (pass.position + pass.first_row) as usize;
        for (index, at) in (first + 1..pass.context()).step_by(GIVEN_EVERY).enumerate() {
            tokens[at] = GIVEN_FIRST + index as u32;
            twin_tokens[at] = EMBEDDING_GIVEN;
        }
        let mut out = values.within(1.0, pass.buffer_rows() * width);
        let out_buffer = gpu.filled("out", &out)?;
        let dispatches = gpu.embed(
            &gpu.run_buffer(pass.run())?,
            &weight,
            &gpu.filled("tokens", &tokens)?,
            &gpu.filled("given", &given)?,
            &out_buffer,
        )?;
        let found: Vec<f32> = gpu
            .written(&dispatches, pass.rows, &out_buffer, out.len())
            .await?;
        if !pass.is_done {
            let rows = &mut out[pass.first_row as usize * width..];
            let run = pass.run_from_row_0();
            reference::embed(&run, &table, &twin_tokens, &given, width, rows);
        }
        Ok(Comparison::new(&found, &out, EMBED_TOLERANCE))
    }
}

/// The norm of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RmsNormCase {
    /// Width of a row.
    pub width: usize,
    /// The rows.
    pub pass: Pass,
}

impl RmsNormCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let (width, pass) = (self.width, self.pass);
        let weight = values.within(1.0, width);
        let x = values.within(1.0, pass.buffer_rows() * width);
        let mut out = values.within(1.0, pass.buffer_rows() * width);
        let out_buffer = gpu.filled("out", &out)?;
        let dispatch = gpu.rms_norm(
            &gpu.run_buffer(pass.run())?,
            (&gpu.vector(&weight)?, EPS),
            &gpu.filled("x", &x)?,
            &out_buffer,
        )?;
        let found: Vec<f32> = gpu
            .written(&[dispatch], pass.rows, &out_buffer, out.len())
            .await?;
        if !pass.is_done {
            let first = pass.first_row as usize * width;
            let run = pass.run_from_row_0();
            reference::rms_norm(&run, &weight, &x[first..], EPS, &mut out[first..]);
        }
        Ok(Comparison::new(&found, &out, RMS_NORM_TOLERANCE))
    }
}

/// The mean of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanCase {
    /// Width of a row.
    pub width: usize,
    /// The rows.
    pub pass: Pass,
}

impl MeanCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let (width, pass) = (self.width, self.pass);
        let x = values.within(1.0, pass.buffer_rows() * width);
        let mut out = values.within(1.0, pass.buffer_rows() * width);
        let out_buffer = gpu.filled("out", &out)?;
        let run = gpu.run_buffer(pass.run())?;
        let dispatch = gpu.mean(&run, width, &gpu.filled("x", &x)?, &out_buffer)?;
        let found: Vec<f32> = gpu
            .written(&[dispatch], pass.rows, &out_buffer, out.len())
            .await?;
        if !pass.is_done {
            let first = pass.first_row as usize * width;
            reference::mean(
                &pass.run_from_row_0(),
                width,
                &x[first..],
                &mut out[first..],
            );
        }
        Ok(Comparison::new(&found, &out, MEAN_TOLERANCE))
    }
}
