//! Starting values of weights, drawn from a seed in a fixed order.

use burn::Tensor;
use burn::tensor::{Device, TensorData};

use crate::problems::Random;

/// Normal deviates (Box and Muller) from the project's own random numbers.
#[derive(Clone, Debug)]
pub struct Normal {
    random: Random,
}

impl Normal {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
        }
    }

    /// In (0, 1], so that its logarithm is finite.
    fn fraction(&mut self) -> f64 {
        ((self.random.bits() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }

    fn unit(&mut self) -> f64 {
        let (a, b) = (self.fraction(), self.fraction());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// N(0, 1/variance_inverse) of any shape.
    pub fn scaled(
        &mut self,
        shape: [usize; 2],
        variance_inverse: usize,
        device: &Device,
    ) -> Tensor<2> {
        let deviation = 1.0 / (variance_inverse as f64).sqrt();
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| (self.unit() * deviation) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// A matrix of `inputs` rows, N(0, 1/inputs).
    pub fn matrix(&mut self, inputs: usize, outputs: usize, device: &Device) -> Tensor<2> {
        self.scaled([inputs, outputs], inputs, device)
    }

    /// Uniform in ±bound.
    pub fn uniform(&mut self, shape: [usize; 2], bound: f32, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| (2.0 * self.fraction() as f32 - 1.0) * bound)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}
