// Q8_0: value = scale * quant, 32 signed 8-bit quants a block.
@group(0) @binding(1) var<storage, read> weight: array<u32>; // [rows, blocks, 8] four quants a word, the earliest in the low byte
@group(0) @binding(2) var<storage, read> weight_scales: array<u32>; // [rows, blocks] f16, two a word

const BLOCK_QUADS: u32 = 8;

struct Block {
  first_word: u32,
  scale: f32,
}

fn weight_block(index: u32) -> Block {
  let pair = unpack2x16float(weight_scales[index / 2u]);
  return Block(index * 8u, select(pair.x, pair.y, index % 2u == 1u));
}

fn weight_quad(block: Block, quad: u32) -> vec4f {
  return block.scale * vec4f(unpack4xI8(weight[block.first_word + quad]));
}
