//! Changes of low rank (LoRA): what is trained in place of a frozen layer's matrices, and the dropout before them.

use std::sync::{Arc, Mutex};

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use super::initialization::Normal;
use super::llama::Decoder;
use crate::problems::Random;

/// Sizes of the changes, as published where a configuration does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraSettings {
    pub rank: usize,
    /// The changes are multiplied by alpha / rank.
    pub alpha: f32,
    /// Part of the inputs that a training step leaves out.
    pub dropout: f64,
}

impl Default for LoraSettings {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            dropout: 0.1,
        }
    }
}

/// Changes of queries and values: W x becomes W x + scale · B A x.
#[derive(Clone, Debug)]
pub struct Lora {
    pub query: LowRank,
    pub value: LowRank,
    /// alpha / rank.
    pub scale: f32,
}

/// A product of two narrow matrices.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// `[inputs, rank]`.
    pub a: Tensor<2>,
    /// `[rank, outputs]`.
    pub b: Tensor<2>,
}

impl LowRank {
    /// A uniform in ±1/sqrt(inputs), B zero: the start changes nothing.
    fn new(
        inputs: usize,
        rank: usize,
        outputs: usize,
        normal: &mut Normal,
        device: &Device,
    ) -> Self {
        Self {
            a: normal.uniform([inputs, rank], 1.0 / (inputs as f32).sqrt(), device),
            b: Tensor::zeros([rank, outputs], device),
        }
    }

    /// scale · B A x of rows `[rows, inputs]`.
    pub(super) fn of(&self, x: Tensor<2>, scale: f32, dropout: Option<&Dropout>) -> Tensor<2> {
        let x = match dropout {
            Some(dropout) => dropout.of(x),
            None => x,
        };
        x.matmul(self.a.clone())
            .matmul(self.b.clone())
            .mul_scalar(scale)
    }
}

/// Numbers left out at random, the others scaled up for them. Clones go on with the same random numbers, so that one
/// thread's passes draw one after the other and a step's draws follow from its seed.
#[derive(Clone, Debug)]
pub struct Dropout {
    rate: f64,
    random: Arc<Mutex<Random>>,
}

impl Dropout {
    /// None at a rate of 0.
    pub fn new(rate: f64, seed: u64) -> Option<Self> {
        let random = Arc::new(Mutex::new(Random::new(seed)));
        (rate > 0.0).then_some(Self { rate, random })
    }

    fn of(&self, x: Tensor<2>) -> Tensor<2> {
        let [rows, width] = x.dims();
        // Sixteen bits decide on a number: a rate is met to 1/65536.
        let left_out = (self.rate * 65536.0) as u64;
        let kept = 1.0 / (1.0 - self.rate) as f32;
        let mut random = self.random.lock().expect("no pass has panicked");
        let mut bits = 0;
        let mask = (0..rows * width).map(|i| {
            bits = if i % 4 == 0 {
                random.bits()
            } else {
                bits >> 16
            };
            if bits & 0xffff < left_out { 0.0 } else { kept }
        });
        let mask = TensorData::new(mask.collect::<Vec<f32>>(), [rows, width]);
        let device = x.device();
        let mask = Tensor::<2>::from_data(mask, &device).cast(x.dtype());
        x.mul(mask)
    }
}

impl Decoder {
    /// Gives every layer changes of low rank that do not change anything yet.
    pub fn add_lora(&mut self, settings: &LoraSettings, normal: &mut Normal, device: &Device) {
        let sizes = self.sizes;
        for layer in &mut self.layers {
            let mut low_rank =
                |outputs| LowRank::new(sizes.hidden_size, settings.rank, outputs, normal, device);
            layer.lora = Some(Lora {
                query: low_rank(sizes.num_heads * sizes.head_dim()),
                value: low_rank(sizes.num_kv_heads * sizes.head_dim()),
                scale: settings.alpha / settings.rank as f32,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_leaves_out_its_part_and_keeps_the_mean() {
        let device = Device::flex().autodiff();
        let mask = |seed| {
            let dropout = Dropout::new(0.1, seed).expect("a rate above 0");
            let x = dropout.of(Tensor::ones([300, 100], &device));
            x.try_into_vec_as::<f32>().expect("read back")
        };
        let found = mask(3);
        let zeros = found.iter().filter(|x| **x == 0.0).count() as f64 / found.len() as f64;
        // Four standard deviations of a share of 30 000 draws.
        assert!(
            (zeros - 0.1).abs() < 4.0 * (0.09f64 / 30000.0).sqrt(),
            "{zeros}"
        );
        assert!(found.iter().all(|x| *x == 0.0 || *x == 1.0 / 0.9));
        assert!(found == mask(3) && found != mask(4));
        assert!(Dropout::new(0.0, 3).is_none());
    }
}
