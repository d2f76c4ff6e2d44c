//! Q4_K: 256 unsigned 4-bit quants as 8 parts of 32, value = d s q - dmin m. In the file: d and
//! dmin, f16; 12 bytes with the 6-bit scales s and minimums m of the parts; 128 bytes of quants, 32
//! of which hold one part in their low halves and the next in their high halves. On the GPU d and
//! dmin are a word of the scale plane, the rest is the main plane.

use super::k_quants::{Grid, PACKED_BYTES, affine, packed_scale, put_packed, quants_of, weighted};
use super::{Format, half, put_half};

const BLOCK_LEN: usize = 256;
const PART_LEN: usize = 32;
const SCALE_BYTES: usize = 4;
const MAIN_BYTES: usize = PACKED_BYTES + BLOCK_LEN / 2;

pub(super) const FORMAT: Format = Format {
    name: "Q4_K",
    ggml_id: 12,
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

/// Byte and shift of a quant's four low bits among the 128 bytes.
pub(super) fn place(index: usize) -> (usize, usize) {
    (index / 64 * 32 + index % 32, index % 64 / 32 * 4)
}

fn dequantize(block: &[u8], out: &mut [f32]) {
    let (d, dmin) = (half(block, 0), half(block, 2));
    let (packed, quants) = block[SCALE_BYTES..].split_at(PACKED_BYTES);
    for (part, values) in out.chunks_exact_mut(PART_LEN).enumerate() {
        let (scale, min) = packed_scale(packed, part);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (index, value) in values.iter_mut().enumerate() {
            let (byte, shift) = place(part * PART_LEN + index);
            *value = scale * f32::from(quants[byte] >> shift & 15) - min;
        }
    }
}

/// ggml's `quantize_row_q4_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    const GRID: Grid = Grid {
        most: 15,
        first_step: -1.0,
        steps: 20,
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
    out.resize(start + BLOCK_LEN / 2, 0);
    let quants = quants_of(values, &parts, &scales, GRID.most);
    for (index, quant) in quants.into_iter().enumerate() {
        let (byte, shift) = place(index);
        out[start + byte] |= quant << shift;
    }
}
