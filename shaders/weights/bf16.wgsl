// BF16: two values a word, the earlier in the low half; each is the upper half of an f32.
const BLOCK_QUADS: u32 = 1;

struct Block {
  start: u32,
}

fn weight_block(row: u32, block: u32) -> Block {
  return Block(first_word(row, WIDTH_QUADS * 2u) + block * 2u * WORD_STRIDE);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  let first = weight[block.start];
  let second = weight[block.start + WORD_STRIDE];
  return bitcast<vec4f>(vec4u(first << 16u, first & 0xffff0000u, second << 16u, second & 0xffff0000u));
}
