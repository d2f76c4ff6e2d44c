//! The optimizer: AdamW, or Muon for the matrices of the layers, behind a clip of the global norm.
//!
//! Written here rather than taken from burn: the moments are plain tensors that a checkpoint can store, the clip is
//! over all parameters together, and a parameter without a gradient is neither stepped nor decayed.

use burn::Tensor;
use serde::{Deserialize, Serialize};

use super::llama::Named;
use super::{adamw, muon};

/// Settings of the optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSettings {
    pub beta_1: f64,
    pub beta_2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// Largest norm of all gradients together; larger ones are scaled down to it.
    pub clip: f64,
    /// What steps the matrices of the layers; everything else is stepped by AdamW.
    pub matrices: MatrixRule,
}

/// A rule by which a matrix is stepped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatrixRule {
    #[default]
    Adamw,
    /// Momentum made orthogonal, see `muon`.
    Muon,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.98,
            eps: 1e-8,
            weight_decay: 0.01,
            clip: 1.0,
            matrices: MatrixRule::default(),
        }
    }
}

/// First and second moments of one parameter and the number of its steps.
#[derive(Clone, Debug)]
pub struct Moments {
    pub first: Tensor<2>,
    /// Muon has none.
    pub second: Option<Tensor<2>>,
    pub steps: u32,
}

/// The optimizer's state, in the order of the parameters.
#[derive(Clone, Debug)]
pub struct Optimizer {
    pub settings: OptimizerSettings,
    pub moments: Vec<Option<Moments>>,
}

/// What happens to one parameter in a step.
pub struct Update<'a> {
    pub parameter: Named<'a>,
    pub change: Change,
}

/// What a step does to a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Nothing: the parameter and its moments stay as they are.
    Keep,
    /// Steps it along its gradient at a learning rate.
    Step(f64),
    /// Shrinks it as weight decay does at a learning rate, whatever its gradient.
    Decay(f64),
}

impl Change {
    /// The change at a learning rate so many times as large.
    pub fn times(self, factor: f64) -> Self {
        match self {
            Change::Keep => Change::Keep,
            Change::Step(rate) => Change::Step(rate * factor),
            Change::Decay(rate) => Change::Decay(rate * factor),
        }
    }
}

impl Optimizer {
    pub fn new(settings: OptimizerSettings, parameters: usize) -> Self {
        Self {
            settings,
            moments: vec![None; parameters],
        }
    }

    /// One step over all parameters; gives the norm of the gradients before clipping.
    pub fn step(&mut self, updates: Vec<Update<'_>>, gradients: Vec<Option<Tensor<2>>>) -> f32 {
        let gradients: Vec<Option<Tensor<2>>> = (updates.iter().zip(gradients))
            .map(|(update, gradient)| {
                gradient.filter(|_| matches!(update.change, Change::Step(rate) if rate > 0.0))
            })
            .collect();
        let squares = gradients.iter().flatten().map(|g| g.clone().square().sum());
        let norm = match squares.reduce(|a, b| a.add(b)) {
            Some(sum) => sum.into_scalar::<f32>().sqrt(),
            None => 0.0,
        };
        let clip = self.settings.clip as f32;
        let scale = if norm > clip { clip / norm } else { 1.0 };
        for ((update, gradient), moments) in
            updates.into_iter().zip(gradients).zip(&mut self.moments)
        {
            let (name, parameter) = update.parameter;
            let value = parameter.clone().inner();
            let (learning_rate, gradient) = match (update.change, gradient) {
                (Change::Step(rate), Some(gradient)) => (rate, gradient),
                (Change::Decay(rate), _) => {
                    let kept = 1.0 - rate * self.settings.weight_decay;
                    *parameter = value.mul_scalar(kept).autodiff();
                    continue;
                }
                _ => continue,
            };
            let muon = self.settings.matrices == MatrixRule::Muon && is_layer_matrix(&name);
            let step_one = if muon {
                muon::step_one
            } else {
                adamw::step_one
            };
            *parameter = step_one(
                &self.settings,
                value,
                gradient.mul_scalar(scale),
                learning_rate,
                moments,
            )
            .autodiff();
        }
        norm
    }
}

fn is_layer_matrix(name: &str) -> bool {
    let is_vector = name.ends_with("_norm") || name.ends_with("_bias");
    name.contains("layers.") && !name.contains(".lora.") && !is_vector
}
