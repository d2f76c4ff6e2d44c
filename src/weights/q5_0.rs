//! Q5_0: 32 unsigned 5-bit quants with one f16 scale d, value = d (q - 16). Bit i of a `u32` is the
//! top bit of value i; byte i of the 16 behind it holds the rest of value i in its low half and of
//! value i + 16 in its high half. On the GPU word and bytes are the main plane.

use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 32;
const SCALE_BYTES: usize = 2;
const OFFSET: f32 = 16.0;

pub(super) const FORMAT: Format = Format {
    name: "Q5_0",
    ggml_id: 6,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + 4 + BLOCK_LEN / 2,
    main_bytes: 4 + BLOCK_LEN / 2,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: BLOCK_LEN,
            least: -16,
            most: 15,
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
    for (level, quant) in out.levels.iter_mut().zip(quants(&block[SCALE_BYTES..])) {
        *level = quant as i8 - 16;
    }
}

/// The quants of top bits and halves of bytes, as Q5_0 and Q5_1 store them.
pub(super) fn quants(packed: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let (top, halves) = packed.split_at(4);
    (0..BLOCK_LEN).map(move |index| {
        let byte = halves[index % 16];
        let low = if index < 16 { byte & 15 } else { byte >> 4 };
        low | (top[index / 8] >> (index % 8) & 1) << 4
    })
}

/// Stores quants as [`quants`] reads them.
pub(super) fn put_quants(quants: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + 4 + BLOCK_LEN / 2, 0);
    let (top, halves) = out[start..].split_at_mut(4);
    for (index, quant) in quants.enumerate() {
        top[index / 8] |= quant >> 4 << (index % 8);
        halves[index % 16] |= (quant & 15) << (index / 16 * 4);
    }
}

/// ggml's `quantize_row_q5_0_ref`: the value that is largest without its sign becomes -16.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let d = super::largest_by_magnitude(values) / -OFFSET;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_half(d, out);
    let quant = |x: &f32| ((x * inverse + (OFFSET + 0.5)) as u8).min(31);
    put_quants(values.iter().map(quant), out);
}
