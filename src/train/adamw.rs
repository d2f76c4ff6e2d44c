//! AdamW with a clipped global norm, in the order of METHOD's equations (decay first, then the step).
//!
//! Written here rather than taken from burn: the moments are plain tensors that a checkpoint can store, the clip is
//! over all parameters together, and a parameter without a gradient is neither stepped nor decayed.

use burn::Tensor;
use burn::tensor::Gradients;
use serde::{Deserialize, Serialize};

use super::llama::Named;

/// Settings of the optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWSettings {
    pub beta_1: f64,
    pub beta_2: f64,
    pub eps: f64,
    pub weight_decay: f64,
    /// Largest norm of all gradients together; larger ones are scaled down to it.
    pub clip: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.98,
            eps: 1e-8,
            weight_decay: 0.01,
            clip: 1.0,
        }
    }
}

/// First and second moments of one parameter and the number of its steps.
#[derive(Clone, Debug)]
pub struct Moments {
    pub first: Tensor<2>,
    pub second: Tensor<2>,
    pub steps: u32,
}

/// The optimizer's state, in the order of the parameters.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub settings: AdamWSettings,
    pub moments: Vec<Option<Moments>>,
}

/// What happens to one parameter in a step.
pub struct Update<'a> {
    pub parameter: Named<'a>,
    /// Zero leaves the parameter and its moments as they are.
    pub learning_rate: f64,
}

impl AdamW {
    pub fn new(settings: AdamWSettings, parameters: usize) -> Self {
        Self {
            settings,
            moments: vec![None; parameters],
        }
    }

    /// One step over all parameters; gives the norm of the gradients before clipping.
    pub fn step(&mut self, updates: Vec<Update<'_>>, gradients: &mut Gradients) -> f32 {
        let gradients: Vec<Option<Tensor<2>>> = updates
            .iter()
            .map(|update| {
                let gradient = update.parameter.1.grad_remove(gradients);
                gradient.filter(|_| update.learning_rate > 0.0)
            })
            .collect();
        let squares = gradients.iter().flatten().map(|g| g.clone().square().sum());
        let norm = match squares.reduce(|a, b| a.add(b)) {
            Some(sum) => sum.into_scalar::<f32>().sqrt(),
            None => return 0.0,
        };
        let clip = self.settings.clip as f32;
        let scale = if norm > clip { clip / norm } else { 1.0 };
        for ((update, gradient), moments) in
            updates.into_iter().zip(gradients).zip(&mut self.moments)
        {
            let Some(gradient) = gradient else { continue };
            let parameter = update.parameter.1;
            let value = parameter.clone().inner();
            *parameter = step_one(
                &self.settings,
                value,
                gradient.mul_scalar(scale),
                update.learning_rate,
                moments,
            )
            .autodiff()
            .require_grad();
        }
        norm
    }
}

fn step_one(
    settings: &AdamWSettings,
    value: Tensor<2>,
    gradient: Tensor<2>,
    learning_rate: f64,
    moments: &mut Option<Moments>,
) -> Tensor<2> {
    let AdamWSettings {
        beta_1,
        beta_2,
        eps,
        weight_decay,
        ..
    } = *settings;
    let Moments {
        first,
        second,
        steps,
    } = moments.take().unwrap_or_else(|| Moments {
        first: value.zeros_like(),
        second: value.zeros_like(),
        steps: 0,
    });
    let steps = steps + 1;
    let first = first
        .mul_scalar(beta_1)
        .add(gradient.clone().mul_scalar(1.0 - beta_1));
    let second = second
        .mul_scalar(beta_2)
        .add(gradient.square().mul_scalar(1.0 - beta_2));
    let correction = |beta: f64| 1.0 - beta.powi(steps as i32);
    let rate = learning_rate / correction(beta_1);
    let root = second
        .clone()
        .sqrt()
        .div_scalar(correction(beta_2).sqrt())
        .add_scalar(eps);
    let decayed = value.mul_scalar(1.0 - learning_rate * weight_decay);
    let value = decayed.sub(first.clone().div(root).mul_scalar(rate));
    *moments = Some(Moments {
        first,
        second,
        steps,
    });
    value
}
