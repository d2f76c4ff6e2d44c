// Four columns at once: four quads of W, one a column, make a matrix whose product with a quad of x
// is those four columns' share of the sums.
struct Blocks {
  x: Block,
  y: Block,
  z: Block,
  w: Block,
}

fn weight_blocks(rows: vec4u, block: u32) -> Blocks {
  return Blocks(
    weight_block(rows.x, block),
    weight_block(rows.y, block),
    weight_block(rows.z, block),
    weight_block(rows.w, block),
  );
}

fn weight_quads(blocks: Blocks, quad: u32) -> mat4x4f {
  return mat4x4f(
    weight_quad(blocks.x, quad),
    weight_quad(blocks.y, quad),
    weight_quad(blocks.z, quad),
    weight_quad(blocks.w, quad),
  );
}
