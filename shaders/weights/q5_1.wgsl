// Q5_1: value = scale * quant + min, 32 unsigned 5-bit quants a block: a word with their top bits,
// then four words, in whose bytes the low halves belong to the first 16 values and the high halves to
// the last 16.
const BLOCK_QUADS: u32 = 8;

const BLOCK_WORDS: u32 = 5;

struct Block {
  start: u32,
  tops: u32,
  scale: f32,
  min: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let blocks = WIDTH_QUADS / BLOCK_QUADS;
  let start = first_word(row, blocks * BLOCK_WORDS) + block * BLOCK_WORDS * WORD_STRIDE;
  return Block(
    start + WORD_STRIDE,
    weight[start],
    weight_scale(row, block * 2u, blocks * 2u) * BYTE_ONE,
    weight_scale(row, block * 2u + 1u, blocks * 2u),
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  let word = weight[block.start + quad % 4u * WORD_STRIDE];
  let low = (word >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  // Four neighbouring bits, one to bit 4 of each byte.
  let tops = ((((block.tops >> (quad * 4u)) & 15u) * 0x204081u) & 0x01010101u) << 4u;
  return low | tops;
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, block.min);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * bytes_at_top(weight_bytes(block, quad)) + block.min;
}
