//! Rows of activations as the products with matrices read them: some rows side by side, so that a
//! matrix is unpacked once for all of them.

use std::array::from_fn;

/// The largest absolute value of a quantized activation. The sum of a part's products stays in an
/// i32: at most 32 levels of -128, times 2^15, is 2^27. ggml's wasm kernels have 8 bits here; with
/// 16 the pairs of i16 that are multiplied anyway are used in full, at no cost, and what rounding
/// does to an answer is as little as what f32 does.
const MOST: f32 = 32767.0;

/// `T` rows of `cols` quantized values, for matrices of levels; a scale a part.
#[derive(Clone, Debug, Default)]
pub struct Quantized<const T: usize> {
    /// `[cols / 2]` pairs of neighbors.
    pub pairs: Vec<[[i16; 2]; T]>,
    /// `[cols / part_len]`
    pub scales: Vec<[f32; T]>,
    /// Sums of the quantized values of a part, `[cols / part_len]`.
    pub sums: Vec<[i32; T]>,
}

impl<const T: usize> Quantized<T> {
    /// Takes in rows, `[at most T, cols]`; those that are missing are zeros.
    pub fn set(&mut self, rows: &[f32], cols: usize, part_len: usize) {
        self.pairs.clear();
        self.pairs.resize(cols / 2, [[0; 2]; T]);
        self.scales.clear();
        self.scales.resize(cols / part_len, [0.0; T]);
        self.sums.clear();
        self.sums.resize(cols / part_len, [0; T]);
        for (t, row) in rows.chunks_exact(cols).enumerate() {
            let pairs = self.pairs.chunks_exact_mut(part_len / 2);
            for (part, (values, pairs)) in row.chunks_exact(part_len).zip(pairs).enumerate() {
                let largest = values.iter().fold(0f32, |most, x| most.max(x.abs()));
                let scale = largest / MOST;
                let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                let mut sum = 0;
                for (pair, values) in pairs.iter_mut().zip(values.as_chunks::<2>().0) {
                    let quants = values.map(|x| rounded(x * inverse));
                    sum += quants[0] + quants[1];
                    pair[t] = quants.map(|it| it as i16);
                }
                self.scales[part][t] = scale;
                self.sums[part][t] = sum;
            }
        }
    }
}

/// Rounds to the nearest integer where |x| is no larger than 2^22: 1.5 * 2^23 leaves no place for a
/// fraction. (`f32::round` is a call on some processors.)
fn rounded(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    // An inverse that overflowed, of values near 1e-38, must not wrap.
    ((x.clamp(-MOST, MOST) + SHIFT) - SHIFT) as i32
}

/// `T` rows side by side, `[cols]` of `[T]`, for matrices of floats.
#[derive(Clone, Debug, Default)]
pub struct Floats<const T: usize>(pub Vec<[f32; T]>);

impl<const T: usize> Floats<T> {
    /// Takes in rows, `[at most T, cols]`; those that are missing are zeros.
    pub fn set(&mut self, rows: &[f32], cols: usize) {
        let value = |t: usize, col: usize| rows.get(t * cols + col).copied().unwrap_or(0.0);
        self.0.clear();
        self.0
            .extend((0..cols).map(|col| from_fn(|t| value(t, col))));
    }
}
