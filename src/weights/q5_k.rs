//! Q5_K: 256 unsigned 5-bit quants as 8 parts of 32, value = d s q - dmin m: Q4_K with 32 bytes of
//! top bits between the scales and the four low bits; bit p of byte i is that of value i of part p.

use super::k_quants::{PACKED_BYTES, Search, affine, put_packed, quants_of, weighted};
use super::q4_k::{place, put_scales};
use super::{Format, Grid, Levels, Values, half, put_half};

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
    values: Values::Levels(
        Grid {
            part_len: PART_LEN,
            least: 0,
            most: 31,
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

fn levels(block: &[u8], out: &mut Levels) {
    let (packed, rest) = block[SCALE_BYTES..].split_at(PACKED_BYTES);
    let (top, low) = rest.split_at(TOP_BYTES);
    put_scales(block, packed, out);
    for (index, level) in out.levels.iter_mut().enumerate() {
        let (byte, shift) = place(index);
        let top_bit = top[index % PART_LEN] >> (index / PART_LEN) & 1;
        *level = ((low[byte] >> shift & 15) | top_bit << 4) as i8;
    }
}

/// ggml's `quantize_row_q5_K_ref`.
fn quantize(values: &[f32], out: &mut Vec<u8>) {
    const SEARCH: Search = Search {
        most: 31,
        first_step: -0.5,
        steps: 15,
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
    out.resize(start + TOP_BYTES + BLOCK_LEN / 2, 0);
    let (top, low) = out[start..].split_at_mut(TOP_BYTES);
    let quants = quants_of(values, &parts, &scales, SEARCH.most);
    for (index, quant) in quants.into_iter().enumerate() {
        let (byte, shift) = place(index);
        low[byte] |= (quant & 15) << shift;
        top[index % PART_LEN] |= quant >> 4 << (index / PART_LEN);
    }
}
