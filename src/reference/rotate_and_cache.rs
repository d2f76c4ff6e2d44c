//! Twin of `shaders/rotate_and_cache.wgsl`.

use super::rms_norm::scale;
use crate::model::{KvType, RopePairing, RunState};

/// Constants of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Which values of a head are rotated together.
    pub pairing: RopePairing,
    /// What stored keys and values are rounded to.
    pub kv_type: KvType,
}

/// RMS norms of the heads before rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotateNorms<'a> {
    /// Of query heads `[head_dim]`.
    pub query: &'a [f32],
    /// Of key heads `[head_dim]`.
    pub key: &'a [f32],
    /// Added to the mean square.
    pub eps: f32,
}

/// Rotary position embedding of queries (in place) and keys, and keys and values into the cache:
/// a pair (a, b) becomes (a cos - b sin, b cos + a sin). With `norms`, each head of queries and
/// keys is normed first.
///
/// `rotations` `[context, head_dim / 2]` of (cos, sin), `qkv`
/// `[rows, (heads + 2 kv_heads) * head_dim]`, `keys` and `values` `[context, kv_heads, head_dim]`.
pub fn rotate_and_cache(
    run: &RunState,
    rotate: &Rotate,
    rotations: &[[f32; 2]],
    qkv: &mut [f32],
    keys: &mut [f32],
    values: &mut [f32],
    norms: Option<&RotateNorms>,
) {
    let pairs = rotate.head_dim / 2;
    let query_width = rotate.heads * rotate.head_dim;
    let kv_width = rotate.kv_heads * rotate.head_dim;
    let rows = qkv.chunks_exact_mut(query_width + 2 * kv_width);
    for (row, qkv) in rows.take(run.rows as usize).enumerate() {
        let position = run.position as usize + row;
        let turns = &rotations[position * pairs..][..pairs];
        let (queries_and_keys, row_values) = qkv.split_at_mut(query_width + kv_width);
        for (index, head) in queries_and_keys
            .chunks_exact_mut(rotate.head_dim)
            .enumerate()
        {
            if index < rotate.heads {
                norm(head, norms.map(|it| (it.query, it.eps)));
                turn(head, turns, rotate.pairing);
                continue;
            }
            // The key in `qkv` stays as it is; only the cache gets the rotated one.
            let mut key = head.to_vec();
            norm(&mut key, norms.map(|it| (it.key, it.eps)));
            turn(&mut key, turns, rotate.pairing);
            let first = position * kv_width + (index - rotate.heads) * rotate.head_dim;
            store(&key, &mut keys[first..], rotate.kv_type);
        }
        store(
            row_values,
            &mut values[position * kv_width..],
            rotate.kv_type,
        );
    }
}

fn norm(head: &mut [f32], weight_and_eps: Option<(&[f32], f32)>) {
    let Some((weight, eps)) = weight_and_eps else {
        return;
    };
    let scale = scale(head, eps);
    for (value, &weight) in head.iter_mut().zip(weight) {
        *value = (f64::from(weight) * f64::from(*value) * scale) as f32;
    }
}

fn turn(head: &mut [f32], turns: &[[f32; 2]], pairing: RopePairing) {
    for (pair, &[cos, sin]) in turns.iter().enumerate() {
        let (first, second) = match pairing {
            RopePairing::Neighbours => (2 * pair, 2 * pair + 1),
            RopePairing::Halves => (pair, pair + turns.len()),
        };
        let (a, b) = (head[first], head[second]);
        head[first] = a * cos - b * sin;
        head[second] = b * cos + a * sin;
    }
}

fn store(from: &[f32], to: &mut [f32], kv_type: KvType) {
    for (from, to) in from.iter().zip(to) {
        *to = kv_type.round(*from);
    }
}
