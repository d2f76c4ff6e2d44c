// out = weight * x / sqrt(mean(x^2) + eps), row by row
override WIDTH_QUADS: u32;
override EPS: f32;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> norm_weight: array<vec4f>; // [width]
@group(0) @binding(2) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // [rows, width]

@compute @workgroup_size(WORKGROUP)
fn rms_norm(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (run.done != 0u) {
    return;
  }
  let row = (group.y * groups.x + group.x) * (WORKGROUP / LANES) + thread / LANES;
  let lane = thread % LANES;
  // Threads without a row repeat the last one and write nothing: all must reach the reduction.
  let first = (run.first_row + min(row, run.rows - 1u)) * WIDTH_QUADS;
  var squares = 0.0;
  for (var quad = lane; quad < WIDTH_QUADS; quad += LANES) {
    let value = x[first + quad];
    squares += dot(value, value);
  }
  let scale = inverseSqrt(reduce_sum(thread, squares) / f32(WIDTH_QUADS * 4u) + EPS);
  if (row >= run.rows) {
    return;
  }
  for (var quad = lane; quad < WIDTH_QUADS; quad += LANES) {
    out[first + quad] = norm_weight[quad] * x[first + quad] * scale;
  }
}
