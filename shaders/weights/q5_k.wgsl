// Q5_K: value = d * scale * quant - dmin * min, 256 unsigned 5-bit quants a super-block, in 8 blocks
// of 32. 43 words a super-block: three with the 6-bit scales and mins, eight with the quants' top
// bits (bit i of a byte is that of block i), 32 with the four bits below as in Q4_K.
const BLOCK_QUADS: u32 = 8;

const SUPER_BLOCKS: u32 = 8; // blocks of a super-block
const SUPER_WORDS: u32 = 43;

struct Block {
  start: u32,
  shift: u32,
  tops: u32,
  top_bit: u32,
  scale: f32,
  min: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let count = WIDTH_QUADS / BLOCK_QUADS / SUPER_BLOCKS;
  let index = block / SUPER_BLOCKS;
  let part = block % SUPER_BLOCKS;
  let start = first_word(row, count * SUPER_WORDS) + index * SUPER_WORDS * WORD_STRIDE;
  // Scales and mins are packed as in Q4_K.
  let byte = part % 4u * 8u;
  let first = weight[start] >> byte;
  let second = weight[start + WORD_STRIDE] >> byte;
  let third = weight[start + 2u * WORD_STRIDE] >> byte;
  let late = part >= 4u;
  let scale = select(first & 63u, (third & 15u) | ((first >> 2u) & 48u), late);
  let min = select(second & 63u, ((third >> 4u) & 15u) | ((second >> 2u) & 48u), late);
  return Block(
    start + (11u + part / 2u * 8u) * WORD_STRIDE,
    part % 2u * 4u,
    start + 3u * WORD_STRIDE,
    part,
    weight_scale(row, index * 2u, count * 2u) * f32(scale) * BYTE_ONE,
    weight_scale(row, index * 2u + 1u, count * 2u) * f32(min),
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  let low = (weight[block.start + quad * WORD_STRIDE] >> block.shift) & 0x0f0f0f0fu;
  let tops = (weight[block.tops + quad * WORD_STRIDE] >> block.top_bit) & 0x01010101u;
  return low | (tops << 4u);
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, -block.min);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * bytes_at_top(weight_bytes(block, quad)) - block.min;
}
