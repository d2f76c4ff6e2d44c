// Q6_K: value = d * scale * (quant - 32), 256 unsigned 6-bit quants a super-block, in 16 blocks of 16.
// 52 words a super-block: 32 with the quants' low halves (16 of these hold 128 values, the first 64
// in the low halves of their bytes), 16 with their two top bits (eight of these hold 128 values), four
// with the scales, signed bytes.
const BLOCK_QUADS: u32 = 4;

const SUPER_BLOCKS: u32 = 16; // blocks of a super-block
const SUPER_WORDS: u32 = 52;

struct Block {
  start: u32,
  shift: u32,
  tops: u32,
  top_shift: u32,
  scale: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let count = WIDTH_QUADS / BLOCK_QUADS / SUPER_BLOCKS;
  let index = block / SUPER_BLOCKS;
  let part = block % SUPER_BLOCKS;
  let start = first_word(row, count * SUPER_WORDS) + index * SUPER_WORDS * WORD_STRIDE;
  let scales = weight[start + (48u + part / 4u) * WORD_STRIDE];
  let scale = bitcast<i32>(scales << (24u - part % 4u * 8u)) >> 24u;
  return Block(
    start + (part / 8u * 16u + part % 4u * 4u) * WORD_STRIDE,
    part % 8u / 4u * 4u,
    start + (32u + part / 8u * 8u + part % 2u * 4u) * WORD_STRIDE,
    part % 8u / 2u * 2u,
    weight_scale(row, index, count) * f32(scale) * BYTE_ONE,
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  let low = (weight[block.start + quad * WORD_STRIDE] >> block.shift) & 0x0f0f0f0fu;
  let tops = (weight[block.tops + quad * WORD_STRIDE] >> block.top_shift) & 0x03030303u;
  return low | (tops << 4u);
}

fn weight_line(block: Block) -> vec2f {
  return block.scale * TOP_ONE * vec2f(1.0, -32.0);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * (bytes_at_top(weight_bytes(block, quad)) - 32.0 * TOP_ONE);
}
