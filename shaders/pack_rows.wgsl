// x as integers of 16 bits with a scale for each 16 values, for `matmul_packed`
//
// value = scale * (256 * high + low), high and low signed bytes: together as fine as 2^-15 of the
// largest of the 16. The bytes of four values lie in a word, as `dot4I8Packed` takes them. A thread
// packs 16 values.
override WIDTH_QUADS: u32; // of x

const GROUP_QUADS: u32 = 4; // quads that share a scale
const MOST: f32 = 32639.0; // 256 * 127 + 127

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(2) var<storage, read_write> packed: array<vec2u>; // [rows, width / 4], high and low bytes
@group(0) @binding(3) var<storage, read_write> lines: array<vec2f>; // [rows, width / 16], scale and sum of the values

fn bytes(values: vec4i) -> u32 {
  let low = vec4u(values) & vec4u(255);
  return low.x | (low.y << 8u) | (low.z << 16u) | (low.w << 24u);
}

@compute @workgroup_size(64)
fn pack_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let row_groups = WIDTH_QUADS / GROUP_QUADS;
  let row = run.first_row + index / row_groups;
  if (run.done != 0u || row >= run.first_row + run.rows) {
    return;
  }
  let first = row * WIDTH_QUADS + index % row_groups * GROUP_QUADS;
  var most = vec4f();
  for (var quad = 0u; quad < GROUP_QUADS; quad++) {
    most = max(most, abs(x[first + quad]));
  }
  let scale = max(max(most.x, most.y), max(most.z, most.w)) / MOST;
  // A row of zeros has no scale; its integers are zero.
  let inverse = select(0.0, 1.0 / scale, scale > 0.0);
  var sums = vec4i();
  for (var quad = 0u; quad < GROUP_QUADS; quad++) {
    let values = clamp(vec4i(round(x[first + quad] * inverse)), vec4i(-32639), vec4i(32639));
    let high = (values + 128) >> vec4u(8);
    packed[first + quad] = vec2u(bytes(high), bytes(values - high * 256));
    sums += values;
  }
  lines[first / GROUP_QUADS] = vec2f(scale, scale * f32(sums.x + sums.y + sums.z + sums.w));
}
