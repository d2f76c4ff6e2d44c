//! The fused kernels against the composed ones: values and gradients.

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, TensorData};

use super::{
    AttentionShape, Kernels, Reach, RopeTable, Span, attention, cross_entropy, rms_norm, swiglu,
};
use crate::train::initialization::Normal;

/// Both add in f32, in different orders, over at most a few hundred terms of size one.
const TOLERANCE: f32 = 2e-5;

fn device() -> Device {
    Device::flex().autodiff()
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("read back")
}

fn assert_close(what: &str, a: Vec<f32>, b: Vec<f32>) {
    assert_eq!(a.len(), b.len(), "{what}");
    assert!(
        a.iter().any(|value| *value != 0.0),
        "{what}: nothing but zeros to compare"
    );
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!(
            (a - b).abs() <= TOLERANCE * b.abs().max(1.0),
            "{what}[{i}]: {a} and {b}"
        );
    }
}

/// Runs an operation with both kernels on the same inputs and compares the result and every gradient.
fn compare(shapes: &[[usize; 2]], run: impl Fn(Kernels, Vec<Tensor<2>>) -> Tensor<2>) {
    let results = [Kernels::Fused, Kernels::Composed].map(|kernels| {
        let mut normal = Normal::new(9);
        let mut leaf = |shape| normal.scaled(shape, 1, &device()).require_grad();
        let inputs: Vec<Tensor<2>> = shapes.iter().map(|&shape| leaf(shape)).collect();
        let output = run(kernels, inputs.clone());
        let mixing = normal.scaled(output.dims(), 1, &device());
        let gradients = output.clone().mul(mixing).sum().backward();
        let mut all = vec![values(output.inner())];
        all.extend(
            inputs
                .iter()
                .map(|x| values(x.grad(&gradients).expect("a gradient"))),
        );
        all
    });
    let [fused, composed] = results;
    for (i, (a, b)) in fused.into_iter().zip(composed).enumerate() {
        assert_close(if i == 0 { "result" } else { "gradient" }, a, b);
    }
}

#[test]
fn rms_norm_and_its_gradients_agree() {
    compare(&[[7, 48], [1, 48]], |kernels, inputs| {
        rms_norm(kernels, inputs[0].clone(), inputs[1].clone(), 1e-5)
    });
}

#[test]
fn swiglu_and_its_gradient_agree() {
    compare(&[[5, 96]], |kernels, inputs| {
        swiglu(kernels, inputs[0].clone())
    });
}

#[test]
fn cross_entropy_and_its_gradient_agree() {
    compare(&[[4, 37]], |kernels, inputs| {
        let loss = cross_entropy(
            kernels,
            inputs[0].clone(),
            &[0, 36, 5, 5],
            &[0.5, 1.0, 0.25, 2.0],
        );
        loss.reshape([1, 1])
    });
}

fn attention_agrees(num_kv_heads: usize, reach: Reach, spans: Vec<Span>) {
    let head_dim = 16;
    let rope = Arc::new(RopeTable::new(64, head_dim, 10000.0));
    let shape = AttentionShape {
        num_heads: 4,
        num_kv_heads,
        head_dim,
        reach,
        spans,
        rope,
    };
    let keys = shape.spans.iter().map(|span| span.key_len).sum();
    let shape = Arc::new(shape);
    compare(
        &[
            [shape.query_rows(), 64],
            [keys, 2 * num_kv_heads * head_dim],
        ],
        |kernels, inputs| attention(kernels, inputs[0].clone(), inputs[1].clone(), &shape),
    );
}

fn span(query_start: usize, query_len: usize, key_start: usize, key_len: usize) -> Span {
    Span {
        query_start,
        query_len,
        key_start,
        key_len,
        rope_start: 0,
    }
}

#[test]
fn attention_of_rows_that_stand_elsewhere_agrees() {
    let moved = |span, rope_start| Span { rope_start, ..span };
    attention_agrees(
        2,
        Reach::Causal,
        vec![moved(span(0, 6, 0, 6), 3), moved(span(6, 33, 6, 33), 17)],
    );
}

#[test]
fn causal_attention_and_its_gradients_agree() {
    attention_agrees(
        4,
        Reach::Causal,
        vec![span(0, 5, 0, 5), span(5, 40, 5, 40), span(45, 1, 45, 1)],
    );
}

#[test]
fn attention_of_the_last_rows_with_shared_heads_agrees() {
    attention_agrees(2, Reach::Causal, vec![span(0, 3, 0, 35), span(3, 4, 35, 9)]);
}

#[test]
fn causal_attention_but_to_the_newest_key_agrees() {
    attention_agrees(
        2,
        Reach::CausalButNewest,
        vec![span(0, 6, 0, 6), span(6, 33, 6, 33), span(39, 1, 39, 20)],
    );
}

#[test]
fn full_attention_and_its_gradients_agree() {
    attention_agrees(4, Reach::Full, vec![span(0, 6, 0, 6), span(6, 33, 6, 33)]);
}

#[test]
fn a_cross_entropy_of_known_logits_is_right() {
    let logits = Tensor::<2>::from_data(
        TensorData::new(vec![0.0f32, 0.0, 1.0, 1.0], [2, 2]),
        &device(),
    );
    let loss = cross_entropy(Kernels::Fused, logits, &[0, 1], &[1.0, 3.0]);
    assert!((loss.into_scalar::<f32>() - 4.0 * 2.0f32.ln()).abs() < 1e-6);
}
