// Q4_K: value = d * scale * quant - dmin * min, 256 unsigned 4-bit quants a super-block, in 8 blocks
// of 32. 35 words a super-block: three with the 6-bit scales and mins, 32 with quants; eight of these
// hold one block in the low halves of their bytes and the next in the high halves.
const BLOCK_QUADS: u32 = 8;

const SUPER_BLOCKS: u32 = 8; // blocks of a super-block
const SUPER_WORDS: u32 = 35;

struct Block {
  start: u32,
  shift: u32,
  scale: f32,
  min: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let count = WIDTH_QUADS / BLOCK_QUADS / SUPER_BLOCKS;
  let index = block / SUPER_BLOCKS;
  let part = block % SUPER_BLOCKS;
  let start = first_word(row, count * SUPER_WORDS) + index * SUPER_WORDS * WORD_STRIDE;
  // The first four blocks have 6 bits in a byte of the first word (scale) and of the second (min);
  // the last four have the halves of a byte of the third, and the two bits that those left over.
  let byte = part % 4u * 8u;
  let first = weight[start] >> byte;
  let second = weight[start + WORD_STRIDE] >> byte;
  let third = weight[start + 2u * WORD_STRIDE] >> byte;
  let late = part >= 4u;
  let scale = select(first & 63u, (third & 15u) | ((first >> 2u) & 48u), late);
  let min = select(second & 63u, ((third >> 4u) & 15u) | ((second >> 2u) & 48u), late);
  return Block(
    start + (3u + part / 2u * 8u) * WORD_STRIDE,
    part % 2u * 4u,
    weight_scale(row, index * 2u, count * 2u) * f32(scale) * BYTE_ONE,
    weight_scale(row, index * 2u + 1u, count * 2u) * f32(min),
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  return (weight[block.start + quad * WORD_STRIDE] >> block.shift) & 0x0f0f0f0fu;
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, -block.min);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * bytes_at_top(weight_bytes(block, quad)) - block.min;
}
