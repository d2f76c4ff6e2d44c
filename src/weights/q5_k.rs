//! Q5_K: 256 unsigned 5-bit quants as 8 parts of 32, value = d s q - dmin m: Q4_K with 32 bytes of
//! top bits between the scales and the four low bits; bit p of byte i is that of value i of part p.

use super::k_quants::{Grid, PACKED_BYTES, affine, packed_scale, put_packed, quants_of, weighted};
use super::q4_k::place;
use super::{Format, half, put_half};

const BLOCK_LEN: usize = 256;
const PART_LEN: usize = 32;
const SCALE_BYTES: usize = 4;
const TOP_BYTES: usize = BLOCK_LEN / 8;
const MAIN_BYTES: usize = PACKED_BYTES + TOP_BYTES + BLOCK_LEN / 2;

pub(super) const FORMAT: Format = Format {
    name: "Q5_K",
    ggml_id: 13,
    block_len: BLOCK_LEN,
    block_bytes: SCALE_BYTES + MAIN_BYTES,
    main_bytes: MAIN_BYTES,
    scale_bytes: SCALE_BYTES,
    dequantize,
    quantize,
    split: |block, main, scales| {
        let (scale, packed) = block.split_at(SCALE_BYTES);
        main.extend(packed);
        scales.extend(scale);
    },
    is_finite: |block| half(block, 0).is_finite() && half(block, 2).is_finite(),
};

fn dequantize(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (half(block, 0), half(block, 2));
    let (packed, rest) = block[SCALE_BYTES..].split_at(PACKED_BYTES);
    let (top, low) = rest.split_at(TOP_BYTES);
    for (part, values) in out.chunks_exact_mut(PART_LEN).enumerate() {
        let (scale, min) = packed_scale(packed, part);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (index, value) in values.iter_mut().enumerate() {
            let (byte, shift) = place(part * PART_LEN + index);
            let quant = (low[byte] >> shift & 15) | (top[index] >> part & 1) << 4;
            *value = scale * f32::from(quant) - min;
        }
    }
}

/// ggml's `quantize_row_q5_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    const GRID: Grid = Grid {
        most: 31,
        first_step: -0.5,
        steps: 15,
        squared_error: true,
    };
    let parts: Vec<_> = values
        .as_chunks::<PART_LEN>()
        .0
        .iter()
        .map(|part| weighted(part, GRID))
        .collect();
    let scales = affine(&parts, 63.0);
    put_half(scales.d, out);
    put_half(scales.dmin, out);
    put_packed(&scales.parts, out);
    let start = out.len();
    out.resize(start + TOP_BYTES + BLOCK_LEN / 2, 0);
    let (top, low) = out[start..].split_at_mut(TOP_BYTES);
    let quants = quants_of(values, &parts, &scales, GRID.most);
    for (index, quant) in quants.into_iter().enumerate() {
        let (byte, shift) = place(index);
        low[byte] |= (quant & 15) << shift;
        top[index % PART_LEN] |= quant >> 4 << (index / PART_LEN);
    }
}
