//! Q5_1: 32 unsigned 5-bit quants with f16 scale d and minimum m, value = d q + m. The quants are
//! stored as in Q5_0; on the GPU they are the main plane, d and m a word of the scale plane.

use super::q5_0::{put_quants, quants};
use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 4;

pub(super) const FORMAT: Format = Format {
    name: "Q5_1",
    ggml_id: 7,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + 4 + BLOCK_LEN / 2,
    main_bytes: 4 + BLOCK_LEN / 2,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: 0,
            most: 31,
            has_min: true,
        },
        levels,
    ),
    quantize,
    split: |block, main, scales| {
        let (scale, quants) = block.split_at(SCALE_BYTES);
        main.extend(quants);
        scales.extend(scale);
    },
    is_finite: |block| half(block, 0).is_finite() && half(block, 2).is_finite(),
};

fn levels(block: &[u8], out: &mut Levels) {
    (out.scales[0], out.mins[0]) = (half(block, 0), half(block, 2));
    for (level, quant) in out.levels.iter_mut().zip(quants(&block[SCALE_BYTES..])) {
        *level = quant as i8;
    }
}

/// ggml's `quantize_row_q5_1_ref`: the smallest value becomes 0, the largest 31.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let (min, max) = super::range(values);
    let d = (max - min) / 31.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_half(d, out);
    put_half(min, out);
    let quant = |x: &f32| (((x - min) * inverse + 0.5) as u8).min(31);
    put_quants(values.iter().map(quant), out);
}
