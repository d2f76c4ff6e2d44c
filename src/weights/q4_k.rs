//! Q4_K: 256 unsigned 4-bit quants as 8 parts of 32, value = d s q - dmin m. In the file: d and
//! dmin, f16; 12 bytes with the 6-bit scales s and minimums m of the parts; 128 bytes of quants, 32
//! of which hold one part in their low halves and the next in their high halves. On the GPU d and
//! dmin are a word of the scale plane, the rest is the main plane.

use super::k_quants::{
    PACKED_BYTES, Search, affine, packed_scale, put_packed, quants_of, weighted,
};
use super::{Format, Grid, Levels, Values, half, put_half};

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
    values: Values::Levels(
        Grid {
            part_len: PART_LEN,
            least: 0,
            most: 15,
            has_min: true,
        },
        levels,
    ),
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

fn levels(block: &[u8], out: &mut Levels) {
    let (packed, quants) = block[SCALE_BYTES..].split_at(PACKED_BYTES);
    put_scales(block, packed, out);
    for (index, level) in out.levels.iter_mut().enumerate() {
        let (byte, shift) = place(index);
        *level = (quants[byte] >> shift & 15) as i8;
    }
}

/// Scales and minimums of the parts, as Q4_K and Q5_K store them.
pub(super) fn put_scales(block: &[u8], packed: &[u8], out: &mut Levels) {
    let (d, dmin) = (half(block, 0), half(block, 2));
    for part in 0..BLOCK_LEN / PART_LEN {
        let (scale, min) = packed_scale(packed, part);
        out.scales[part] = d * f32::from(scale);
        out.mins[part] = -(dmin * f32::from(min));
    }
}

/// ggml's `quantize_row_q4_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    const SEARCH: Search = Search {
        most: 15,
        first_step: -1.0,
        steps: 20,
        squared_error: true,
    };
    let parts: Vec<_> = values
        .as_chunks::<PART_LEN>()
        .0
        .iter()
        .map(|part| weighted(part, SEARCH))
        .collect();
    let scales = affine(&parts, 63.0);
    put_half(scales.d, out);
    put_half(scales.dmin, out);
    put_packed(&scales.parts, out);
    let start = out.len();
    out.resize(start + BLOCK_LEN / 2, 0);
    let quants = quants_of(values, &parts, &scales, SEARCH.most);
    for (index, quant) in quants.into_iter().enumerate() {
        let (byte, shift) = place(index);
        out[start + byte] |= quant << shift;
    }
}
