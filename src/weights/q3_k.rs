//! Q3_K: 256 3-bit quants as 16 parts of 16, value = d (s - 32) (q - 4). In the file: 32 bytes with
//! the top bit of each quant, 64 with the two bits below as in Q2_K, 12 with the 6-bit scales s of
//! the parts, and d, an f16, which is the scale plane on the GPU.

use super::k_quants::{nearest, symmetric_by_swaps};
use super::q2_k::place;
use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 256;
const PART_LEN: usize = 16;
const TOP_BYTES: usize = BLOCK_LEN / 8;
const LOW_BYTES: usize = BLOCK_LEN / 4;
const MAIN_BYTES: usize = TOP_BYTES + LOW_BYTES + 12;
const SCALE_BYTES: usize = 2;

pub(super) const FORMAT: Format = Format {
    name: "Q3_K",
    ggml_id: 11,
    block_len: BLOCK_LEN,
    block_bytes: MAIN_BYTES + SCALE_BYTES,
    main_bytes: MAIN_BYTES,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: PART_LEN,
            least: -4,
            most: 3,
            has_min: false,
        },
        levels,
    ),
    quantize,
    split: |block, main, scales| {
        let (packed, scale) = block.split_at(MAIN_BYTES);
        main.extend(packed);
        scales.extend(scale);
    },
    is_finite: |block| half(block, MAIN_BYTES).is_finite(),
};

/// The 6-bit scale of a part: four bits in half a byte of the first 8, two in a byte of the last 4.
fn scale(packed: &[u8], part: usize) -> u8 {
    let low = packed[part % 8] >> (part / 8 * 4) & 15;
    let top = packed[8 + part % 4] >> (part / 4 * 2) & 3;
    low | top << 4
}

/// Byte and bit of a quant's top bit: byte i holds those of values i, i + 32 and so on.
fn top_place(index: usize) -> (usize, usize) {
    (index % 32, index / 32)
}

fn levels(block: &[u8], out: &mut Levels) {
    let (top, rest) = block.split_at(TOP_BYTES);
    let (low, rest) = rest.split_at(LOW_BYTES);
    let d = half(block, MAIN_BYTES);
    for (part, part_scale) in out.scales.iter_mut().enumerate() {
        *part_scale = d * (f32::from(scale(rest, part)) - 32.0);
    }
    for (index, level) in out.levels.iter_mut().enumerate() {
        let (byte, shift) = place(index);
        let (top_byte, bit) = top_place(index);
        let quant = (low[byte] >> shift & 3) | (top[top_byte] >> bit & 1) << 2;
        *level = quant as i8 - 4;
    }
}

/// ggml's `quantize_row_q3_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let parts: Vec<_> = values
        .as_chunks::<PART_LEN>()
        .0
        .iter()
        .map(|part| symmetric_by_swaps(part, 4))
        .collect();
    let found: Vec<f32> = parts.iter().map(|it| it.scale).collect();
    let largest = super::largest_by_magnitude(&found);
    let start = out.len();
    out.resize(start + MAIN_BYTES, 0);
    let inverse = if largest == 0.0 { 0.0 } else { -32.0 / largest };
    let d = if largest == 0.0 { 0.0 } else { 1.0 / inverse };
    put_half(d, out);
    let d = half(out, start + MAIN_BYTES);
    let (top, rest) = out[start..].split_at_mut(TOP_BYTES);
    let (low, scales) = rest.split_at_mut(LOW_BYTES);
    if largest != 0.0 {
        for (part, &found) in found.iter().enumerate() {
            let scale = (nearest(inverse * found).clamp(-32, 31) + 32) as u8;
            scales[part % 8] |= (scale & 15) << (part / 8 * 4);
            scales[8 + part % 4] |= scale >> 4 << (part / 4 * 2);
        }
    }
    for (index, &x) in values.iter().enumerate() {
        let part = index / PART_LEN;
        let step = d * (f32::from(scale(scales, part)) - 32.0);
        let quant = if step == 0.0 {
            parts[part].quants[index % PART_LEN]
        } else {
            (nearest(x / step).clamp(-4, 3) + 4) as u8
        };
        let (byte, shift) = place(index);
        let (top_byte, bit) = top_place(index);
        low[byte] |= (quant & 3) << shift;
        top[top_byte] |= quant >> 2 << bit;
    }
}
