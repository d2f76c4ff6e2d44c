//! Rotary positions: the angle by which each pair of a head's values is turned.
//!
//! Cosines and sines come from a table made here in f64, not from the shader: WGSL promises an
//! absolute error of 2^-11 for `sin` and `cos`, and only from -π to π; angles reach the context
//! length.

use super::LlamaConfig;

/// Radians a position for each pair of a head, `[head_dim / 2]`:
/// `theta^(-2i / head_dim) / (scale * factor_i)`. `factors` is the content of `rope_freqs.weight`
/// where the file has it.
pub fn rope_frequencies(config: &LlamaConfig, factors: Option<&[f32]>) -> Vec<f64> {
    let pairs = config.head_dim / 2;
    (0..pairs)
        .map(|pair| {
            let exponent = -2.0 * pair as f64 / config.head_dim as f64;
            let factor = factors.map_or(1.0, |it| f64::from(it[pair]));
            f64::from(config.rope_theta).powf(exponent) / (f64::from(config.rope_scale) * factor)
        })
        .collect()
}

/// Cosine and sine for each position and pair, `[positions, head_dim / 2]`.
pub fn rope_table(frequencies: &[f64], positions: usize) -> Vec<[f32; 2]> {
    let mut table = Vec::with_capacity(positions * frequencies.len());
    for position in 0..positions {
        for frequency in frequencies {
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            table.push([cos as f32, sin as f32]);
        }
    }
    table
}
