//! How fast a matrix of each weight type is multiplied by a vector here, beside a plain copy of as
//! many bytes: what decoding is bound by, and how near the kernels come to it.

use super::probe::Product;
use super::stopwatch::Work;
use super::weight::GROUP_ROWS;
use super::{Gpu, GpuError};
use crate::model::Throughput;
use crate::weights::WeightType;

/// Bytes of each matrix where the caller does not say: more than most caches hold, and less than any
/// adapter's binding.
pub const MATRIX_BYTES: u64 = 64 << 20;

/// Width of the matrices: a whole number of every type's blocks.
const WIDTH: usize = 4096;

/// Long enough that a busy machine's hiccups are a small part of it.
const MEASURED_MS: f64 = 200.0;

impl Gpu {
    /// Measures a weight type with a matrix of about `bytes` bytes.
    pub async fn matvec_throughput(
        &self,
        weight_type: WeightType,
        bytes: u64,
    ) -> Result<Throughput, GpuError> {
        let scopes = self.error_scopes();
        let measured = self.measure(weight_type, bytes).await;
        scopes.finish("a matrix to measure", bytes).await?;
        measured
    }

    async fn measure(&self, weight_type: WeightType, bytes: u64) -> Result<Throughput, GpuError> {
        let group_bytes = (weight_type.row_bytes(WIDTH) * GROUP_ROWS) as u64;
        let rows = (bytes / group_bytes).max(1) as usize * GROUP_ROWS;
        let product = Product::new(self, weight_type, [rows, WIDTH], 1)?;
        let dispatches = product.matvec(self)?;
        let bytes = product.weight.size_bytes();
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let from = self.buffer("copied from", bytes, usage)?;
        let to = self.buffer("copied to", bytes, usage)?;

        let work = Work::Dispatches(&dispatches, 1);
        let matvec_ms = self.milliseconds(&work, &product.y, MEASURED_MS).await?;
        let copy_ms = self
            .milliseconds(&Work::Copy(&from, &to), &to, MEASURED_MS)
            .await?;
        let shape = [rows, WIDTH];
        Ok(Throughput::new(
            weight_type,
            shape,
            bytes,
            matvec_ms,
            copy_ms,
        ))
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
            let measured = gpu.matvec_throughput(weight_type, 1);
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
