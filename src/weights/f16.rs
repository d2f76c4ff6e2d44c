//! F16: IEEE half precision. On the GPU two values share a word, the earlier in its low half.

use half::f16;

use super::{Format, Values};

pub(super) const FORMAT: Format = Format {
    name: "F16",
    ggml_id: 1,
    block_len: 1,
    block_bytes: 2,
    main_bytes: 2,
    scale_bytes: 0,
    values: Values::Plain(|block| value(block).to_f32()),
    quantize: |values, out| out.extend(f16::from_f32(values[0]).to_le_bytes()),
    split: |block, main, _| main.extend(block),
    is_finite: |block| value(block).is_finite(),
};

fn value(block: &[u8]) -> f16 {
    f16::from_le_bytes(block.try_into().expect("a block has 2 bytes"))
}
