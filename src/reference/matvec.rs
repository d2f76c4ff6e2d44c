//! Twin of `shaders/matvec.wgsl`.

use super::linear::Linear;
use super::rms_norm::scale;
use crate::model::RunState;

/// `y (=|+=) W norm(x) + bias`, for the last row of the pass; `norm` is its weight and epsilon, and
/// absent means x as it is. With `gated`, `y = silu(W_gate norm(x)) * (W_up norm(x))`.
///
/// `weight` `[out_width, width]` (gated: `[2 * out_width, width]`), `x` `[rows, width]`, `y`
/// `[1, any]`.
pub fn matvec(
    run: &RunState,
    linear: &Linear,
    weight: &[f32],
    norm: Option<(&[f32], f32)>,
    bias: Option<&[f32]>,
    x: &[f32],
    y: &mut [f32],
) {
    let row = (run.first_row + run.rows - 1) as usize;
    let x = &x[row * linear.width..][..linear.width];
    match norm {
        None => linear.row(weight, bias, x, y),
        Some((norm_weight, eps)) => {
            let scale = scale(x, eps);
            let scaled = x.iter().zip(norm_weight);
            let normed: Vec<f32> = scaled
                .map(|(&x, &weight)| (f64::from(weight) * f64::from(x) * scale) as f32)
                .collect();
            linear.row(weight, bias, &normed, y);
        }
    }
}
