//! Muon (Jordan et al., 2024): the momentum of a matrix, made nearly orthogonal by Newton-Schulz iterations, is its step.
//!
//! All directions of a matrix move at one speed, where AdamW follows the few that gradients are large in. Scaled as by
//! Liu et al., 2025 (arXiv 2502.16982), so that the learning rate and the weight decay of AdamW serve both.

use burn::Tensor;

use super::optimizer::{Moments, OptimizerSettings};

/// Share of the momentum that stays a step.
const MOMENTUM: f64 = 0.95;
/// Newton-Schulz iterations, and the coefficients of x, x³ and x⁵ in each, as published: after five of them singular
/// values from 0.001 to 1 lie between 0.7 and 1.2.
const ITERATIONS: usize = 5;
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
/// Root mean square of AdamW's steps, which these are scaled to.
const STEP_RMS: f64 = 0.2;

/// The matrix after a step.
pub fn step_one(
    settings: &OptimizerSettings,
    value: Tensor<2>,
    gradient: Tensor<2>,
    learning_rate: f64,
    moments: &mut Option<Moments>,
) -> Tensor<2> {
    let (first, steps) = match moments.take() {
        Some(Moments { first, steps, .. }) => (first.mul_scalar(MOMENTUM), steps),
        None => (value.zeros_like(), 0),
    };
    let first = first.add(gradient.clone());
    let ahead = gradient.add(first.clone().mul_scalar(MOMENTUM));
    let [rows, cols] = value.dims();
    let scale = STEP_RMS * (rows.max(cols) as f64).sqrt();
    *moments = Some(Moments {
        first,
        second: None,
        steps: steps + 1,
    });
    value
        .mul_scalar(1.0 - learning_rate * settings.weight_decay)
        .sub(orthogonal(ahead).mul_scalar(learning_rate * scale))
}

/// A matrix with the singular vectors of `x` and singular values near 1.
fn orthogonal(x: Tensor<2>) -> Tensor<2> {
    let [rows, cols] = x.dims();
    let tall = rows > cols;
    let mut x = if tall { x.transpose() } else { x };
    let norm = x.clone().square().sum().sqrt().add_scalar(1e-7);
    x = x.div(norm.reshape([1, 1]));
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..ITERATIONS {
        let square = x.clone().matmul(x.clone().transpose());
        let fourth = square.clone().matmul(square.clone());
        let mixed = square.mul_scalar(b).add(fourth.mul_scalar(c));
        x = x.clone().mul_scalar(a).add(mixed.matmul(x));
    }
    if tall { x.transpose() } else { x }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::problems::Random;

    #[test]
    fn the_step_has_singular_values_near_one_whatever_the_gradients_scale() {
        let mut random = Random::new(1);
        for (rows, cols, scale) in [(8, 24, 1e-4), (24, 8, 1.0), (16, 16, 1e3)] {
            let values: Vec<f32> = (0..rows * cols)
                .map(|_| scale * (random.below(2001) as f32 / 1000.0 - 1.0))
                .collect();
            let x = Tensor::<2>::from_data(TensorData::new(values, [rows, cols]), &Device::flex());
            let x = orthogonal(x);
            let x = if rows > cols { x.transpose() } else { x };
            let count = rows.min(cols);
            let gram = x.clone().matmul(x.transpose());
            let gram = gram.try_into_vec_as::<f32>().expect("f32");
            // Squares of the singular values add up to the trace.
            let trace: f32 = (0..count).map(|i| gram[i * count + i]).sum();
            let mean = trace / count as f32;
            assert!(
                (0.6..1.3).contains(&mean),
                "{rows} x {cols}: mean square {mean}"
            );
        }
    }
}
