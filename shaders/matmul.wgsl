// y[row] (=|+=) W x[row] + bias, for all rows of the pass
//
// A thread computes a tile of 4 rows by 4 columns; how, is the part's.
// With GATED, W holds W_gate above W_up; a thread's columns are two of each, and
// y = silu(W_gate x) * (W_up x).
override WIDTH_QUADS: u32; // of x
override OUT_WIDTH: u32; // columns written
override OUT_FIRST: u32 = 0; // first column written
override OUT_STRIDE: u32; // width of y
override BIAS: bool = false;
override ADD: bool = false;
override GATED: bool = false;
override TIMES_SILU: bool = false; // y = silu(y) * W x: y holds the gate
override COMPACT: bool = false; // y has the rows of the pass from row 0 on, not those of x

@group(0) @binding(0) var<storage, read> run: Run;
// bindings 1 and 2: W, [OUT_WIDTH, width] (GATED: [2 * OUT_WIDTH, width]), by the layout part
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [OUT_WIDTH]
// bindings 4 and 6: x, [rows, width], by the products part
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [rows, OUT_STRIDE]

fn silu(value: vec2f) -> vec2f {
  return value / (1.0 + exp(-value));
}

fn write(row: u32, column: u32, value: f32) {
  if (row >= run.rows || column >= OUT_WIDTH) {
    return;
  }
  let index = (row + select(run.first_row, 0u, COMPACT)) * OUT_STRIDE + OUT_FIRST + column;
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

fn write_row(row: u32, column: u32, values: vec4f) {
  if (GATED) {
    let gated = silu(values.xy) * values.zw;
    write(row, column, gated.x);
    write(row, column + 1u, gated.y);
  } else {
    write(row, column, values.x);
    write(row, column + 1u, values.y);
    write(row, column + 2u, values.z);
    write(row, column + 3u, values.w);
  }
}

@compute @workgroup_size(64)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let columns_a_thread = select(4u, 2u, GATED);
  let column_blocks = (OUT_WIDTH + columns_a_thread - 1u) / columns_a_thread;
  let row = index / column_blocks * 4u;
  let column = index % column_blocks * columns_a_thread;
  if (run.done != 0u || row >= run.rows) {
    return;
  }

  // Rows and columns past the end repeat the last ones; `write` leaves them out.
  let rows = run.first_row + min(row + vec4u(0, 1, 2, 3), vec4u(run.rows - 1u));
  var columns = min(column + vec4u(0, 1, 2, 3), vec4u(OUT_WIDTH - 1u));
  if (GATED) {
    columns = min(column + vec4u(0, 1, 0, 1), vec4u(OUT_WIDTH - 1u)) + vec4u(0, 0, OUT_WIDTH, OUT_WIDTH);
  }

  let sums = tile(rows, columns);
  write_row(row, column, sums[0]);
  write_row(row + 1u, column, sums[1]);
  write_row(row + 2u, column, sums[2]);
  write_row(row + 3u, column, sums[3]);
}
