//! Rotary embedding and attention over packed sequences, one sequence and head at a time, and the gradient.
//!
//! Keys and values of a head are first copied to a transposed strip `[head_dim][keys]`, so that the scores of one
//! query against all keys are `head_dim` additions of whole vectors. Probabilities are kept for the way back.

use std::sync::Arc;

use burn::Tensor;
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;

use super::vector::{dot, exp_scaled, multiply_add};
use super::{contiguous, flex, primitive, rows_and_width, values, wrap};
use crate::train::kernels::{AttentionShape, Span};

/// Widths of heads that there is a loop for.
pub const HEAD_DIMS: [usize; 4] = [8, 16, 32, 64];
/// Keys are counted in chunks of this many; strips are padded to a whole number of them with zeros.
const CHUNK: usize = 16;
/// Queries that are taken together, so that a key loaded once serves all of them. Sums of one chunk for one block are
/// eight vector registers of eight numbers.
const BLOCK: usize = 4;

#[derive(Debug)]
struct Attention;

#[derive(Debug)]
struct Saved {
    query: FlexTensor,
    key_value: FlexTensor,
    shape: Arc<AttentionShape>,
    /// `[sequence][head][query][keys padded to CHUNK]`, zero where a query does not read.
    probabilities: Vec<f32>,
}

/// See [`crate::train::kernels::attention`].
pub fn attention(query: Tensor<2>, key_value: Tensor<2>, shape: &Arc<AttentionShape>) -> Tensor<2> {
    let (query, key_value) = (primitive(query), primitive(key_value));
    let nodes = [query.node(), key_value.node()];
    let (query, key_value) = (
        contiguous(query.primitive()),
        contiguous(key_value.primitive()),
    );
    let (rows, width) = rows_and_width(&query);
    let (output, probabilities) = match shape.head_dim {
        8 => forward::<8>(values(&query), values(&key_value), shape),
        16 => forward::<16>(values(&query), values(&key_value), shape),
        32 => forward::<32>(values(&query), values(&key_value), shape),
        64 => forward::<64>(values(&query), values(&key_value), shape),
        other => {
            panic!("fused attention has no head_dim {other}: the configuration is checked for it")
        }
    };
    let output = flex(output, [rows, width]);
    wrap(
        match Attention
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let shape = shape.clone();
                prep.finish(
                    Arc::new(Saved {
                        query,
                        key_value,
                        shape,
                        probabilities,
                    }),
                    output,
                )
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        },
    )
}

impl Backward<Flex, 2> for Attention {
    type State = Arc<Saved>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_output = contiguous(&grads.consume::<Flex>(&ops.node));
        let saved = &*ops.state;
        let (d_query, d_key_value) = match saved.shape.head_dim {
            8 => backward::<8>(saved, values(&d_output)),
            16 => backward::<16>(saved, values(&d_output)),
            32 => backward::<32>(saved, values(&d_output)),
            64 => backward::<64>(saved, values(&d_output)),
            _ => unreachable!("the forward pass checked head_dim"),
        };
        let [query_node, key_value_node] = ops.parents;
        let dims = |tensor| <[usize; 2]>::from(rows_and_width(tensor));
        if let Some(node) = query_node {
            grads.register::<Flex>(node.id, flex(d_query, dims(&saved.query)));
        }
        if let Some(node) = key_value_node {
            grads.register::<Flex>(node.id, flex(d_key_value, dims(&saved.key_value)));
        }
    }
}

/// Keys and values of one sequence and head: transposed strips and plain rows.
struct Strips<const HD: usize> {
    padded: usize,
    key_strip: Vec<f32>,
    value_strip: Vec<f32>,
    keys: Vec<[f32; HD]>,
    values: Vec<[f32; HD]>,
}

impl<const HD: usize> Strips<HD> {
    fn new() -> Self {
        let (strip, rows) = (Vec::new(), Vec::new());
        Self {
            padded: 0,
            key_strip: strip.clone(),
            value_strip: strip,
            keys: rows.clone(),
            values: rows,
        }
    }

    fn load(&mut self, key_value: &[f32], span: &Span, kv_head: usize, shape: &AttentionShape) {
        let width = 2 * shape.num_kv_heads * HD;
        self.padded = span.key_len.next_multiple_of(CHUNK);
        self.keys.clear();
        self.values.clear();
        for strip in [&mut self.key_strip, &mut self.value_strip] {
            strip.clear();
            strip.resize(HD * self.padded, 0.0);
        }
        for j in 0..span.key_len {
            let row = &key_value[(span.key_start + j) * width..][..width];
            let mut key = head::<HD>(row, kv_head);
            let value = head::<HD>(row, shape.num_kv_heads + kv_head);
            shape.rope.rotate(&mut key, span.rope_start + j);
            for c in 0..HD {
                self.key_strip[c * self.padded + j] = key[c];
                self.value_strip[c * self.padded + j] = value[c];
            }
            self.keys.push(key);
            self.values.push(value);
        }
    }
}

fn head<const HD: usize>(row: &[f32], index: usize) -> [f32; HD] {
    row[index * HD..(index + 1) * HD]
        .try_into()
        .expect("a head is HD wide")
}

/// scores[b][j] = Σ_c x[b][c] · strip[c][j] for a block of queries and the first `covered` keys.
#[inline(always)]
fn against_strip<const HD: usize>(
    x: &[[f32; HD]; BLOCK],
    strip: &[f32],
    padded: usize,
    covered: usize,
    scores: &mut [f32],
) {
    for at in (0..covered).step_by(CHUNK) {
        let mut sums = [[0.0f32; CHUNK]; BLOCK];
        for c in 0..HD {
            let column: &[f32; CHUNK] = strip[c * padded + at..][..CHUNK]
                .try_into()
                .expect("a chunk long");
            for b in 0..BLOCK {
                for l in 0..CHUNK {
                    sums[b][l] = multiply_add(x[b][c], column[l], sums[b][l]);
                }
            }
        }
        for b in 0..BLOCK {
            scores[b * padded + at..][..CHUNK].copy_from_slice(&sums[b]);
        }
    }
}

/// result[b] = Σ_j weights[b][j] · rows[j].
#[inline(always)]
fn weighted_rows<const HD: usize>(
    weights: &[f32],
    padded: usize,
    rows: &[[f32; HD]],
) -> [[f32; HD]; BLOCK] {
    let mut sums = [[0.0f32; HD]; BLOCK];
    let (first, rest) = weights.split_at(padded);
    let (second, rest) = rest.split_at(padded);
    let (third, fourth) = rest.split_at(padded);
    for (j, row) in rows.iter().enumerate() {
        let weights = [first[j], second[j], third[j], fourth[j]];
        for b in 0..BLOCK {
            for c in 0..HD {
                sums[b][c] = multiply_add(weights[b], row[c], sums[b][c]);
            }
        }
    }
    sums
}

/// rows[j] += Σ_b weights[b][j] · x[b].
#[inline(always)]
fn add_outer<const HD: usize>(
    weights: &[f32],
    padded: usize,
    x: &[[f32; HD]; BLOCK],
    rows: &mut [[f32; HD]],
) {
    let (first, rest) = weights.split_at(padded);
    let (second, rest) = rest.split_at(padded);
    let (third, fourth) = rest.split_at(padded);
    for (j, row) in rows.iter_mut().enumerate() {
        let weights = [first[j], second[j], third[j], fourth[j]];
        for b in 0..BLOCK {
            for c in 0..HD {
                row[c] = multiply_add(weights[b], x[b][c], row[c]);
            }
        }
    }
}

fn probability_count(shape: &AttentionShape) -> usize {
    let of_span = |span: &Span| span.query_len * span.key_len.next_multiple_of(CHUNK);
    shape.num_heads * shape.spans.iter().map(of_span).sum::<usize>()
}

/// A block of queries of one sequence: how many there are and how many keys the last of them reads.
struct Block {
    first: usize,
    count: usize,
    len: usize,
}

/// The blocks of a sequence, `BLOCK` queries each but the last.
fn blocks(shape: &AttentionShape, span: &Span) -> impl Iterator<Item = Block> {
    let (reach, span) = (shape.reach, *span);
    (0..span.query_len).step_by(BLOCK).map(move |first| {
        let count = BLOCK.min(span.query_len - first);
        Block {
            first,
            count,
            len: reach.readable(
                span.key_len - span.query_len + first + count - 1,
                span.key_len,
            ),
        }
    })
}

/// Heads of a block of rows; those behind the last row are zero.
fn block_heads<const HD: usize>(
    rows: &[f32],
    span: &Span,
    block: &Block,
    h: usize,
    width: usize,
) -> [[f32; HD]; BLOCK] {
    std::array::from_fn(|b| match b < block.count {
        true => head::<HD>(
            &rows[(span.query_start + block.first + b) * width..][..width],
            h,
        ),
        false => [0.0; HD],
    })
}

fn forward<const HD: usize>(
    query: &[f32],
    key_value: &[f32],
    shape: &AttentionShape,
) -> (Vec<f32>, Vec<f32>) {
    let width = shape.num_heads * HD;
    let scale = 1.0 / (HD as f32).sqrt();
    let group = shape.num_heads / shape.num_kv_heads;
    let mut output = vec![0.0; query.len()];
    let mut probabilities = Vec::with_capacity(probability_count(shape));
    let mut strips = Strips::<HD>::new();
    let mut scores = Vec::new();
    for span in &shape.spans {
        for h in 0..shape.num_heads {
            if h % group == 0 {
                strips.load(key_value, span, h / group, shape);
            }
            let padded = strips.padded;
            scores.clear();
            scores.resize(BLOCK * padded, 0.0);
            for block in blocks(shape, span) {
                let position = span.key_len - span.query_len + block.first;
                let mut q = block_heads::<HD>(query, span, &block, h, width);
                for (b, q) in q[..block.count].iter_mut().enumerate() {
                    shape.rope.rotate(q, span.rope_start + position + b);
                }
                let covered = block.len.next_multiple_of(CHUNK);
                against_strip(&q, &strips.key_strip, padded, covered, &mut scores);
                for (b, row) in scores
                    .chunks_exact_mut(padded)
                    .take(block.count)
                    .enumerate()
                {
                    let len = shape.reach.readable(position + b, span.key_len);
                    row[len..].fill(0.0);
                    let inverse = 1.0 / exp_scaled(&mut row[..len], scale);
                    row[..len].iter_mut().for_each(|p| *p *= inverse);
                    probabilities.extend_from_slice(row);
                }
                let mixed = weighted_rows(&scores, padded, &strips.values[..block.len]);
                for (b, mixed) in mixed[..block.count].iter().enumerate() {
                    let at = (span.query_start + block.first + b) * width + h * HD;
                    output[at..at + HD].copy_from_slice(mixed);
                }
            }
        }
    }
    (output, probabilities)
}

/// With P the probabilities: dP = dO·Vᵀ, dS = P ⊙ (dP − rowsum(P ⊙ dP)) · scale, dQ = dS·K, dK = dSᵀ·Q, dV = Pᵀ·dO,
/// then the rotations undone.
fn backward<const HD: usize>(saved: &Saved, d_output: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let shape = &*saved.shape;
    let (query, key_value) = (values(&saved.query), values(&saved.key_value));
    let (width, kv_width) = (shape.num_heads * HD, 2 * shape.num_kv_heads * HD);
    let scale = 1.0 / (HD as f32).sqrt();
    let group = shape.num_heads / shape.num_kv_heads;
    let mut d_query = vec![0.0; query.len()];
    let mut d_key_value = vec![0.0; key_value.len()];
    let mut rest = saved.probabilities.as_slice();
    let mut strips = Strips::<HD>::new();
    let (mut weights, mut d_scores) = (Vec::new(), Vec::new());
    let (mut d_keys, mut d_values) = (Vec::new(), Vec::new());
    for span in &shape.spans {
        for h in 0..shape.num_heads {
            let kv_head = h / group;
            if h % group == 0 {
                strips.load(key_value, span, kv_head, shape);
                for rows in [&mut d_keys, &mut d_values] {
                    rows.clear();
                    rows.resize(span.key_len, [0.0f32; HD]);
                }
            }
            let padded = strips.padded;
            for buffer in [&mut weights, &mut d_scores] {
                buffer.clear();
                buffer.resize(BLOCK * padded, 0.0f32);
            }
            for block in blocks(shape, span) {
                let position = span.key_len - span.query_len + block.first;
                let (rows, after) = rest.split_at(block.count * padded);
                rest = after;
                weights[..rows.len()].copy_from_slice(rows);
                weights[rows.len()..].fill(0.0);
                let d_out = block_heads::<HD>(d_output, span, &block, h, width);
                let mut q = block_heads::<HD>(query, span, &block, h, width);
                for (b, q) in q[..block.count].iter_mut().enumerate() {
                    shape.rope.rotate(q, span.rope_start + position + b);
                }

                let covered = block.len.next_multiple_of(CHUNK);
                against_strip(&d_out, &strips.value_strip, padded, covered, &mut d_scores);
                for (d, p) in d_scores
                    .chunks_exact_mut(padded)
                    .zip(weights.chunks_exact(padded))
                {
                    let (d, p) = (&mut d[..covered], &p[..covered]);
                    let mean = dot(p, d);
                    for (d, p) in d.iter_mut().zip(p) {
                        *d = p * (*d - mean) * scale;
                    }
                }
                let mut dq = weighted_rows(&d_scores, padded, &strips.keys[..block.len]);
                for (b, dq) in dq[..block.count].iter_mut().enumerate() {
                    shape.rope.rotate_back(dq, span.rope_start + position + b);
                    let at = (span.query_start + block.first + b) * width + h * HD;
                    d_query[at..at + HD].copy_from_slice(dq);
                }
                add_outer(&d_scores, padded, &q, &mut d_keys[..block.len]);
                add_outer(&weights, padded, &d_out, &mut d_values[..block.len]);
            }
            if h % group == group - 1 {
                for j in 0..span.key_len {
                    let row = &mut d_key_value[(span.key_start + j) * kv_width..][..kv_width];
                    shape.rope.rotate_back(&mut d_keys[j], span.rope_start + j);
                    row[kv_head * HD..][..HD].copy_from_slice(&d_keys[j]);
                    row[(shape.num_kv_heads + kv_head) * HD..][..HD].copy_from_slice(&d_values[j]);
                }
            }
        }
    }
    (d_query, d_key_value)
}
