//! F32: the value itself. Norms and biases always have this type.

use super::{Format, Values};

pub(super) const FORMAT: Format = Format {
    name: "F32",
    ggml_id: 0,
    block_len: 1,
    block_bytes: 4,
    main_bytes: 4,
    scale_bytes: 0,
    values: Values::Plain(value),
    quantize: |values, out| out.extend(values[0].to_le_bytes()),
    split: |block, main, _| main.extend(block),
    is_finite: |block| value(block).is_finite(),
};

fn value(block: &[u8]) -> f32 {
    f32::from_le_bytes(block.try_into().expect("a block has 4 bytes"))
}
