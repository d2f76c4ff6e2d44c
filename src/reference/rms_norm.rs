//! Twin of `shaders/rms_norm.wgsl`.

use super::dot::dot;
use crate::model::RunState;

/// `out = weight * x / sqrt(mean(x^2) + eps)`, row by row.
///
/// `weight` `[width]`, `x` and `out` `[rows, width]`.
pub fn rms_norm(run: &RunState, weight: &[f32], x: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
    for (x, out) in rows.take(run.rows as usize) {
        let scale = scale(x, eps);
        for ((out, &x), &weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (f64::from(weight) * f64::from(x) * scale) as f32;
        }
    }
}

/// `1 / sqrt(mean(x^2) + eps)`
pub(super) fn scale(x: &[f32], eps: f32) -> f64 {
    let mean_square = dot(x, x) / x.len() as f64;
    1.0 / (mean_square + f64::from(eps)).sqrt()
}
