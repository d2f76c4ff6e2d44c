//! What the K types share: the search for the scale of a part (ggml's `make_qkx2_quants`,
//! `make_qx_quants` and `make_q3_quants`, in the same f32 operations), and the packing of 6-bit
//! scales and minimums of Q4_K and Q5_K.

use std::array::from_fn;

use half::f16;

/// Values whose largest is below this are all zero (ggml's `GROUP_MAX_EPS`).
pub(super) const NOTHING: f32 = 1e-15;

/// As many scales are tried side by side: the sums of each run through the values in their order, as
/// ggml's do, and processors add those of several at once.
const LANES: usize = 8;

/// `value` rounded to the nearest integer, ties to even, where it is no larger than 2^22: 1.5 * 2^23
/// leaves no place for a fraction. Other values come out as something no smaller.
fn rounded(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

/// The nearest integer, ties to even, as ggml's `nearest_int`; beyond 2^22, where no caller looks
/// closer, one near it. `round_ties_even` is a function call on processors that are no newer than
/// the compiler must assume, and took most of the time.
pub(super) fn nearest(value: f32) -> i32 {
    let is_small = value.abs() <= 4_194_304.0;
    (if is_small { rounded(value) } else { value }) as i32
}

/// Quants 0 to `most` of value = scale q - min, and which scales are tried: the range of the values
/// divided by `most + first_step + 0.1 i` for i from 0 to `steps`.
#[derive(Clone, Copy)]
pub(super) struct Search {
    pub(super) most: u8,
    pub(super) first_step: f32,
    pub(super) steps: u32,
    /// The error is squared, not absolute.
    pub(super) squared_error: bool,
}

/// A part of a block with its own scale, before that is rounded.
pub(super) struct Part<const N: usize> {
    pub(super) scale: f32,
    /// Taken off; 0 for types without.
    pub(super) min: f32,
    pub(super) quants: [u8; N],
}

/// Scale and minimum for values weighted by their own size, as Q4_K and Q5_K choose them.
pub(super) fn weighted<const N: usize>(values: &[f32; N], search: Search) -> Part<N> {
    let squares: f32 = values.iter().fold(0.0, |sum, x| sum + x * x);
    let typical = (squares / N as f32).sqrt();
    scale_and_min(values, &values.map(|x| typical + x.abs()), search)
}

/// Scale and minimum with a small weighted error (`make_qkx2_quants`).
pub(super) fn scale_and_min<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    search: Search,
) -> Part<N> {
    let (min, max) = super::range(values);
    let min = min.min(0.0);
    let mut best = Part {
        scale: 0.0,
        min: -min,
        quants: [0; N],
    };
    if max == min {
        return best;
    }
    let most = f32::from(search.most);
    let above = values.map(|x| x - min);
    // In this order, so that what is no number becomes 0.
    let quant = |inverse: f32, above: f32| rounded(inverse * above).max(0.0).min(most);
    let cost = |difference: f32| match search.squared_error {
        true => difference * difference,
        false => difference.abs(),
    };

    let inverse = most / (max - min);
    best.scale = 1.0 / inverse;
    let mut best_error = 0f32;
    for i in 0..N {
        let quant = quant(inverse, above[i]);
        best_error += weights[i] * cost(best.scale * quant + min - values[i]);
        best.quants[i] = quant as u8;
    }
    let sum_weights = weights.iter().fold(0.0, |sum, weight| sum + weight);
    let pairs = values.iter().zip(weights);
    let sum_x = pairs.fold(0.0, |sum, (x, weight)| sum + weight * x);
    for first in (0..=search.steps).step_by(LANES) {
        let inverse: [f32; LANES] = from_fn(|lane| {
            let step = (first + lane as u32) as f32;
            (search.first_step + 0.1 * step + most) / (max - min)
        });
        let mut tried = [[0f32; LANES]; N];
        let (mut sum_q, mut sum_qq, mut sum_xq) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        for i in 0..N {
            for lane in 0..LANES {
                let quant = quant(inverse[lane], above[i]);
                tried[i][lane] = quant;
                sum_q[lane] += weights[i] * quant;
                sum_qq[lane] += weights[i] * quant * quant;
                sum_xq[lane] += weights[i] * quant * values[i];
            }
        }
        let determinant: [f32; LANES] =
            from_fn(|lane| sum_weights * sum_qq[lane] - sum_q[lane] * sum_q[lane]);
        let (mut scale, mut least) = ([0f32; LANES], [0f32; LANES]);
        for lane in 0..LANES {
            scale[lane] = (sum_weights * sum_xq[lane] - sum_x * sum_q[lane]) / determinant[lane];
            least[lane] = (sum_qq[lane] * sum_x - sum_q[lane] * sum_xq[lane]) / determinant[lane];
            if least[lane] > 0.0 {
                least[lane] = 0.0;
                scale[lane] = sum_xq[lane] / sum_qq[lane];
            }
        }
        let mut error = [0f32; LANES];
        for i in 0..N {
            for lane in 0..LANES {
                let difference = scale[lane] * tried[i][lane] + least[lane] - values[i];
                error[lane] += weights[i] * cost(difference);
            }
        }
        let lanes = LANES.min((search.steps + 1 - first) as usize);
        for lane in 0..lanes {
            if determinant[lane] > 0.0 && error[lane] < best_error {
                best_error = error[lane];
                best = Part {
                    scale: scale[lane],
                    min: -least[lane],
                    quants: tried.map(|it| it[lane] as u8),
                };
            }
        }
    }
    best
}

/// The scale with a small error, weighted by the squares of the values, for value = scale (q -
/// `most`) (`make_qx_quants`).
pub(super) fn symmetric<const N: usize>(values: &[f32; N], most: i32) -> Part<N> {
    /// In the order that they are tried; the first is taken whatever its error.
    const STEPS: [i32; 19] = [
        0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ];
    let largest = super::largest_by_magnitude(values);
    let mut best = Part {
        scale: 0.0,
        min: 0.0,
        quants: [0; N],
    };
    if largest.abs() < NOTHING {
        return best;
    }
    let (lowest, highest) = (-most as f32, (most - 1) as f32);
    let quant = |value: f32| {
        let value = if value.is_nan() { 0.0 } else { value };
        rounded(value).clamp(lowest, highest)
    };
    let mut best_gain = 0f32;
    for steps in STEPS.chunks(LANES) {
        let inverse: [f32; LANES] = from_fn(|lane| {
            let step = steps.get(lane).copied().unwrap_or(0);
            -(most as f32 + 0.1 * step as f32) / largest
        });
        let mut tried = [[0f32; LANES]; N];
        let (mut along, mut squares) = ([0f32; LANES], [0f32; LANES]);
        for (&x, tried) in values.iter().zip(&mut tried) {
            let weight = x * x;
            for lane in 0..LANES {
                let quant = quant(inverse[lane] * x);
                tried[lane] = quant;
                along[lane] += weight * x * quant;
                squares[lane] += weight * quant * quant;
            }
        }
        for (lane, &step) in steps.iter().enumerate() {
            let (along, squares) = (along[lane], squares[lane]);
            if step == 0 || squares > 0.0 && along * along > best_gain * squares {
                best.scale = if squares == 0.0 { 0.0 } else { along / squares };
                best_gain = best.scale * along;
                best.quants = tried.map(|it| (it[lane] as i32 + most) as u8);
            }
        }
    }
    best
}

/// As [`symmetric`], by moving one quant after the other to where it fits the others' scale best
/// (`make_q3_quants`).
pub(super) fn symmetric_by_swaps<const N: usize>(values: &[f32; N], most: i32) -> Part<N> {
    let largest = super::largest_by_magnitude(values);
    if largest.abs() < NOTHING {
        return Part {
            scale: 0.0,
            min: 0.0,
            quants: [0; N],
        };
    }
    let inverse = -(most as f32) / largest;
    let mut quants = values.map(|x| nearest(inverse * x).clamp(-most, most - 1));
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
        quants: quants.map(|it| (it + most) as u8),
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
pub(super) fn affine<const N: usize>(parts: &[Part<N>], most: f32) -> Affine {
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
pub(super) fn quants_of<const N: usize>(
    values: &[f32],
    parts: &[Part<N>],
    scales: &Affine,
    most: u8,
) -> Vec<u8> {
    let stored = |value: f32| f16::from_f32(value).to_f32();
    let (d, dmin) = (stored(scales.d), stored(scales.dmin));
    let mut quants = Vec::with_capacity(values.len());
    for (index, part) in values.chunks_exact(N).enumerate() {
        let (scale, min) = scales.parts[index];
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        if scale == 0.0 {
            quants.extend(parts[index].quants);
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
