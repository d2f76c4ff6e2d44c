//! What the K types share: the search for the scale of a part (ggml's `make_qkx2_quants`,
//! `make_qx_quants` and `make_q3_quants`, in the same f32 operations), and the packing of 6-bit
//! scales and minimums of Q4_K and Q5_K.

use half::f16;

/// Values whose largest is below this are all zero (ggml's `GROUP_MAX_EPS`).
pub(super) const NOTHING: f32 = 1e-15;

/// The nearest integer, ties to even, as ggml's `nearest_int`.
pub(super) fn nearest(value: f32) -> i32 {
    value.round_ties_even() as i32
}

/// Quants 0 to `most` of value = scale q - min, and which scales are tried: the range of the values
/// divided by `most + first_step + 0.1 i` for i from 0 to `steps`.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) most: u8,
    pub(super) first_step: f32,
    pub(super) steps: u32,
    /// The error is squared, not absolute.
    pub(super) squared_error: bool,
}

/// A part of a block with its own scale, before that is rounded.
pub(super) struct Part {
    pub(super) scale: f32,
    /// Taken off; 0 for types without.
    pub(super) min: f32,
    pub(super) quants: Vec<u8>,
}

/// Scale and minimum for values weighted by their own size, as Q4_K and Q5_K choose them.
pub(super) fn weighted(values: &[f32], grid: Grid) -> Part {
    let squares: f32 = values.iter().fold(0.0, |sum, x| sum + x * x);
    let typical = (squares / values.len() as f32).sqrt();
    let weights: Vec<f32> = values.iter().map(|x| typical + x.abs()).collect();
    scale_and_min(values, &weights, grid)
}

/// Scale and minimum with a small weighted error (`make_qkx2_quants`).
pub(super) fn scale_and_min(values: &[f32], weights: &[f32], grid: Grid) -> Part {
    let (min, max) = super::range(values);
    let min = min.min(0.0);
    let mut best = Part {
        scale: 0.0,
        min: -min,
        quants: vec![0; values.len()],
    };
    if max == min {
        return best;
    }
    let most = f32::from(grid.most);
    let quants = |inverse: f32| -> Vec<u8> {
        let quant = |x: &f32| nearest(inverse * (x - min)).clamp(0, grid.most.into()) as u8;
        values.iter().map(quant).collect()
    };
    let error = |scale: f32, min: f32, quants: &[u8]| {
        let mut error = 0f32;
        for ((&x, &weight), &quant) in values.iter().zip(weights).zip(quants) {
            let difference = scale * f32::from(quant) + min - x;
            error += weight
                * if grid.squared_error {
                    difference * difference
                } else {
                    difference.abs()
                };
        }
        error
    };
    let inverse = most / (max - min);
    best.scale = 1.0 / inverse;
    best.quants = quants(inverse);
    let mut best_error = error(best.scale, min, &best.quants);
    let sum_weights = weights.iter().fold(0.0, |sum, weight| sum + weight);
    let pairs = || values.iter().zip(weights);
    let sum_x = pairs().fold(0.0, |sum, (x, weight)| sum + weight * x);
    for step in 0..=grid.steps {
        let inverse = (grid.first_step + 0.1 * step as f32 + most) / (max - min);
        let tried = quants(inverse);
        let (mut sum_q, mut sum_qq, mut sum_xq) = (0f32, 0f32, 0f32);
        for ((&x, &weight), &quant) in values.iter().zip(weights).zip(&tried) {
            let quant = f32::from(quant);
            sum_q += weight * quant;
            sum_qq += weight * quant * quant;
            sum_xq += weight * quant * x;
        }
        let determinant = sum_weights * sum_qq - sum_q * sum_q;
        if determinant <= 0.0 {
            continue;
        }
        let mut scale = (sum_weights * sum_xq - sum_x * sum_q) / determinant;
        let mut least = (sum_qq * sum_x - sum_q * sum_xq) / determinant;
        if least > 0.0 {
            least = 0.0;
            scale = sum_xq / sum_qq;
        }
        let tried_error = error(scale, least, &tried);
        if tried_error < best_error {
            best_error = tried_error;
            best = Part {
                scale,
                min: -least,
                quants: tried,
            };
        }
    }
    best
}

/// The scale with a small error, weighted by the squares of the values, for value = scale (q -
/// `most`) (`make_qx_quants`).
pub(super) fn symmetric(values: &[f32], most: i32) -> Part {
    let largest = super::largest_by_magnitude(values);
    let mut best = Part {
        scale: 0.0,
        min: 0.0,
        quants: vec![0; values.len()],
    };
    if largest.abs() < NOTHING {
        return best;
    }
    let mut best_gain = 0f32;
    for step in [0].into_iter().chain(-9..=-1).chain(1..=9) {
        let inverse = -(most as f32 + 0.1 * step as f32) / largest;
        let quants: Vec<i32> = values
            .iter()
            .map(|x| nearest(inverse * x).clamp(-most, most - 1))
            .collect();
        let (along, squares) = fit(values, &quants);
        if step == 0 || squares > 0.0 && along * along > best_gain * squares {
            best.scale = if squares == 0.0 { 0.0 } else { along / squares };
            best_gain = best.scale * along;
            best.quants = quants.iter().map(|it| (it + most) as u8).collect();
        }
    }
    best
}

/// As [`symmetric`], by moving one quant after the other to where it fits the others' scale best
/// (`make_q3_quants`).
pub(super) fn symmetric_by_swaps(values: &[f32], most: i32) -> Part {
    let largest = super::largest_by_magnitude(values);
    if largest.abs() < NOTHING {
        return Part {
            scale: 0.0,
            min: 0.0,
            quants: vec![0; values.len()],
        };
    }
    let inverse = -(most as f32) / largest;
    let mut quants: Vec<i32> = values
        .iter()
        .map(|x| nearest(inverse * x).clamp(-most, most - 1))
        .collect();
    let (mut along, mut squares) = fit(values, &quants);
    for _ in 0..5 {
        let mut changed = false;
        for (&x, quant) in values.iter().zip(&mut quants) {
            let weight = x * x;
            let old = *quant as f32;
            let mut other_along = along - weight * x * old;
            if other_along <= 0.0 {
                continue;
            }
            let mut other_squares = squares - weight * old * old;
            let moved = nearest(x * other_squares / other_along).clamp(-most, most - 1);
            if moved == *quant {
                continue;
            }
            let new = moved as f32;
            other_along += weight * x * new;
            other_squares += weight * new * new;
            if other_squares > 0.0
                && other_along * other_along * squares > along * along * other_squares
            {
                *quant = moved;
                (along, squares) = (other_along, other_squares);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    Part {
        scale: if squares > 0.0 { along / squares } else { 0.0 },
        min: 0.0,
        quants: quants.iter().map(|it| (it + most) as u8).collect(),
    }
}

/// Sums of x² q x and x² q².
fn fit(values: &[f32], quants: &[i32]) -> (f32, f32) {
    let (mut along, mut squares) = (0f32, 0f32);
    for (&x, &quant) in values.iter().zip(quants) {
        let (weight, quant) = (x * x, quant as f32);
        along += weight * x * quant;
        squares += weight * quant * quant;
    }
    (along, squares)
}

/// Scales and minimums of a block's parts as integers, with their common factors.
pub(super) struct Affine {
    pub(super) d: f32,
    pub(super) dmin: f32,
    pub(super) parts: Vec<(u8, u8)>,
}

/// Rounds scales and minimums to integers from 0 to `most`.
pub(super) fn affine(parts: &[Part], most: f32) -> Affine {
    let max_scale = parts.iter().fold(0f32, |max, it| max.max(it.scale));
    let max_min = parts.iter().fold(0f32, |max, it| max.max(it.min));
    let inverse = |max: f32| if max > 0.0 { most / max } else { 0.0 };
    let integer = |inverse: f32, value: f32| nearest(inverse * value).clamp(0, most as i32) as u8;
    Affine {
        d: max_scale / most,
        dmin: max_min / most,
        parts: parts
            .iter()
            .map(|it| {
                (
                    integer(inverse(max_scale), it.scale),
                    integer(inverse(max_min), it.min),
                )
            })
            .collect(),
    }
}

/// Quants for the scales as they are stored; those of the search where a scale became 0.
pub(super) fn quants_of(values: &[f32], parts: &[Part], scales: &Affine, most: u8) -> Vec<u8> {
    let rounded = |value: f32| f16::from_f32(value).to_f32();
    let (d, dmin) = (rounded(scales.d), rounded(scales.dmin));
    let part_len = values.len() / parts.len();
    let mut quants = Vec::with_capacity(values.len());
    for (index, part) in values.chunks_exact(part_len).enumerate() {
        let (scale, min) = scales.parts[index];
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        if scale == 0.0 {
            quants.extend(&parts[index].quants);
        } else {
            let quant = |x: &f32| nearest((x + min) / scale).clamp(0, most.into()) as u8;
            quants.extend(part.iter().map(quant));
        }
    }
    quants
}

/// Bytes of the 6-bit scales and minimums of 8 parts.
pub(super) const PACKED_BYTES: usize = 12;

/// Scale and minimum of a part: the first four parts' are the low 6 bits of bytes 0 to 3 and 4 to 7;
/// the last four's have their low bits in the halves of bytes 8 to 11, their two top bits in those
/// of the first eight.
pub(super) fn packed_scale(packed: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        return (packed[part] & 63, packed[part + 4] & 63);
    }
    let low = packed[part + 4];
    (
        (low & 15) | (packed[part - 4] >> 6) << 4,
        (low >> 4) | (packed[part] >> 6) << 4,
    )
}

/// Stores scales and minimums as [`packed_scale`] reads them.
pub(super) fn put_packed(parts: &[(u8, u8)], out: &mut Vec<u8>) {
    let mut packed = [0; PACKED_BYTES];
    for (part, &(scale, min)) in parts.iter().enumerate() {
        if part < 4 {
            packed[part] = scale;
            packed[part + 4] = min;
        } else {
            packed[part + 4] = (scale & 15) | (min & 15) << 4;
            packed[part - 4] |= scale >> 4 << 6;
            packed[part] |= min >> 4 << 6;
        }
    }
    out.extend(packed);
}
