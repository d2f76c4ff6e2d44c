// Q4_0: value = scale * (quant - 8), 32 unsigned 4-bit quants a block: four words, in whose bytes the
// low halves are the first 16 values and the high halves the last 16.
const BLOCK_QUADS: u32 = 8;

struct Block {
  start: u32,
  scale: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  let blocks = WIDTH_QUADS / BLOCK_QUADS;
  return Block(
    first_word(row, blocks * 4u) + block * 4u * WORD_STRIDE,
    weight_scale(row, block, blocks) * BYTE_ONE,
  );
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  let word = weight[block.start + quad % 4u * WORD_STRIDE];
  let quants = (word >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
  return block.scale * (bytes_at_top(quants) - 8.0 * TOP_ONE);
}
