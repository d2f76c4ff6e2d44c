// Q3_K: value = d * (scale - 32) * (quant - 4), 256 unsigned 3-bit quants a super-block, in 16 blocks
// of 16. 27 words a super-block: eight with the quants' top bits (bit i of a byte is that of the i-th
// 32 values), 16 with the two bits below as in Q2_K, three with the 6-bit scales (four bits each in
// the halves of eight bytes, two each in four bytes).
const BLOCK_QUADS: u32 = 4;

const SUPER_BLOCKS: u32 = 16; // blocks of a super-block
const SUPER_WORDS: u32 = 27;

struct Block {
  start: u32,
  shift: u32,
  tops: u32,
  top_bit: u32,
  scale: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let count = WIDTH_QUADS / BLOCK_QUADS / SUPER_BLOCKS;
  let index = block / SUPER_BLOCKS;
  let part = block % SUPER_BLOCKS;
  let start = first_word(row, count * SUPER_WORDS) + index * SUPER_WORDS * WORD_STRIDE;
  let lows = weight[start + (24u + part / 4u % 2u) * WORD_STRIDE];
  let low = (lows >> (part % 4u * 8u + part / 8u * 4u)) & 15u;
  let top = (weight[start + 26u * WORD_STRIDE] >> (part % 4u * 8u + part / 4u * 2u)) & 3u;
  let half = part % 2u * 4u;
  return Block(
    start + (8u + part / 8u * 8u + half) * WORD_STRIDE,
    part % 8u / 2u * 2u,
    start + half * WORD_STRIDE,
    part / 2u,
    weight_scale(row, index, count) * (f32(low | (top << 4u)) - 32.0) * BYTE_ONE,
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  let low = (weight[block.start + quad * WORD_STRIDE] >> block.shift) & 0x03030303u;
  let tops = (weight[block.tops + quad * WORD_STRIDE] >> block.top_bit) & 0x01010101u;
  return low | (tops << 2u);
}

fn weight_line(block: Block) -> vec2f {
  return block.scale * TOP_ONE * vec2f(1.0, -4.0);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * (bytes_at_top(weight_bytes(block, quad)) - 4.0 * TOP_ONE);
}
