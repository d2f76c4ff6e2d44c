//! The operations from burn's own differentiable ones: any backend, and the truth for `fused`.

use burn::Tensor;
use burn::tensor::{Device, Int, TensorData, activation};

use super::AttentionShape;
use crate::train::precision::Precision;

/// Added to the score of a key that must not be read.
const CLOSED: f32 = -1e9;

/// See [`super::rms_norm`].
pub fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f32) -> Tensor<2> {
    let dtype = x.dtype();
    let [x, weight] = [x, weight].map(|it| Precision::F32.of(it));
    let scale = x
        .clone()
        .square()
        .mean_dim(1)
        .add_scalar(eps)
        .sqrt()
        .recip();
    x.mul(scale).mul(weight).cast(dtype)
}

/// See [`super::swiglu`].
pub fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    let width = gate_up.dims()[1] / 2;
    let gate = gate_up.clone().narrow(1, 0, width);
    let up = gate_up.narrow(1, width, width);
    activation::silu(gate).mul(up)
}

/// See [`super::cross_entropy`].
pub fn cross_entropy(logits: Tensor<2>, targets: &[u32], weights: &[f32]) -> Tensor<1> {
    let device = logits.device();
    let rows = targets.len();
    let index: Vec<i32> = targets.iter().map(|&target| target as i32).collect();
    let index = Tensor::<2, Int>::from_data(TensorData::new(index, [rows, 1]), &device);
    let weights = Tensor::<2>::from_data(TensorData::new(weights.to_vec(), [rows, 1]), &device);
    activation::log_softmax(Precision::F32.of(logits), 1)
        .gather(1, index)
        .mul(weights)
        .sum()
        .neg()
}

/// See [`super::attention`]. Sequences are padded to the longest, attended as one tensor, and packed again.
pub fn attention(query: Tensor<2>, key_value: Tensor<2>, shape: &AttentionShape) -> Tensor<2> {
    let device = query.device();
    let batch = shape.spans.len();
    let queries = shape
        .spans
        .iter()
        .map(|span| span.query_len)
        .max()
        .unwrap_or(0);
    let keys = shape
        .spans
        .iter()
        .map(|span| span.key_len)
        .max()
        .unwrap_or(0);
    let (heads, kv_heads, head_dim) = (shape.num_heads, shape.num_kv_heads, shape.head_dim);
    let padded = Padding::of(shape, queries, keys);

    let query = query
        .select(0, int_vector(&padded.query_rows, &device))
        .reshape([batch, queries, heads, head_dim])
        .swap_dims(1, 2);
    let key_value = key_value
        .select(0, int_vector(&padded.key_rows, &device))
        .reshape([batch, keys, 2 * kv_heads, head_dim])
        .swap_dims(1, 2);
    let key = key_value.clone().narrow(1, 0, kv_heads);
    let value = key_value.narrow(1, kv_heads, kv_heads);

    let query = rotate(query, &padded.query_positions, shape, &device);
    let key = rotate(key, &padded.key_positions, shape, &device);
    let (key, value) = (spread_heads(key, heads), spread_heads(value, heads));

    let mask = Tensor::<4>::from_data(
        TensorData::new(padded.mask, [batch, 1, queries, keys]),
        &device,
    );
    let scores = Precision::F32
        .of(query.matmul(key.swap_dims(2, 3)))
        .div_scalar((head_dim as f32).sqrt())
        .add(mask);
    activation::softmax(scores, 3)
        .cast(value.dtype())
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([batch * queries, heads * head_dim])
        .select(0, int_vector(&padded.packed_rows, &device))
}

/// Index tables between packed rows and a padded batch.
struct Padding {
    query_rows: Vec<i32>,
    key_rows: Vec<i32>,
    query_positions: Vec<usize>,
    key_positions: Vec<usize>,
    packed_rows: Vec<i32>,
    mask: Vec<f32>,
}

impl Padding {
    fn of(shape: &AttentionShape, queries: usize, keys: usize) -> Self {
        let mut padding = Padding {
            query_rows: Vec::new(),
            key_rows: Vec::new(),
            query_positions: Vec::new(),
            key_positions: Vec::new(),
            packed_rows: Vec::new(),
            mask: Vec::new(),
        };
        for (sequence, span) in shape.spans.iter().enumerate() {
            let first = span.key_len - span.query_len;
            for i in 0..queries {
                let inside = i < span.query_len;
                let at = if inside { i } else { 0 };
                padding.query_rows.push((span.query_start + at) as i32);
                padding.query_positions.push(span.rope_start + first + at);
                if inside {
                    padding.packed_rows.push((sequence * queries + i) as i32);
                }
                let limit = shape.reach.readable(first + at, span.key_len);
                padding
                    .mask
                    .extend((0..keys).map(|j| if j < limit { 0.0 } else { CLOSED }));
            }
            for j in 0..keys {
                let at = if j < span.key_len { j } else { 0 };
                padding.key_rows.push((span.key_start + at) as i32);
                padding.key_positions.push(span.rope_start + at);
            }
        }
        padding
    }
}

fn int_vector(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// `[batch, heads, length, head_dim]` rotated by the positions of `[batch, length]`.
fn rotate(x: Tensor<4>, positions: &[usize], shape: &AttentionShape, device: &Device) -> Tensor<4> {
    let [batch, _, length, head_dim] = x.dims();
    let half = head_dim / 2;
    let table = |values: &[f32]| {
        let rows: Vec<f32> = positions
            .iter()
            .flat_map(|&position| {
                values[position * half..(position + 1) * half]
                    .iter()
                    .copied()
            })
            .collect();
        Tensor::<4>::from_data(TensorData::new(rows, [batch, 1, length, half]), device)
    };
    let (cos, sin) = (table(&shape.rope.cos), table(&shape.rope.sin));
    let dtype = x.dtype();
    let x = Precision::F32.of(x);
    let first = x.clone().narrow(3, 0, half);
    let second = x.narrow(3, half, half);
    Tensor::cat(
        vec![
            first
                .clone()
                .mul(cos.clone())
                .sub(second.clone().mul(sin.clone())),
            second.mul(cos).add(first.mul(sin)),
        ],
        3,
    )
    .cast(dtype)
}

/// Repeats every key/value head for the query heads that share it.
fn spread_heads(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, kv_heads, length, head_dim] = x.dims();
    if kv_heads == heads {
        return x;
    }
    let group = heads / kv_heads;
    x.reshape([batch, kv_heads, 1, length * head_dim])
        .repeat_dim(2, group)
        .reshape([batch, heads, length, head_dim])
}
