//! How fast a device reads weights, as data: a product of a matrix with a vector, beside a plain copy of
//! as many bytes, and the least time that leaves a token. `gpu` and `cpu` measure it.

use serde::Serialize;

use crate::weights::WeightType;

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

impl Throughput {
    /// From the times of one product with a matrix `[rows, cols]`, and of one copy of its bytes.
    pub fn new(
        weight_type: WeightType,
        [rows, cols]: [usize; 2],
        bytes: u64,
        matvec_ms: f64,
        copy_ms: f64,
    ) -> Self {
        let gb_per_s = |ms: f64| bytes as f64 / BYTES_A_GIGABYTE / (ms / 1000.0);
        Self {
            weight_type: weight_type.name(),
            rows,
            cols,
            bytes,
            matvec_ms,
            matvec_gb_per_s: gb_per_s(matvec_ms),
            copy_gb_per_s: gb_per_s(copy_ms),
            ratio: copy_ms / matvec_ms,
        }
    }

    /// The fastest that bytes were moved: read by the product, or read and written by the copy.
    fn most_gb_per_s(&self) -> f64 {
        self.matvec_gb_per_s.max(2.0 * self.copy_gb_per_s)
    }
}

/// What a device's memory leaves of a token's time: a pass reads every weight once, however fast it
/// computes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bandwidth {
    /// Bytes of weights that a pass of one token reads.
    pub pass_bytes: u64,
    /// The fastest that bytes were moved.
    pub gb_per_s: f64,
    /// The least time of a token: the first over the second.
    pub floor_ms_per_token: f64,
}

impl Bandwidth {
    /// Of a model that reads so many bytes a pass; nothing where nothing was measured.
    pub fn of(pass_bytes: u64, measured: &[Throughput]) -> Option<Self> {
        let rates = measured.iter().map(Throughput::most_gb_per_s);
        let gb_per_s = rates.reduce(f64::max)?;
        Some(Self {
            pass_bytes,
            gb_per_s,
            floor_ms_per_token: pass_bytes as f64 / BYTES_A_GIGABYTE / gb_per_s * 1000.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_a_pass_at_the_fastest_rate_and_a_copy_moves_every_byte_twice() {
        // 3 MB: products in 1 ms are 3 GB/s, copies in 1.5 ms move 4 GB/s.
        let slow = Throughput::new(WeightType::F32, [4, 8], 1_000_000, 1.0, 1.0);
        let fast = Throughput::new(WeightType::Q8_0, [4, 32], 3_000_000, 1.0, 1.5);
        assert_eq!(fast.ratio, 1.5);
        assert!((fast.matvec_gb_per_s - 3.0).abs() < 1e-9);
        let bandwidth = Bandwidth::of(8_000_000, &[slow, fast]).unwrap();
        assert!((bandwidth.gb_per_s - 4.0).abs() < 1e-9);
        assert!((bandwidth.floor_ms_per_token - 2.0).abs() < 1e-9);
        assert_eq!(Bandwidth::of(8_000_000, &[]), None);
    }
}
