//! How fast a matrix of each weight type is multiplied by a vector here, beside a plain copy of as
//! many bytes: what decoding is bound by, and how near the kernels come to it.

use serde::Serialize;

use super::dispatch::encode;
use super::linear::Linear;
use super::weight::{GROUP_ROWS, Weight};
use super::{Gpu, GpuError, ReadBack};
use crate::clock::now_ms;
use crate::model::RunState;
use crate::weights::WeightType;

/// Bytes of each matrix where the caller does not say: more than most caches hold, and less than any
/// adapter's binding.
pub const MATRIX_BYTES: u64 = 64 << 20;

/// Width of the matrices: a whole number of every type's blocks.
const WIDTH: usize = 4096;

/// A measurement is of so many repeats in one submit as take this long, one subtracted: what a submit
/// and a read-back cost cancels out.
const MEASURED_MS: f64 = 200.0;
const MOST_REPEATS: u32 = 1000;

/// The best of so many measurements counts: others wait for what else the machine does.
const MEASUREMENTS: u32 = 3;

const BYTES_A_GIGABYTE: f64 = 1e9;

/// A weight type's speed. Gigabytes are 10^9 bytes; a copy's bytes count once, though each is read
/// and written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Throughput {
    /// The weight type, as GGUF names it.
    pub weight_type: &'static str,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub cols: usize,
    /// Bytes of the matrix on the device.
    pub bytes: u64,
    /// One product.
    pub matvec_ms: f64,
    /// Bytes of the matrix read a second.
    pub matvec_gb_per_s: f64,
    /// As many bytes copied from buffer to buffer a second.
    pub copy_gb_per_s: f64,
    /// The first over the second.
    pub ratio: f64,
}

/// Work that can be encoded many times.
enum Work<'a> {
    Dispatches(&'a [super::dispatch::Dispatch]),
    Copy(&'a wgpu::Buffer, &'a wgpu::Buffer),
}

impl Gpu {
    /// Measures a weight type with a matrix of about `bytes` bytes.
    pub async fn matvec_throughput(
        &self,
        weight_type: WeightType,
        bytes: u64,
        read_back: ReadBack,
    ) -> Result<Throughput, GpuError> {
        let scopes = self.error_scopes();
        let measured = self.measure(weight_type, bytes, read_back).await;
        scopes.finish("a matrix to measure", bytes).await?;
        measured
    }

    async fn measure(
        &self,
        weight_type: WeightType,
        bytes: u64,
        read_back: ReadBack,
    ) -> Result<Throughput, GpuError> {
        let group_bytes = (weight_type.row_bytes(WIDTH) * GROUP_ROWS) as u64;
        let rows = (bytes / group_bytes).max(1) as usize * GROUP_ROWS;
        let weight = Weight::allocate(self, "a matrix to measure", weight_type, rows, WIDTH)?;
        // The values do not matter, but that they are ordinary ones.
        let values: Vec<f32> = (0..WIDTH).map(|it| (it % 17) as f32 / 17.0 - 0.5).collect();
        let raw = weight_type.quantize(&values, WIDTH).repeat(GROUP_ROWS);
        for first_row in (0..rows).step_by(GROUP_ROWS) {
            weight.write_rows(self, first_row, &raw);
        }
        let run = self.storage("run", size_of_val(&RunState::default().words()) as u64)?;
        let state = RunState {
            rows: 1,
            ..RunState::default()
        };
        self.queue
            .write_buffer(&run, 0, bytemuck::cast_slice(&state.words()));
        let x = self.storage("x", (WIDTH * 4) as u64)?;
        self.queue
            .write_buffer(&x, 0, bytemuck::cast_slice(&values));
        let y = self.storage("y", (rows * 4) as u64)?;
        let dispatches = self.matvec(
            &run,
            &Linear {
                x: &x,
                norm: None,
                weight: &weight,
                bias: None,
                out: &y,
                out_first: 0,
                out_stride: rows,
                add: false,
                times_silu: false,
                gated: false,
                compact: false,
            },
        )?;
        let bytes = weight.size_bytes();
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let from = self.buffer("copied from", bytes, usage)?;
        let to = self.buffer("copied to", bytes, usage)?;

        let product = Work::Dispatches(&dispatches);
        let matvec_ms = self.time(&product, &y, read_back).await?;
        let copy_ms = self.time(&Work::Copy(&from, &to), &to, read_back).await?;
        let gb_per_s = |ms: f64| bytes as f64 / BYTES_A_GIGABYTE / (ms / 1000.0);
        Ok(Throughput {
            weight_type: weight_type.name(),
            rows,
            cols: WIDTH,
            bytes,
            matvec_ms,
            matvec_gb_per_s: gb_per_s(matvec_ms),
            copy_gb_per_s: gb_per_s(copy_ms),
            ratio: copy_ms / matvec_ms,
        })
    }

    /// Milliseconds of one repeat; `written` is a buffer that the work writes.
    async fn time(
        &self,
        work: &Work<'_>,
        written: &wgpu::Buffer,
        read_back: ReadBack,
    ) -> Result<f64, GpuError> {
        // Drivers compile and allocate at the first use.
        self.repeat(work, 1, written, read_back).await?;
        let once = self.repeat(work, 1, written, read_back).await?;
        let wanted = (MEASURED_MS / once.max(0.01)).ceil() as u32;
        let repeats = wanted.clamp(2, MOST_REPEATS);
        let mut best = f64::INFINITY;
        for _ in 0..MEASUREMENTS {
            let once = self.repeat(work, 1, written, read_back).await?;
            let all = self.repeat(work, repeats, written, read_back).await?;
            let one = (all - once) / f64::from(repeats - 1);
            // Where the clock is too coarse to see more than the submit, that is all one can say.
            best = best.min(if one > 0.0 { one } else { all });
        }
        Ok(best)
    }

    /// Milliseconds of so many repeats in one submit, with the read-back that waits for them.
    async fn repeat(
        &self,
        work: &Work<'_>,
        repeats: u32,
        written: &wgpu::Buffer,
        read_back: ReadBack,
    ) -> Result<f64, GpuError> {
        const READ_BYTES: u64 = 16;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("read-back", READ_BYTES, usage)?;
        let begin = now_ms();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        match work {
            Work::Dispatches(dispatches) => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for _ in 0..repeats {
                    encode(self, &mut pass, dispatches, 1);
                }
            }
            Work::Copy(from, to) => {
                for _ in 0..repeats {
                    encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size());
                }
            }
        }
        encoder.copy_buffer_to_buffer(written, 0, &staging, 0, READ_BYTES);
        self.queue.submit([encoder.finish()]);
        self.read_mapped(&staging, READ_BYTES, read_back, |_| ())
            .await?;
        Ok(now_ms() - begin)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::gpu::GpuOptions;

    #[test]
    fn every_weight_type_has_a_throughput_beside_a_copy_of_its_bytes() {
        let gpu = pollster::block_on(Gpu::new(GpuOptions::default())).unwrap();
        for &weight_type in WeightType::ALL {
            // The smallest matrix.
            let measured = gpu.matvec_throughput(weight_type, 1, ReadBack::Await);
            let measured = pollster::block_on(measured).unwrap();
            assert_eq!(measured.weight_type, weight_type.name());
            assert_eq!((measured.rows, measured.cols), (GROUP_ROWS, WIDTH));
            let raw = weight_type.row_bytes(WIDTH) * GROUP_ROWS;
            assert!(measured.bytes >= raw as u64, "{measured:?}");
            assert!(measured.matvec_ms > 0.0, "{measured:?}");
            let ratio = measured.matvec_gb_per_s / measured.copy_gb_per_s;
            assert!((measured.ratio / ratio - 1.0).abs() < 1e-9, "{measured:?}");
        }
    }
}
