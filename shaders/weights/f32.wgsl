// F32: the values themselves.
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // [rows, blocks]

const BLOCK_QUADS: u32 = 1;

struct Block {
  index: u32,
}

fn weight_block(index: u32) -> Block {
  return Block(index);
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return weight[block.index];
}
