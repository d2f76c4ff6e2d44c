//! Q6_K: 256 6-bit quants as 16 parts of 16, value = d s (q - 32), s a signed byte. In the file: 128
//! bytes with the four low bits, 64 with the two top bits, the 16 scales, and d, an f16, which is the
//! scale plane on the GPU.

use super::k_quants::{NOTHING, nearest, symmetric};
use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 256;
const PART_LEN: usize = 16;
const LOW_BYTES: usize = BLOCK_LEN / 2;
const TOP_BYTES: usize = BLOCK_LEN / 4;
const MAIN_BYTES: usize = LOW_BYTES + TOP_BYTES + BLOCK_LEN / PART_LEN;
const SCALE_BYTES: usize = 2;

pub(super) const FORMAT: Format = Format {
    name: "Q6_K",
    ggml_id: 14,
    block_len: BLOCK_LEN,
    block_bytes: MAIN_BYTES + SCALE_BYTES,
    main_bytes: MAIN_BYTES,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: PART_LEN,
            least: -32,
            most: 31,
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

/// Byte and shift of a quant's four low bits: 64 bytes hold 128 values, the low halves the first 64.
fn low_place(index: usize) -> (usize, usize) {
    (index / 128 * 64 + index % 64, index % 128 / 64 * 4)
}

/// Byte and shift of a quant's two top bits: 32 bytes hold 128 values.
fn top_place(index: usize) -> (usize, usize) {
    (index / 128 * 32 + index % 32, index % 128 / 32 * 2)
}

fn levels(block: &[u8], out: &mut Levels) {
    let (low, rest) = block.split_at(LOW_BYTES);
    let (top, scales) = rest.split_at(TOP_BYTES);
    let d = half(block, MAIN_BYTES);
    for (part_scale, &scale) in out.scales.iter_mut().zip(scales) {
        *part_scale = d * f32::from(scale as i8);
    }
    for (index, level) in out.levels.iter_mut().enumerate() {
        let (byte, shift) = low_place(index);
        let (top_byte, top_shift) = top_place(index);
        let quant = (low[byte] >> shift & 15) | (top[top_byte] >> top_shift & 3) << 4;
        *level = quant as i8 - 32;
    }
}

/// ggml's `quantize_row_q6_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    let parts: Vec<_> = values
        .as_chunks::<PART_LEN>()
        .0
        .iter()
        .map(|part| symmetric(part, 32))
        .collect();
    let found: Vec<f32> = parts.iter().map(|it| it.scale).collect();
    let largest = super::largest_by_magnitude(&found);
    let start = out.len();
    out.resize(start + MAIN_BYTES, 0);
    if largest.abs() < NOTHING {
        put_half(0.0, out);
        return;
    }
    let inverse = -128.0 / largest;
    put_half(1.0 / inverse, out);
    let d = half(out, start + MAIN_BYTES);
    let (low, rest) = out[start..].split_at_mut(LOW_BYTES);
    let (top, scales) = rest.split_at_mut(TOP_BYTES);
    for (scale, found) in scales.iter_mut().zip(&found) {
        *scale = nearest(inverse * found).min(127) as i8 as u8;
    }
    for (index, &x) in values.iter().enumerate() {
        let part = index / PART_LEN;
        let step = d * f32::from(scales[part] as i8);
        let quant = if step == 0.0 {
            parts[part].quants[index % PART_LEN]
        } else {
            (nearest(x / step).clamp(-32, 31) + 32) as u8
        };
        let (byte, shift) = low_place(index);
        let (top_byte, top_shift) = top_place(index);
        low[byte] |= (quant & 15) << shift;
        top[top_byte] |= quant >> 4 << top_shift;
    }
}
