// Weights row by row, for GPUs: threads that share a row read side by side.
@group(0) @binding(1) var<storage, read> weight: array<u32>; // [rows, words]
@group(0) @binding(2) var<storage, read> weight_scales: array<u32>; // [rows, blocks] f16, two a word

const WORD_STRIDE: u32 = 1; // from one word of a row to its next

fn first_word(row: u32, words: u32) -> u32 {
  return row * words;
}

fn weight_scale(row: u32, block: u32, blocks: u32) -> f32 {
  let index = row * blocks + block;
  return half_value((weight_scales[index / 2u] >> (index % 2u * 16u)) & 0xffffu);
}

// An f16. Not by unpack2x16float, which may take subnormals for zero: blocks of small values have
// subnormal scales.
fn half_value(bits: u32) -> f32 {
  let magnitude = bits & 0x7fffu;
  let normal = bitcast<f32>((magnitude << 13u) + 0x38000000u);
  let value = select(normal, f32(magnitude) * 0x1p-24f, magnitude < 0x400u);
  return select(value, -value, bits >= 0x8000u);
}
