//! Q4_1: 32 unsigned 4-bit quants with f16 scale d and minimum m, value = d q + m. Byte i of the 16
//! holds value i in its low half and value i + 16 in its high half; on the GPU these bytes are the
//! main plane, d and m a word of the scale plane.

use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 4;

pub(super) const FORMAT: Format = Format {
    name: "Q4_1",
    ggml_id: 3,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + BLOCK_LEN / 2,
    main_bytes: BLOCK_LEN / 2,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: 0,
            most: 15,
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
    for (index, &byte) in block[SCALE_BYTES..].iter().enumerate() {
        out.levels[index] = (byte & 15) as i8;
        out.levels[index + BLOCK_LEN / 2] = (byte >> 4) as i8;
    }
}

/// ggml's `quantize_row_q4_1_ref`: the smallest value becomes 0, the largest 15.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let (min, max) = super::range(values);
    let d = (max - min) / 15.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_half(d, out);
    put_half(min, out);
    let quant = |x: f32| (((x - min) * inverse + 0.5) as u8).min(15);
    let (low, high) = values.split_at(BLOCK_LEN / 2);
    out.extend(
        low.iter()
            .zip(high)
            .map(|(&a, &b)| quant(a) | quant(b) << 4),
    );
}
