//! How fast a matrix of a weight type is multiplied by a vector here, beside a plain copy of as many
//! bytes: what `gpu::throughput` is on a graphics device. Both are measured where a matrix of this size
//! lies while it is used again and again: a small model in the processor's caches, a large one in memory.

use std::hint::black_box;

use super::lanes::LANES;
use super::matrix::Matrix;
use super::pause::{Pause, Pauses};
use super::product::{Scratch, product};
use crate::clock::now_ms;
use crate::model::{RequestError, Throughput};
use crate::weights::WeightType;

/// Width of the matrices: a whole number of every type's blocks.
const WIDTH: usize = 4096;

/// Twenty steps of the coarsest clock that browsers have, which counts in milliseconds, and less than a
/// run computes between two pauses.
const MEASURED_MS: f64 = 20.0;

/// The best of so many measurements counts: others wait for what else the machine does.
const MEASUREMENTS: u32 = 3;

/// Measures a weight type with a matrix of about `bytes` bytes.
pub(super) async fn measure<P: Pause>(
    weight_type: WeightType,
    bytes: u64,
    pauses: &mut Pauses<P>,
) -> Result<Throughput, RequestError> {
    let group_bytes = Matrix::bytes_of(weight_type, LANES, WIDTH);
    let rows = (bytes / group_bytes).max(1) as usize * LANES;
    // The values do not matter, but that they are ordinary ones.
    let x: Vec<f32> = (0..WIDTH).map(|it| (it % 17) as f32 / 17.0 - 0.5).collect();
    let raw = weight_type.quantize(&x, WIDTH);
    let mut matrix = Matrix::new(weight_type, rows, WIDTH);
    for row in 0..rows {
        matrix.set_rows(row, &raw);
        wait(pauses, WIDTH as u64).await?;
    }
    let bytes = matrix.size_bytes();
    let multiplications = rows as u64 * WIDTH as u64;
    let mut scratch = Scratch::default();
    let mut out = vec![0.0; rows];
    let multiply = || product(black_box(&matrix), &x, black_box(&mut out), &mut scratch);
    let matvec_ms = milliseconds(multiply, multiplications, pauses).await?;

    let from = vec![1u8; bytes as usize];
    let mut to = vec![0u8; bytes as usize];
    let copy = || black_box(&mut to[..]).copy_from_slice(black_box(&from));
    let copy_ms = milliseconds(copy, multiplications, pauses).await?;
    let shape = [rows, WIDTH];
    Ok(Throughput::new(
        weight_type,
        shape,
        bytes,
        matvec_ms,
        copy_ms,
    ))
}

/// Milliseconds of one repeat, from as many as fill [`MEASURED_MS`].
async fn milliseconds<P: Pause>(
    mut work: impl FnMut(),
    multiplications: u64,
    pauses: &mut Pauses<P>,
) -> Result<f64, RequestError> {
    let mut repeats: u32 = 1;
    let mut measured = 0;
    let mut best = f64::INFINITY;
    while measured < MEASUREMENTS {
        let begin = now_ms();
        (0..repeats).for_each(|_| work());
        let all = now_ms() - begin;
        if all < MEASURED_MS {
            // Too few to be seen by the clock, and the first use of everything.
            repeats *= 2;
        } else {
            best = best.min(all / f64::from(repeats));
            measured += 1;
        }
        wait(pauses, multiplications * u64::from(repeats)).await?;
    }
    Ok(best)
}

async fn wait<P: Pause>(pauses: &mut Pauses<P>, multiplications: u64) -> Result<(), RequestError> {
    let flow = pauses.after(multiplications).await;
    flow.is_continue()
        .then_some(())
        .ok_or(RequestError::Stopped)
}
