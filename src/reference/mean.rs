//! Twin of `shaders/mean.wgsl`.

use crate::model::RunState;

/// `out[last] = mean over the rows of x`; the other rows of `out` stay as they are.
///
/// `x` and `out` `[rows, width]`.
pub fn mean(run: &RunState, width: usize, x: &[f32], out: &mut [f32]) {
    let rows = run.rows as usize;
    let last = (rows - 1) * width;
    for (column, out) in out[last..last + width].iter_mut().enumerate() {
        let values = x[column..].iter().step_by(width).take(rows);
        let sum: f64 = values.map(|&it| f64::from(it)).sum();
        *out = (sum / rows as f64) as f32;
    }
}
