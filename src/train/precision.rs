//! What numbers a step is computed in. What is trained, gradients that are added, and moments are f32 whatever this is.

use burn::Tensor;
use burn::tensor::{Device, FloatDType};
use serde::{Deserialize, Serialize};

use super::error::TrainError;

/// The type of weights and activations in the passes of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    F32,
    /// The range of f32 with eight bits of fraction.
    Bf16,
    /// Eleven bits of fraction, and so little range that losses are multiplied before gradients are taken.
    F16,
}

impl Precision {
    fn dtype(self) -> FloatDType {
        match self {
            Precision::F32 => FloatDType::F32,
            Precision::Bf16 => FloatDType::BF16,
            Precision::F16 => FloatDType::F16,
        }
    }

    /// A tensor in this type; itself where it has it already.
    pub fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        x.cast(self.dtype())
    }

    /// What a loss is multiplied with before gradients are taken, at most: the least number of f16 is 6e-8, and gradients
    /// of the f32 parameters are divided by it again.
    pub fn loss_scale(self) -> f32 {
        match self {
            Precision::F32 | Precision::Bf16 => 1.0,
            Precision::F16 => 1024.0,
        }
    }

    /// An error where a device cannot compute in it.
    pub fn check(self, device: &Device) -> Result<(), TrainError> {
        match device.supports_dtype(self.dtype()) {
            true => Ok(()),
            false => Err(TrainError::Setting {
                field: "precision",
                message: format!("this device does not compute in {:?}", self.dtype()),
            }),
        }
    }
}
