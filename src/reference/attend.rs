//! Twin of `shaders/attend.wgsl`.

use super::dot::dot;
use crate::model::RunState;

/// Constants of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attend {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Whether a row sees no position behind its own; else all of the pass.
    pub is_causal: bool,
    /// If causal, positions that a row sees, itself among them; `None`: all up to its own.
    pub window: Option<usize>,
}

/// `out[row, head] = sum over t <= position of softmax(q . k[t] / sqrt(head_dim)) v[t]`, over all t up
/// to the pass's last where it is not causal; query head h reads key and value head
/// `h * kv_heads / heads`.
///
/// `qkv` `[rows, (heads + 2 kv_heads) * head_dim]` with rotated queries, `keys` and `values`
/// `[context, kv_heads, head_dim]`, `out` `[rows, heads * head_dim]`.
pub fn attend(
    run: &RunState,
    attend: &Attend,
    qkv: &[f32],
    keys: &[f32],
    values: &[f32],
    out: &mut [f32],
) {
    let head_dim = attend.head_dim;
    let qkv_width = (attend.heads + 2 * attend.kv_heads) * head_dim;
    let rows = qkv
        .chunks_exact(qkv_width)
        .zip(out.chunks_exact_mut(attend.heads * head_dim));
    for (row, (qkv, out)) in rows.take(run.rows as usize).enumerate() {
        let last = if attend.is_causal {
            row
        } else {
            run.rows as usize - 1
        };
        let seen = run.position as usize + last + 1;
        let positions = seen - attend.window.map_or(seen, |window| window.min(seen))..seen;
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            let query = &qkv[head * head_dim..][..head_dim];
            let kv_head = head * attend.kv_heads / attend.heads;
            let first = |t: usize| (t * attend.kv_heads + kv_head) * head_dim;
            let shares = softmax(
                positions
                    .clone()
                    .map(|t| dot(query, &keys[first(t)..][..head_dim]) / (head_dim as f64).sqrt()),
            );
            let mut sums = vec![0f64; head_dim];
            for (t, share) in positions.clone().zip(shares) {
                for (sum, &value) in sums.iter_mut().zip(&values[first(t)..][..head_dim]) {
                    *sum += share * f64::from(value);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum as f32;
            }
        }
    }
}

fn softmax(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let scores: Vec<f64> = scores.collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / total).collect()
}
