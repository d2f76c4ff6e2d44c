//! What every case needs: seeded values, buffers that hold them, one dispatch, and what it wrote.

use super::super::dispatch::{Dispatch, encode};
use super::super::weight::Weight;
use super::super::{Gpu, GpuError};
use crate::model::RunState;
use crate::weights::WeightType;

/// Values that look random and are the same on every device (splitmix64).
pub(super) struct Values {
    state: u64,
}

/// Of all cases; they differ by their sizes.
const SEED: u64 = 20_261_123;

impl Values {
    pub(super) fn new() -> Self {
        Self { state: SEED }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `count` values between `-most` and `most`.
    pub(super) fn within(&mut self, most: f32, count: usize) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count).map(|_| most * unit(self.bits())).collect()
    }

    /// A whole number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }
}

impl Gpu {
    /// A storage buffer that holds these values.
    pub(super) fn filled<T: bytemuck::NoUninit>(
        &self,
        what: &str,
        values: &[T],
    ) -> Result<wgpu::Buffer, GpuError> {
        let bytes = bytemuck::cast_slice(values);
        let buffer = self.storage(what, bytes.len() as u64)?;
        self.queue.write_buffer(&buffer, 0, bytes);
        Ok(buffer)
    }

    pub(super) fn run_buffer(&self, run: RunState) -> Result<wgpu::Buffer, GpuError> {
        self.filled("run", &run.words())
    }

    /// A weight of this type from values, and the values that it has then.
    pub(super) fn weight(
        &self,
        weight_type: WeightType,
        values: &[f32],
        cols: usize,
    ) -> Result<(Weight, Vec<f32>), GpuError> {
        let raw = weight_type.quantize(values, cols);
        let weight = Weight::allocate(self, "weight", weight_type, values.len() / cols, cols)?;
        weight.write_rows(self, 0, &raw);
        Ok((weight, weight_type.dequantize(&raw)))
    }

    /// A vector: one row of f32.
    pub(super) fn vector(&self, values: &[f32]) -> Result<Weight, GpuError> {
        Ok(self.weight(WeightType::F32, values, values.len())?.0)
    }

    /// Dispatches a kernel, or its pieces, for `rows` rows and reads a buffer of `len` values back.
    pub(super) async fn written<T: bytemuck::Pod>(
        &self,
        dispatches: &[Dispatch],
        rows: u32,
        buffer: &wgpu::Buffer,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        encode(self, &mut pass, dispatches, rows);
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.content(buffer, len).await
    }

    /// The first `len` values of a buffer.
    pub(super) async fn content<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        let bytes = (len * size_of::<T>()) as u64;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("read-back", bytes, usage)?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        self.read_mapped(&staging, bytes, bytemuck::pod_collect_to_vec)
            .await
    }
}
