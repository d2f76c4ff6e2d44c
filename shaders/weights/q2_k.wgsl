// Q2_K: value = d * scale * quant - dmin * min, 256 unsigned 2-bit quants a super-block, in 16 blocks
// of 16. 20 words a super-block: four with a byte a block (scale in its low half, min in its high
// half), 16 with quants; eight of these hold 128 values, two bits of each byte 32 of them.
const BLOCK_QUADS: u32 = 4;

const SUPER_BLOCKS: u32 = 16; // blocks of a super-block
const SUPER_WORDS: u32 = 20;

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
  let packed = weight[start + part / 4u * WORD_STRIDE] >> (part % 4u * 8u);
  return Block(
    start + (4u + part / 8u * 8u + part % 2u * 4u) * WORD_STRIDE,
    part % 8u / 2u * 2u,
    weight_scale(row, index * 2u, count * 2u) * f32(packed & 15u) * BYTE_ONE,
    weight_scale(row, index * 2u + 1u, count * 2u) * f32((packed >> 4u) & 15u),
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  return (weight[block.start + quad * WORD_STRIDE] >> block.shift) & 0x03030303u;
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, -block.min);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * bytes_at_top(weight_bytes(block, quad)) - block.min;
}
