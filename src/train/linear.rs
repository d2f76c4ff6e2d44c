//! A linear layer with a bias.

use burn::Tensor;
use burn::tensor::Device;

use super::initialization::Normal;
use super::llama::Named;

/// x W + b.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Tensor<2>,
    /// `[1, outputs]`.
    pub bias: Tensor<2>,
}

impl Linear {
    /// Uniform in ±1/sqrt(inputs), both parts, as the published code's layers begin.
    pub fn uniform([inputs, outputs]: [usize; 2], normal: &mut Normal, device: &Device) -> Self {
        let bound = 1.0 / (inputs as f32).sqrt();
        Self {
            weight: normal.uniform([inputs, outputs], bound, device),
            bias: normal.uniform([1, outputs], bound, device),
        }
    }

    /// Of rows `[rows, inputs]`: `[rows, outputs]`.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone()).add(self.bias.clone())
    }

    /// Its parameters, as `NAME.weight` and `NAME.bias`.
    pub fn parameters(&mut self, name: &str) -> [Named<'_>; 2] {
        [
            (format!("{name}.weight"), &mut self.weight),
            (format!("{name}.bias"), &mut self.bias),
        ]
    }
}
