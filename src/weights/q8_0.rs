//! Q8_0: 32 signed 8-bit quants with one f16 scale d, value = d q. In the file d comes first; on
//! the GPU the quants (four a word, the earliest in the low byte) are the main plane, the scales
//! (two a word) the scale plane.

use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 2;

pub(super) const FORMAT: Format = Format {
    name: "Q8_0",
    ggml_id: 8,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + BLOCK_LEN,
    main_bytes: BLOCK_LEN,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: -128,
            most: 127,
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
    for (level, &quant) in out.levels.iter_mut().zip(&block[SCALE_BYTES..]) {
        *level = quant as i8;
    }
}

/// ggml's `quantize_row_q8_0_ref`: d = max |x| / 127, q = round(x / d), halves away from zero,
/// with the d that f16 has not rounded yet.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let largest = values.iter().fold(0f32, |max, x| max.max(x.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_half(d, out);
    out.extend(values.iter().map(|x| (x * inverse).round() as i8 as u8));
}
