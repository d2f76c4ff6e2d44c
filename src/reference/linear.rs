//! What `matvec` and `matmul` share: their constants, and what happens to one output row.

use super::dot::dot;

/// Constants of a linear step, the `override`s of both kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Linear {
    /// Width of x.
    pub width: usize,
    /// Columns written.
    pub out_width: usize,
    /// First column written.
    pub out_first: usize,
    /// Width of a row of y.
    pub out_stride: usize,
    /// Whether the result is added to what y holds.
    pub add: bool,
    /// Whether y holds a gate, and the result is `silu(y) * W x`.
    pub times_silu: bool,
    /// Whether W holds W_gate above W_up and the result is `silu(W_gate x) * (W_up x)`.
    pub gated: bool,
}

impl Linear {
    /// One row of y, `[out_stride]`, from one row of x, `[width]`.
    pub(super) fn row(&self, weight: &[f32], bias: Option<&[f32]>, x: &[f32], y: &mut [f32]) {
        let product = |row: usize| dot(&weight[row * self.width..][..self.width], x);
        for column in 0..self.out_width {
            let mut value = product(column);
            if self.gated {
                value = silu(value) * product(self.out_width + column);
            }
            if let Some(bias) = bias {
                value += f64::from(bias[column]);
            }
            let out = &mut y[self.out_first + column];
            if self.add {
                value += f64::from(*out);
            }
            if self.times_silu {
                value *= silu(f64::from(*out));
            }
            *out = value as f32;
        }
    }
}

/// `x / (1 + e^-x)`
fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}
