//! Loops over `f32` slices written so that the compiler turns them into vector instructions.

/// Accumulators of a sum: enough independent chains to hide the latency of an addition.
const LANES: usize = 16;

/// a·b + c; as one instruction where the build's target has it.
#[inline(always)]
pub fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_feature = "fma") {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// e^x for x ≤ 88, to 2 ulp; the degree-5 polynomial of Cephes' `expf`. Without calls, so that loops over it
/// vectorize, which the standard library's does not.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding and taking away rounds to the nearest integer
    let x = x.clamp(-87.0, 88.0);
    let n = x * std::f32::consts::LOG2_E + ROUND - ROUND;
    let r = multiply_add(n, 2.121_944_4e-4, multiply_add(n, -0.693_359_4, x));
    let p = 1.987_569_1e-4;
    let p = multiply_add(p, r, 1.398_199_9e-3);
    let p = multiply_add(p, r, 8.333_452e-3);
    let p = multiply_add(p, r, 4.166_579_6e-2);
    let p = multiply_add(p, r, 1.666_666_6e-1);
    let p = multiply_add(p, r, 0.5);
    let p = multiply_add(p, r * r, r + 1.0);
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

#[inline(always)]
fn fold(values: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, value);
    }
    lanes.into_iter().reduce(&step).expect("LANES is not zero")
}

/// Sum in `LANES` partial sums.
#[inline(always)]
pub fn sum(values: &[f32]) -> f32 {
    fold(values, 0.0, |a, b| a + b)
}

/// The largest value; −∞ for none.
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    fold(values, f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// Σ a·b in `LANES` partial sums.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = multiply_add(a[i], b[i], lanes[i]);
        }
    }
    for i in 0..a_rest.len().min(b_rest.len()) {
        lanes[i] += a_rest[i] * b_rest[i];
    }
    lanes.into_iter().sum()
}

/// Turns scores into `exp(scale · score − max)` and returns their sum.
#[inline(always)]
pub fn exp_scaled(scores: &mut [f32], scale: f32) -> f32 {
    let top = max(scores) * scale;
    for score in scores.iter_mut() {
        *score = exp(*score * scale - top);
    }
    sum(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for i in -8600..8700 {
            let x = i as f32 * 0.01;
            let error = (exp(x) as f64 / (x as f64).exp() - 1.0).abs();
            assert!(error < 4e-7, "exp({x}): relative error {error}");
        }
    }

    #[test]
    fn sums_take_in_the_rest_behind_the_last_chunk() {
        let values: Vec<f32> = (1..=37).map(|i| i as f32).collect();
        assert_eq!(sum(&values), 703.0);
        assert_eq!(max(&values), 37.0);
        assert_eq!(dot(&values, &values), 17575.0);
    }
}
