// y (=|+=) W norm(x) + bias, for the last row of the pass (decode has one)
//
// norm(x) = norm_weight * x / sqrt(mean(x^2) + eps). Its scale is one number for the whole row, so
// the sum of squares is gathered in the same loop as the product and applied to it at the end:
// no dispatch of its own. With GATED, W holds W_gate above W_up and y = silu(W_gate x) * (W_up x).
override WIDTH_QUADS: u32; // of x
override OUT_WIDTH: u32; // columns written
override OUT_FIRST: u32 = 0; // first column written
override OUT_STRIDE: u32; // width of y
override EPS: f32 = 0.0;
override NORM: bool = false;
override BIAS: bool = false;
override ADD: bool = false;
override GATED: bool = false;
override TIMES_SILU: bool = false; // y = silu(y) * W x: y holds the gate
override COMPACT: bool = false; // y has one row, not those of x

@group(0) @binding(0) var<storage, read> run: Run;
// bindings 1 and 2: W, [OUT_WIDTH, width] (GATED: [2 * OUT_WIDTH, width]), by the layout part
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>; // [width]
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [OUT_WIDTH]
@group(0) @binding(5) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(6) var<storage, read_write> y: array<f32>; // [rows, OUT_STRIDE]

@compute @workgroup_size(WORKGROUP)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  if (run.done != 0u) {
    return;
  }
  let column = (group.y * groups.x + group.x) * (WORKGROUP / LANES) + thread / LANES;
  let lane = thread % LANES;
  let blocks = WIDTH_QUADS / BLOCK_QUADS;
  let last_row = run.first_row + run.rows - 1u;
  let x_first = last_row * WIDTH_QUADS;
  // Threads without a column repeat the last one and write nothing: all must reach the reduction.
  let weight_row = min(column, OUT_WIDTH - 1u);

  var sum = 0.0;
  var up_sum = 0.0;
  var squares = 0.0;
  for (var i = lane; i < blocks; i += LANES) {
    let block = weight_block(weight_row, i);
    var up_block = block;
    if (GATED) {
      up_block = weight_block(weight_row + OUT_WIDTH, i);
    }
    for (var quad = 0u; quad < BLOCK_QUADS; quad++) {
      var value = x[x_first + i * BLOCK_QUADS + quad];
      if (NORM) {
        squares += dot(value, value);
        value *= norm_weight[i * BLOCK_QUADS + quad];
      }
      sum += dot(weight_quad(block, quad), value);
      if (GATED) {
        up_sum += dot(weight_quad(up_block, quad), value);
      }
    }
  }

  var result = reduce_sum(thread, sum);
  var scale = 1.0;
  if (NORM) {
    scale = inverseSqrt(reduce_sum(thread, squares) / f32(WIDTH_QUADS * 4u) + EPS);
    result *= scale;
  }
  if (GATED) {
    result = result / (1.0 + exp(-result)) * (reduce_sum(thread, up_sum) * scale);
  }
  if (lane != 0u || column >= OUT_WIDTH) {
    return;
  }
  let index = select(last_row, 0u, COMPACT) * OUT_STRIDE + OUT_FIRST + column;
  if (BIAS) {
    result += bias[column];
  }
  if (ADD) {
    result += y[index];
  }
  if (TIMES_SILU) {
    result *= y[index] / (1.0 + exp(-y[index]));
  }
  y[index] = result;
}
