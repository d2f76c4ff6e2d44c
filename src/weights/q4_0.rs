//! Q4_0: 32 unsigned 4-bit quants with one f16 scale d, value = d (q - 8). Byte i of the 16 holds
//! value i in its low half and value i + 16 in its high half; on the GPU these bytes are the main
//! plane.

use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 2;
const OFFSET: f32 = 8.0;

pub(super) const FORMAT: Format = Format {
    name: "Q4_0",
    ggml_id: 2,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + BLOCK_LEN / 2,
    main_bytes: BLOCK_LEN / 2,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: -8,
            most: 7,
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
        out.levels[index] = (byte & 15) as i8 - 8;
        out.levels[index + BLOCK_LEN / 2] = (byte >> 4) as i8 - 8;
    }
}

/// ggml's `quantize_row_q4_0_ref`: the value that is largest without its sign becomes -8.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let d = super::largest_by_magnitude(values) / -OFFSET;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_half(d, out);
    let quant = |x: f32| ((x * inverse + (OFFSET + 0.5)) as u8).min(15);
    let (low, high) = values.split_at(BLOCK_LEN / 2);
    out.extend(
        low.iter()
            .zip(high)
            .map(|(&a, &b)| quant(a) | quant(b) << 4),
    );
}
