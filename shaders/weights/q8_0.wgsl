// Q8_0: value = scale * quant, 32 signed 8-bit quants a block, four a word, the earliest in the low
// byte.
const BLOCK_QUADS: u32 = 8;

struct Block {
  start: u32,
  scale: f32,
}

fn weight_block(row: u32, block: u32) -> Block {
  return Block(
    first_word(row, WIDTH_QUADS) + block * BLOCK_QUADS * WORD_STRIDE,
    weight_scale(row, block, WIDTH_QUADS / BLOCK_QUADS) * BYTE_ONE,
  );
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  return weight[block.start + quad * WORD_STRIDE];
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, 0.0);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * bytes_at_top(weight_bytes(block, quad));
}
