//! Twin of `shaders/matmul.wgsl`.

use super::linear::Linear;
use crate::model::RunState;

/// `y[row] (=|+=) W x[first_row + row] + bias`, for all rows of the pass. With `gated`,
/// `y = silu(W_gate x) * (W_up x)`.
///
/// `weight` `[out_width, width]` (gated: `[2 * out_width, width]`), `x` `[rows, width]`, `y`
/// `[rows, out_stride]`.
pub fn matmul(
    run: &RunState,
    linear: &Linear,
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    y: &mut [f32],
) {
    let x = &x[run.first_row as usize * linear.width..];
    let rows = x
        .chunks_exact(linear.width)
        .zip(y.chunks_exact_mut(linear.out_stride));
    for (x, y) in rows.take(run.rows as usize) {
        linear.row(weight, bias, x, y);
    }
}
