// y (=|+=) W norm(x) + bias, for the last row of the pass: `matvec` for software adapters
//
// A thread computes four columns, so that a load of x serves four products; nothing is shared among
// threads. Neighbouring threads' columns lie side by side in memory.
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

const LANES: u32 = 4;

@group(0) @binding(0) var<storage, read> run: Run;
// bindings 1 and 2: W, [OUT_WIDTH, width] (GATED: [2 * OUT_WIDTH, width]), by the layout part
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4f>; // [width]
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [OUT_WIDTH]
@group(0) @binding(5) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(6) var<storage, read_write> y: array<f32>; // [rows, OUT_STRIDE]

fn write(row: u32, column: u32, value: f32) {
  if (column >= OUT_WIDTH) {
    return;
  }
  let index = row * OUT_STRIDE + OUT_FIRST + column;
  var result = value;
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

@compute @workgroup_size(16)
fn matvec_columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 16u + thread;
  let column = index / LANES * LANES * 4u + index % LANES;
  if (run.done != 0u || column >= OUT_WIDTH) {
    return;
  }
  let row = run.first_row + run.rows - 1u;
  let x_first = row * WIDTH_QUADS;
  // Columns past the end repeat the last one; `write` leaves them out.
  let columns = column + vec4u(0, LANES, 2u * LANES, 3u * LANES);
  let weight_rows = min(columns, vec4u(OUT_WIDTH - 1u));

  var sums = vec4f();
  var up_sums = vec4f();
  var squares = 0.0;
  for (var i = 0u; i < WIDTH_QUADS / BLOCK_QUADS; i++) {
    let blocks = weight_blocks(weight_rows, i);
    var up_blocks = blocks;
    if (GATED) {
      up_blocks = weight_blocks(weight_rows + OUT_WIDTH, i);
    }
    for (var quad = 0u; quad < BLOCK_QUADS; quad++) {
      let at = i * BLOCK_QUADS + quad;
      var value = x[x_first + at];
      if (NORM) {
        squares += dot(value, value);
        value *= norm_weight[at];
      }
      sums += value * weight_quads(blocks, quad);
      if (GATED) {
        up_sums += value * weight_quads(up_blocks, quad);
      }
    }
  }

  if (NORM) {
    let scale = inverseSqrt(squares / f32(WIDTH_QUADS * 4u) + EPS);
    sums *= scale;
    up_sums *= scale;
  }
  if (GATED) {
    sums = sums / (1.0 + exp(-sums)) * up_sums;
  }
  let y_row = select(row, 0u, COMPACT);
  write(y_row, columns.x, sums.x);
  write(y_row, columns.y, sums.y);
  write(y_row, columns.z, sums.z);
  write(y_row, columns.w, sums.w);
}
