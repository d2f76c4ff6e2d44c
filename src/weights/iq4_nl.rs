//! IQ4_NL: 32 4-bit indices into a table of levels with one f16 scale d, value = d LEVELS[q]. The
//! levels lie closer near zero, as weights do. Stored as Q4_0, on the GPU too.

use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 2;

/// ggml's `kvalues_iq4nl`.
const LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

pub(super) const FORMAT: Format = Format {
    name: "IQ4_NL",
    ggml_id: 20,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + BLOCK_LEN / 2,
    main_bytes: BLOCK_LEN / 2,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: -127,
            most: 113,
            has_min: false,
        },
        levels,
    ),
    quantize,
    split: |block, main, scales| {
        let (scale, quants) = block.split_at(SCALE_BYTES);
        main.extend(quants);
        scales.extend(scale);
    },
    is_finite: |block| half(block, 0).is_finite(),
};

fn levels(block: &[u8], out: &mut Levels) {
    out.scales[0] = half(block, 0);
    for (index, &byte) in block[SCALE_BYTES..].iter().enumerate() {
        out.levels[index] = LEVELS[usize::from(byte & 15)];
        out.levels[index + BLOCK_LEN / 2] = LEVELS[usize::from(byte >> 4)];
    }
}

/// ggml's `quantize_row_iq4_nl_ref`: indices for the scale that makes the value that is largest
/// without its sign the first level, then the scale with the least squared error, weighted by the
/// squares of the values.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let largest = super::largest_by_magnitude(values);
    if largest.abs() < super::k_quants::NOTHING {
        out.extend([0; SCALE_BYTES + BLOCK_LEN / 2]);
        return;
    }
    let inverse = 1.0 / (largest / f32::from(LEVELS[0]));
    let indices: Vec<u8> = values.iter().map(|x| nearest_level(x * inverse)).collect();
    let (mut along, mut squares) = (0f32, 0f32);
    for (&x, &index) in values.iter().zip(&indices) {
        let level = f32::from(LEVELS[usize::from(index)]);
        along += x * x * level * x;
        squares += x * x * level * level;
    }
    put_half(along / squares, out);
    let (low, high) = indices.split_at(BLOCK_LEN / 2);
    out.extend(low.iter().zip(high).map(|(a, b)| a | b << 4));
}

/// Index of the level nearest to a value, the upper one of two as near.
fn nearest_level(value: f32) -> u8 {
    let above = LEVELS.partition_point(|&level| f32::from(level) <= value);
    if above == 0 || above == LEVELS.len() {
        return above.saturating_sub(1) as u8;
    }
    let below = value - f32::from(LEVELS[above - 1]);
    let index = if below < f32::from(LEVELS[above]) - value {
        above - 1
    } else {
        above
    };
    index as u8
}
