//! What the steps compute besides matrix products, written as loops that compilers make vectors of.

use super::lanes::{F32x4, LANES};

/// `e^x` with a relative error below 2^-22, for |x| up to 87; beyond it, what is at 87. Without
/// calls and branches, so that four are computed at once: x = n ln 2 + r with |r| <= ln 2 / 2, and
/// the polynomial of Cephes for e^r.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23 leaves no place for a fraction.
    const SHIFT: f32 = 12_582_912.0;
    /// ln 2 in two parts: the first has 9 bits, so that its product with n is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5.0e-1,
    ];
    let x = x.clamp(-87.0, 87.0);
    let n = (x * std::f32::consts::LOG2_E + SHIFT) - SHIFT;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let [first, terms @ ..] = TERMS;
    let series = terms.iter().fold(first, |sum, term| sum * r + term);
    let value = series * r * r + r + 1.0;
    value * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// `x / (1 + e^-x)`
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `sum over i of a[i] b[i]`
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_fours, a_rest) = a.as_chunks::<LANES>();
    let (b_fours, b_rest) = b.as_chunks::<LANES>();
    let (a_pairs, a_last) = a_fours.as_chunks::<2>();
    let (b_pairs, b_last) = b_fours.as_chunks::<2>();
    let mut sums = [F32x4::splat(0.0); 2];
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        for half in 0..2 {
            let product = F32x4::load(&a[half]).mul(F32x4::load(&b[half]));
            sums[half] = sums[half].add(product);
        }
    }
    for (a, b) in a_last.iter().zip(b_last) {
        sums[0] = sums[0].add(F32x4::load(a).mul(F32x4::load(b)));
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d] = sums[0].add(sums[1]).to_array();
    (a + b) + (c + d) + rest
}

/// `out = weight * x / sqrt(mean(x^2) + eps)` of one row.
pub fn rms_norm(weight: &[f32], x: &[f32], eps: f32, out: &mut [f32]) {
    let scale = scale(x, eps);
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = weight * x * scale;
    }
}

/// The same in place.
pub fn rms_norm_in_place(weight: &[f32], x: &mut [f32], eps: f32) {
    let scale = scale(x, eps);
    for (x, weight) in x.iter_mut().zip(weight) {
        *x *= weight * scale;
    }
}

fn scale(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + eps).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{dot, exp, silu};

    #[test]
    fn the_exponential_is_right_to_two_parts_in_ten_million() {
        let mut worst = 0f64;
        for step in -87_000..=87_000 {
            let x = step as f32 / 1000.0;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2f64.powi(-22), "{worst:e}");
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1e9) > 0.0 && exp(1e9).is_finite());
    }

    #[test]
    fn silu_of_large_values_is_the_value_or_nothing() {
        assert_eq!(silu(100.0), 100.0);
        assert!(silu(-100.0).abs() < 1e-35);
    }

    #[test]
    fn products_of_every_length_count_every_value() {
        for len in 0..20 {
            let a: Vec<f32> = (0..len).map(|it| it as f32).collect();
            let b = vec![2.0; len];
            assert_eq!(dot(&a, &b), (len * len.saturating_sub(1)) as f32);
        }
    }
}
