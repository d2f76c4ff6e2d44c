//! Q2_K: 256 unsigned 2-bit quants as 16 parts of 16, value = d s q - dmin m. Scale s and minimum m
//! of a part are the halves of a byte, d and dmin f16 of the block. In the file: 16 bytes of scales,
//! 64 of quants, d, dmin; on the GPU the 80 bytes are the main plane, d and dmin a word of the scale
//! plane.

use super::k_quants::{Search, affine, quants_of, scale_and_min};
use super::{Format, Grid, Levels, Values, half, put_half};

const BLOCK_LEN: usize = 256;
const PARTS: usize = 16;
const PART_LEN: usize = 16;
const MAIN_BYTES: usize = PARTS + BLOCK_LEN / 4;
const SCALE_BYTES: usize = 4;

pub(super) const FORMAT: Format = Format {
    name: "Q2_K",
    ggml_id: 10,
    block_len: BLOCK_LEN,
    block_bytes: MAIN_BYTES + SCALE_BYTES,
    main_bytes: MAIN_BYTES,
    scale_bytes: SCALE_BYTES,
    values: Values::Levels(
        Grid {
            part_len: PART_LEN,
            least: 0,
            most: 3,
            has_min: true,
        },
        levels,
    ),
    quantize,
    split: |block, main, scales| {
        let (packed, scale) = block.split_at(MAIN_BYTES);
        main.extend(packed);
        scales.extend(scale);
    },
    is_finite: |block| {
        half(block, MAIN_BYTES).is_finite() && half(block, MAIN_BYTES + 2).is_finite()
    },
};

/// Byte and shift of a quant among the 64 bytes: 32 bytes hold 128 values, two bits of each byte 32
/// of them.
pub(super) fn place(index: usize) -> (usize, usize) {
    (index / 128 * 32 + index % 32, index % 128 / 32 * 2)
}

fn levels(block: &[u8], out: &mut Levels) {
    let (scales, quants) = block[..MAIN_BYTES].split_at(PARTS);
    let (d, dmin) = (half(block, MAIN_BYTES), half(block, MAIN_BYTES + 2));
    for (part, scale) in scales.iter().enumerate() {
        out.scales[part] = d * f32::from(scale & 15);
        out.mins[part] = -(dmin * f32::from(scale >> 4));
    }
    for (index, level) in out.levels.iter_mut().enumerate() {
        let (byte, shift) = place(index);
        *level = (quants[byte] >> shift & 3) as i8;
    }
}

/// ggml's `quantize_row_q2_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    const SEARCH: Search = Search {
        most: 3,
        first_step: -0.5,
        steps: 15,
        squared_error: false,
    };
    let parts: Vec<_> = values
        .as_chunks::<PART_LEN>()
        .0
        .iter()
        .map(|part| scale_and_min(part, &part.map(f32::abs), SEARCH))
        .collect();
    let scales = affine(&parts, 15.0);
    let start = out.len();
    out.extend(scales.parts.iter().map(|&(s, m)| s | m << 4));
    out.resize(start + MAIN_BYTES, 0);
    let bytes = &mut out[start + PARTS..];
    let quants = quants_of(values, &parts, &scales, SEARCH.most);
    for (index, quant) in quants.into_iter().enumerate() {
        let (byte, shift) = place(index);
        bytes[byte] |= quant << shift;
    }
    put_half(scales.d, out);
    put_half(scales.dmin, out);
}
