// IQ4_NL: value = scale * level of a quant, 32 unsigned 4-bit quants a block, stored as in Q4_0. The
// 16 levels are signed bytes, four a word; a lane chooses its word, then moves its byte to the top of
// it, where it has its sign: the levels times 2^24.
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

// The levels of a quad, each at the top of a lane.
fn levels_at_top(block: Block, quad: u32) -> vec4u {
  let word = weight[block.start + quad % 4u * WORD_STRIDE] >> (quad / 4u * 4u);
  let quants = (vec4u(word) >> vec4u(0, 8, 16, 24)) & vec4u(15);
  let upper = (quants & vec4u(4)) != vec4u();
  // -127 -104 -83 -65, -49 -35 -22 -10, 1 13 25 38, 53 69 89 113
  let negative = select(vec4u(0xbfad9881), vec4u(0xf6eaddcf), upper);
  let positive = select(vec4u(0x26190d01), vec4u(0x71594535), upper);
  let levels = select(negative, positive, (quants & vec4u(8)) != vec4u());
  return (levels << (vec4u(24) - (quants & vec4u(3)) * 8u)) & vec4u(0xff000000);
}

fn weight_bytes(block: Block, quad: u32) -> u32 {
  let levels = levels_at_top(block, quad) >> vec4u(24, 16, 8, 0);
  return levels.x | levels.y | levels.z | levels.w;
}

fn weight_line(block: Block) -> vec2f {
  return vec2f(block.scale * TOP_ONE, 0.0);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * vec4f(bitcast<vec4i>(levels_at_top(block, quad)));
}
