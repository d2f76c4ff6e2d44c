// F32: the values themselves.
const BLOCK_QUADS: u32 = 1;

struct Block {
  start: u32,
}

fn weight_block(row: u32, block: u32) -> Block {
  return Block(first_word(row, WIDTH_QUADS * 4u) + block * 4u * WORD_STRIDE);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return bitcast<vec4f>(vec4u(
    weight[block.start],
    weight[block.start + WORD_STRIDE],
    weight[block.start + 2u * WORD_STRIDE],
    weight[block.start + 3u * WORD_STRIDE],
  ));
}
