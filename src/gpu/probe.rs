//! Ordinary work of ordinary sizes, for measuring: a product, and the attention of a token.

use super::dispatch::{Cache, Heads, Rows};
use super::linear::{Linear, PackedRows};
use super::stopwatch::Work;
use super::variants::Axis;
use super::weight::{GROUP_ROWS, Weight};
use super::{Gpu, GpuError};
use crate::model::{KvType, RopePairing, RunState};
use crate::weights::WeightType;

/// What a variant is measured for: long enough for a browser's clock, which counts in tenths of a
/// millisecond, and short enough to be done before every load.
const PROBE_MS: f64 = 4.0;

/// A matrix of a small model's feed-forward part, and rows of a short question.
const PROBE_WIDTH: usize = 1024;
const PROBE_ROWS: u32 = 64;

/// Positions, heads and their width of the attention that is measured.
const PROBE_POSITIONS: u32 = 512;
const PROBE_HEADS: usize = 8;
const PROBE_HEAD_DIM: usize = 64;

/// A matrix and rows that it is multiplied by, with buffers for the result.
pub(super) struct Product {
    pub(super) weight: Weight,
    run: wgpu::Buffer,
    x: wgpu::Buffer,
    packed: Option<PackedRows>,
    pub(super) y: wgpu::Buffer,
}

impl Product {
    /// Of `x_rows` rows and a matrix `[rows, width]`; `rows` is a multiple of 64.
    pub(super) fn new(
        gpu: &Gpu,
        weight_type: WeightType,
        [rows, width]: [usize; 2],
        x_rows: u32,
    ) -> Result<Self, GpuError> {
        let weight = Weight::allocate(gpu, "a matrix to measure", weight_type, rows, width)?;
        // The values do not matter, but that they are ordinary ones.
        let values: Vec<f32> = (0..width).map(|it| (it % 17) as f32 / 17.0 - 0.5).collect();
        let raw = weight_type.quantize(&values, width).repeat(GROUP_ROWS);
        for first_row in (0..rows).step_by(GROUP_ROWS) {
            weight.write_rows(gpu, first_row, &raw);
        }
        let x = gpu.storage("x", u64::from(x_rows) * (width * 4) as u64)?;
        let all: Vec<f32> = values.repeat(x_rows as usize);
        gpu.queue.write_buffer(&x, 0, bytemuck::cast_slice(&all));
        let packed = match gpu.layout().packs_rows(weight_type) {
            true => Some(PackedRows::allocate(gpu, x_rows.into(), width)?),
            false => None,
        };
        Ok(Self {
            weight,
            run: run_of(gpu, 0, x_rows)?,
            x,
            packed,
            y: gpu.storage("y", u64::from(x_rows) * (rows * 4) as u64)?,
        })
    }

    pub(super) fn linear(&self) -> Linear<'_> {
        Linear {
            x: &self.x,
            packed: self.packed.as_ref(),
            norm: None,
            weight: &self.weight,
            bias: None,
            out: &self.y,
            out_first: 0,
            out_stride: self.weight.rows,
            add: false,
            times_silu: false,
            gated: false,
            compact: false,
        }
    }

    /// The product of the last row.
    pub(super) fn matvec(&self, gpu: &Gpu) -> Result<Vec<super::dispatch::Dispatch>, GpuError> {
        gpu.matvec(&self.run, &self.linear())
    }

    /// The product of all rows.
    fn matmul(&self, gpu: &Gpu) -> Result<Vec<super::dispatch::Dispatch>, GpuError> {
        gpu.matmul(&self.run, &self.linear())
    }
}

impl Gpu {
    /// Milliseconds of work that an axis of the layout decides about.
    pub(super) async fn probe_ms(&self, axis: Axis) -> Result<f64, GpuError> {
        let scopes = self.error_scopes();
        let measured = match axis {
            Axis::Reduce => self.matvec_probe().await,
            Axis::Halves => self.attend_probe().await,
            Axis::Products => self.matmul_probe().await,
        };
        scopes.finish("a probe", 0).await?;
        measured
    }

    async fn matvec_probe(&self) -> Result<f64, GpuError> {
        let size = [2 * PROBE_WIDTH; 2];
        let product = Product::new(self, WeightType::Q8_0, size, 1)?;
        let work = product.matvec(self)?;
        let work = Work::Dispatches(&work, 1);
        self.milliseconds(&work, &product.y, PROBE_MS).await
    }

    async fn matmul_probe(&self) -> Result<f64, GpuError> {
        let product = Product::new(self, WeightType::Q8_0, [PROBE_WIDTH; 2], PROBE_ROWS)?;
        let work = product.matmul(self)?;
        let work = Work::Dispatches(&work, PROBE_ROWS);
        self.milliseconds(&work, &product.y, PROBE_MS).await
    }

    async fn attend_probe(&self) -> Result<f64, GpuError> {
        let heads = Heads {
            heads: PROBE_HEADS,
            kv_heads: PROBE_HEADS,
            head_dim: PROBE_HEAD_DIM,
            pairing: RopePairing::Neighbours,
            is_causal: true,
            window: None,
        };
        let width = PROBE_HEADS * PROBE_HEAD_DIM;
        let cache_bytes = u64::from(PROBE_POSITIONS) * (width * 2) as u64;
        // Of zeros, so that every position has its share.
        let cache = Cache {
            keys: self.storage("keys", cache_bytes)?,
            values: self.storage("values", cache_bytes)?,
            kv: KvType::F16,
        };
        let qkv = self.storage("qkv", (3 * width * 4) as u64)?;
        let out = self.storage("out", (width * 4) as u64)?;
        let run = run_of(self, PROBE_POSITIONS - 1, 1)?;
        let work = [self.attend(&run, heads, Rows::One, &qkv, &cache, &out)?];
        self.milliseconds(&Work::Dispatches(&work, 1), &out, PROBE_MS)
            .await
    }
}

fn run_of(gpu: &Gpu, position: u32, rows: u32) -> Result<wgpu::Buffer, GpuError> {
    let state = RunState {
        position,
        rows,
        ..RunState::default()
    };
    let run = gpu.storage("run", size_of_val(&state.words()) as u64)?;
    gpu.queue
        .write_buffer(&run, 0, bytemuck::cast_slice(&state.words()));
    Ok(run)
}
