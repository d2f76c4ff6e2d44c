// Rows of x times rows of W by the device's products of four signed bytes. x is what `pack_rows`
// writes, scale * (256 * high + low); a block of W is scale * byte + offset. Floats are met once in
// 16 values.
@group(0) @binding(4) var<storage, read> x: array<vec2u>; // [rows, width / 4], high and low bytes
@group(0) @binding(6) var<storage, read> lines: array<vec2f>; // [rows, width / 16], scale and sum of the values

const GROUP_QUADS: u32 = 4; // quads of x that share a scale

fn products(x: vec2u, w: vec4u) -> vec4i {
  let high = vec4i(dot4I8Packed(x.x, w.x), dot4I8Packed(x.x, w.y), dot4I8Packed(x.x, w.z), dot4I8Packed(x.x, w.w));
  let low = vec4i(dot4I8Packed(x.y, w.x), dot4I8Packed(x.y, w.y), dot4I8Packed(x.y, w.z), dot4I8Packed(x.y, w.w));
  return high * 256 + low;
}

// Row r of the result holds the products of x's row rows[r] with W's rows `columns`.
fn tile(rows: vec4u, columns: vec4u) -> mat4x4f {
  let first = rows * WIDTH_QUADS;
  var sums = mat4x4f();
  for (var i = 0u; i < WIDTH_QUADS / BLOCK_QUADS; i++) {
    let blocks = weight_blocks(columns, i);
    let w_lines = mat4x2f(weight_line(blocks.x), weight_line(blocks.y), weight_line(blocks.z), weight_line(blocks.w));
    let scales = transpose(w_lines)[0];
    let offsets = transpose(w_lines)[1];
    for (var group = 0u; group < BLOCK_QUADS; group += GROUP_QUADS) {
      let at = first + i * BLOCK_QUADS + group;
      var sums0 = vec4i();
      var sums1 = vec4i();
      var sums2 = vec4i();
      var sums3 = vec4i();
      for (var quad = 0u; quad < GROUP_QUADS; quad++) {
        let w = vec4u(
          weight_bytes(blocks.x, group + quad),
          weight_bytes(blocks.y, group + quad),
          weight_bytes(blocks.z, group + quad),
          weight_bytes(blocks.w, group + quad),
        );
        sums0 += products(x[at.x + quad], w);
        sums1 += products(x[at.y + quad], w);
        sums2 += products(x[at.z + quad], w);
        sums3 += products(x[at.w + quad], w);
      }
      sums[0] += of_group(lines[at.x / GROUP_QUADS], scales, offsets, sums0);
      sums[1] += of_group(lines[at.y / GROUP_QUADS], scales, offsets, sums1);
      sums[2] += of_group(lines[at.z / GROUP_QUADS], scales, offsets, sums2);
      sums[3] += of_group(lines[at.w / GROUP_QUADS], scales, offsets, sums3);
    }
  }
  return sums;
}

fn of_group(x_line: vec2f, scales: vec4f, offsets: vec4f, sums: vec4i) -> vec4f {
  return x_line.x * scales * vec4f(sums) + x_line.y * offsets;
}
