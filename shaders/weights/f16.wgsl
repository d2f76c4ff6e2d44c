// F16: two values a word, the earlier in the low half. Unpacked to f32 by core WGSL, so that no
// shader-f16 is needed.
const BLOCK_QUADS: u32 = 1;

struct Block {
  start: u32,
}

fn weight_block(row: u32, block: u32) -> Block {
  return Block(first_word(row, WIDTH_QUADS * 2u) + block * 2u * WORD_STRIDE);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return vec4f(
    unpack2x16float(weight[block.start]),
    unpack2x16float(weight[block.start + WORD_STRIDE]),
  );
}
