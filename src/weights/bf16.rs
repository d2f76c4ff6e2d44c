//! BF16: the upper half of an f32. On the GPU two values share a word, the earlier in its low half.

use half::bf16;

use super::{Format, Values};

pub(super) const FORMAT: Format = Format {
    name: "BF16",
    ggml_id: 30,
    block_len: 1,
    block_bytes: 2,
    main_bytes: 2,
    scale_bytes: 0,
    values: Values::Plain(|block| value(block).to_f32()),
    quantize: |values, out| out.extend(bf16::from_f32(values[0]).to_le_bytes()),
    split: |block, main, _| main.extend(block),
    is_finite: |block| value(block).is_finite(),
};

fn value(block: &[u8]) -> bf16 {
    bf16::from_le_bytes(block.try_into().expect("a block has 2 bytes"))
}
