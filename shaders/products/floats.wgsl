// Rows of x times rows of W by f32: 8 loads of four values for 16 products of four.
@group(0) @binding(4) var<storage, read> x: array<vec4f>; // [rows, width]

// Row r of the result holds the products of x's row rows[r] with W's rows `columns`.
fn tile(rows: vec4u, columns: vec4u) -> mat4x4f {
  let first = rows * WIDTH_QUADS;
  var sums = mat4x4f();
  for (var i = 0u; i < WIDTH_QUADS / BLOCK_QUADS; i++) {
    let blocks = weight_blocks(columns, i);
    for (var quad = 0u; quad < BLOCK_QUADS; quad++) {
      let w = weight_quads(blocks, quad);
      let at = first + i * BLOCK_QUADS + quad;
      sums[0] += x[at.x] * w;
      sums[1] += x[at.y] * w;
      sums[2] += x[at.z] * w;
      sums[3] += x[at.w] * w;
    }
  }
  return sums;
}
