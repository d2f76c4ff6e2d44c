//! Products of a matrix with rows of activations. Four rows of the matrix are a vector's lanes; they
//! are unpacked once for up to four rows of activations.

use super::activations::{Floats, Quantized};
use super::lanes::{F32x4, I16x8, I32x4, LANES, bytes, nibbles};
use super::matrix::{Matrix, Packed, Values, from_bf16, from_f16};

/// Rows of activations that are taken together where there are more than one: as many sums, levels
/// and a pair fit the 16 vector registers of x86.
const TOGETHER: usize = 4;

/// Activations in the forms that kernels read, kept so that no product allocates.
#[derive(Default)]
pub struct Scratch {
    quantized_one: Quantized<1>,
    quantized: Quantized<TOGETHER>,
    floats_one: Floats<1>,
    floats: Floats<TOGETHER>,
}

/// `out[row] = W x[row]`; `x` `[rows, cols]`, `out` `[rows, rows of W]`.
pub fn product(matrix: &Matrix, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let (rows, cols) = (matrix.rows, matrix.cols);
    if out.len() == rows {
        return match &matrix.values {
            Values::Levels(packed) => {
                scratch.quantized_one.set(x, cols, packed.grid.part_len);
                levels(packed, &scratch.quantized_one, rows, out);
            }
            values => {
                scratch.floats_one.set(x, cols);
                floats(values, &scratch.floats_one, rows, out);
            }
        };
    }
    for (x, out) in x
        .chunks(TOGETHER * cols)
        .zip(out.chunks_mut(TOGETHER * rows))
    {
        match &matrix.values {
            Values::Levels(packed) => {
                scratch.quantized.set(x, cols, packed.grid.part_len);
                levels(packed, &scratch.quantized, rows, out);
            }
            values => {
                scratch.floats.set(x, cols);
                floats(values, &scratch.floats, rows, out);
            }
        }
    }
}

fn levels<const T: usize>(packed: &Packed, x: &Quantized<T>, rows: usize, out: &mut [f32]) {
    match (packed.is_nibbles, packed.grid.part_len) {
        (true, 32) => groups::<T, 4, 4>(packed, nibbles, x, rows, out),
        (true, _) => groups::<T, 4, 2>(packed, nibbles, x, rows, out),
        (false, 32) => groups::<T, 2, 8>(packed, bytes, x, rows, out),
        (false, _) => groups::<T, 2, 4>(packed, bytes, x, rows, out),
    }
}

/// `P` pairs of each lane are in a vector, `V` vectors in a part.
#[inline(always)]
fn groups<const T: usize, const P: usize, const V: usize>(
    packed: &Packed,
    unpack: impl Fn(&[u8; 16]) -> [I16x8; P],
    x: &Quantized<T>,
    rows: usize,
    out: &mut [f32],
) {
    let parts = x.scales.len();
    let offset = if packed.is_nibbles {
        i32::from(packed.grid.least)
    } else {
        0
    };
    let pairs = x.pairs.as_chunks::<P>().0.as_chunks::<V>().0;
    let vectors = packed.vectors.as_chunks::<V>().0.chunks_exact(parts);
    let groups = vectors.zip(packed.scales.chunks_exact(parts));
    for (group, (vectors, scales)) in groups.enumerate() {
        let mut sums = [F32x4::splat(0.0); T];
        let of_x = pairs.iter().zip(&x.scales).zip(&x.sums);
        for ((vectors, scale), ((pairs, x_scales), x_sums)) in vectors.iter().zip(scales).zip(of_x)
        {
            let mut integers = x_sums.map(|sum| I32x4::splat(offset * sum));
            for (vector, pairs) in vectors.iter().zip(pairs) {
                for (level, pair) in unpack(vector).into_iter().zip(pairs) {
                    for (integer, &pair) in integers.iter_mut().zip(pair) {
                        *integer = integer.add(level.dot_pairs(I16x8::splat_pair(pair)));
                    }
                }
            }
            let scale = F32x4::load(scale);
            for t in 0..T {
                let scale = scale.mul(F32x4::splat(x_scales[t]));
                sums[t] = sums[t].add(integers[t].to_f32().mul(scale));
            }
        }
        if packed.grid.has_min {
            let mins = &packed.mins[group * parts..][..parts];
            for ((min, x_scales), x_sums) in mins.iter().zip(&x.scales).zip(&x.sums) {
                for t in 0..T {
                    let sum = F32x4::splat(x_scales[t] * x_sums[t] as f32);
                    sums[t] = sums[t].add(F32x4::load(min).mul(sum));
                }
            }
        }
        store(group, &sums, rows, out);
    }
}

fn floats<const T: usize>(values: &Values, x: &Floats<T>, rows: usize, out: &mut [f32]) {
    match values {
        Values::F32(values) => float_groups(values, |it| *it, x, rows, out),
        Values::F16(values) => float_groups(values, |it| it.map(from_f16), x, rows, out),
        Values::Bf16(values) => float_groups(values, |it| it.map(from_bf16), x, rows, out),
        Values::Levels(_) => unreachable!("levels have a kernel of their own"),
    }
}

/// Columns that are summed apart from each other, so that an addition need not wait for the last.
const APART: usize = 4;

#[inline(always)]
fn float_groups<V, const T: usize>(
    values: &[[V; LANES]],
    unpack: impl Fn(&[V; LANES]) -> [f32; LANES],
    x: &Floats<T>,
    rows: usize,
    out: &mut [f32],
) {
    for (group, values) in values.chunks_exact(x.0.len()).enumerate() {
        let mut sums = [[F32x4::splat(0.0); T]; APART];
        let (fours, rest) = values.as_chunks::<APART>();
        let (x_fours, x_rest) = x.0.as_chunks::<APART>();
        let mut add = |apart: usize, value: &[V; LANES], x: &[f32; T]| {
            let value = F32x4::load(&unpack(value));
            for (sum, &x) in sums[apart].iter_mut().zip(x) {
                *sum = sum.add(value.mul(F32x4::splat(x)));
            }
        };
        for (values, x) in fours.iter().zip(x_fours) {
            for apart in 0..APART {
                add(apart, &values[apart], &x[apart]);
            }
        }
        for (value, x) in rest.iter().zip(x_rest) {
            add(0, value, x);
        }
        let [mut total, others @ ..] = sums;
        for other in others {
            for (total, other) in total.iter_mut().zip(other) {
                *total = total.add(other);
            }
        }
        store(group, &total, rows, out);
    }
}

/// The sums of a group to its four columns of each row that there is.
#[inline(always)]
fn store<const T: usize>(group: usize, sums: &[F32x4; T], rows: usize, out: &mut [f32]) {
    let first = group * LANES;
    let count = LANES.min(rows - first);
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(rows)) {
        out[first..first + count].copy_from_slice(&sums.to_array()[..count]);
    }
}
