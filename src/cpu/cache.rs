//! Keys and values of a layer, as f32 or as f16, and attention over them.

use half::f16;

use super::functions::{dot, exp};
use super::matrix::from_f16;
use crate::model::KvType;
use crate::reference::Attend;

/// Keys and values of a layer, `[kv_heads, positions, head_dim]`: what one head reads lies together.
pub struct Cache {
    keys: Stored,
    values: Stored,
    positions: usize,
    head_dim: usize,
}

enum Stored {
    F32(Vec<f32>),
    /// Bits of f16.
    F16(Vec<u16>),
}

/// Keys, values and shares of one head, kept so that no step allocates.
#[derive(Default)]
pub struct AttendScratch {
    keys: Vec<f32>,
    values: Vec<f32>,
    shares: Vec<f32>,
}

impl Cache {
    /// Empty, with room for so many positions.
    pub fn new(kv_type: KvType, kv_heads: usize, positions: usize, head_dim: usize) -> Self {
        let len = kv_heads * positions * head_dim;
        let stored = || match kv_type {
            KvType::F32 => Stored::F32(vec![0.0; len]),
            KvType::F16 => Stored::F16(vec![0; len]),
        };
        Self {
            keys: stored(),
            values: stored(),
            positions,
            head_dim,
        }
    }

    /// Stores the rotated key of a head and position.
    pub fn set_key(&mut self, kv_head: usize, position: usize, key: &[f32]) {
        let first = (kv_head * self.positions + position) * self.head_dim;
        self.keys.set(first, key);
    }

    /// Stores the value of a head and position.
    pub fn set_value(&mut self, kv_head: usize, position: usize, value: &[f32]) {
        let first = (kv_head * self.positions + position) * self.head_dim;
        self.values.set(first, value);
    }

    /// `out[row, head] = sum over t <= position of softmax(q . k[t] / sqrt(head_dim)) v[t]` for rows
    /// from `position` on; query head h reads key and value head `h * kv_heads / heads`.
    ///
    /// `qkv` `[rows, (heads + 2 kv_heads) * head_dim]` with rotated queries, `out`
    /// `[rows, heads * head_dim]`.
    pub fn attend(
        &self,
        attend: &Attend,
        position: usize,
        qkv: &[f32],
        out: &mut [f32],
        scratch: &mut AttendScratch,
    ) {
        let head_dim = self.head_dim;
        let query_width = attend.heads * head_dim;
        let qkv_width = query_width + 2 * attend.kv_heads * head_dim;
        let rows = out.len() / query_width;
        let first = first_seen(attend, position);
        // All rows of a pass are stored before any is read.
        let seen = position + rows;
        for kv_head in 0..attend.kv_heads {
            let range = (kv_head * self.positions + first) * head_dim
                ..(kv_head * self.positions + seen) * head_dim;
            let keys = self.keys.get(range.clone(), &mut scratch.keys);
            let values = self.values.get(range, &mut scratch.values);
            let heads =
                (0..attend.heads).filter(|it| it * attend.kv_heads / attend.heads == kv_head);
            for head in heads {
                let of_rows = qkv
                    .chunks_exact(qkv_width)
                    .zip(out.chunks_exact_mut(query_width));
                for (row, (qkv, out)) in of_rows.enumerate() {
                    let query = &qkv[head * head_dim..][..head_dim];
                    let out = &mut out[head * head_dim..][..head_dim];
                    let position = position + row;
                    let from = (first_seen(attend, position) - first) * head_dim;
                    let end = if attend.is_causal { position + 1 } else { seen };
                    let to = (end - first) * head_dim;
                    one_head(
                        query,
                        &keys[from..to],
                        &values[from..to],
                        out,
                        &mut scratch.shares,
                    );
                }
            }
        }
    }
}

/// The first position that one sees.
fn first_seen(attend: &Attend, position: usize) -> usize {
    let window = attend.window.filter(|_| attend.is_causal);
    window.map_or(0, |window| (position + 1).saturating_sub(window))
}

fn one_head(query: &[f32], keys: &[f32], values: &[f32], out: &mut [f32], shares: &mut Vec<f32>) {
    let head_dim = query.len();
    let scale = 1.0 / (head_dim as f32).sqrt();
    shares.clear();
    shares.extend(
        keys.chunks_exact(head_dim)
            .map(|key| dot(query, key) * scale),
    );
    let most = shares
        .iter()
        .fold(f32::NEG_INFINITY, |most, &it| most.max(it));
    for share in shares.iter_mut() {
        *share = exp(*share - most);
    }
    let total: f32 = shares.iter().sum();
    out.fill(0.0);
    let (fours, rest) = shares.as_chunks::<4>();
    let (of_fours, of_rest) = values.split_at(fours.len() * 4 * head_dim);
    for (&[a, b, c, d], values) in fours.iter().zip(of_fours.chunks_exact(4 * head_dim)) {
        let (first, values) = values.split_at(head_dim);
        let (second, values) = values.split_at(head_dim);
        let (third, fourth) = values.split_at(head_dim);
        let four = first.iter().zip(second).zip(third.iter().zip(fourth));
        for (out, ((first, second), (third, fourth))) in out.iter_mut().zip(four) {
            *out += (a * first + b * second) + (c * third + d * fourth);
        }
    }
    for (&share, values) in rest.iter().zip(of_rest.chunks_exact(head_dim)) {
        for (out, value) in out.iter_mut().zip(values) {
            *out += share * value;
        }
    }
    let inverse = 1.0 / total;
    out.iter_mut().for_each(|it| *it *= inverse);
}

impl Stored {
    fn set(&mut self, first: usize, from: &[f32]) {
        match self {
            Self::F32(values) => values[first..first + from.len()].copy_from_slice(from),
            Self::F16(values) => {
                for (value, from) in values[first..].iter_mut().zip(from) {
                    *value = f16::from_f32(*from).to_bits();
                }
            }
        }
    }

    /// Values as f32, widened into `room` where they are not.
    fn get<'a>(&'a self, range: std::ops::Range<usize>, room: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Self::F32(values) => &values[range],
            Self::F16(values) => {
                room.clear();
                room.extend(values[range].iter().map(|&it| from_f16(it)));
                room
            }
        }
    }
}
