// out[last] = mean over the rows of x: what a sentence transformer keeps of its hidden states
//
// A thread adds up one quad of all rows. The result lies where a linear map of the last row looks.
override WIDTH_QUADS: u32;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [rows, width]

@compute @workgroup_size(64)
fn mean(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * 64u + thread;
  if (run.done != 0u || quad >= WIDTH_QUADS) {
    return;
  }
  let end = run.first_row + run.rows;
  var sum = vec4f();
  for (var row = run.first_row; row < end; row++) {
    sum += x[row * WIDTH_QUADS + quad];
  }
  out[(end - 1u) * WIDTH_QUADS + quad] = sum / f32(run.rows);
}
