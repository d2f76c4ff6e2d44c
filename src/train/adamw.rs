//! AdamW (Loshchilov and Hutter, 2019), in the order of METHOD's equations: the decay first, then the step.

use burn::Tensor;

use super::optimizer::{Moments, OptimizerSettings};

/// The parameter after a step.
pub fn step_one(
    settings: &OptimizerSettings,
    value: Tensor<2>,
    gradient: Tensor<2>,
    learning_rate: f64,
    moments: &mut Option<Moments>,
) -> Tensor<2> {
    let OptimizerSettings {
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
        second: None,
        steps: 0,
    });
    let second = second.unwrap_or_else(|| value.zeros_like());
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
        second: Some(second),
        steps,
    });
    value
}
