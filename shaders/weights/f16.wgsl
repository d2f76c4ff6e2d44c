// F16: two values a word, the earlier in the low half. Unpacked in f32, so no shader-f16 is needed.
@group(0) @binding(1) var<storage, read> weight: array<vec2u>; // [rows, blocks]

const BLOCK_QUADS: u32 = 1;

struct Block {
  index: u32,
}

fn weight_block(index: u32) -> Block {
  return Block(index);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  let words = weight[block.index];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
