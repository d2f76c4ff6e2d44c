// y[row] (=|+=) W x[row] + bias, for all rows of the pass: `matmul` for software adapters
//
// A thread computes 4 rows by 16 columns: there a load costs as much as a dozen products, so each is
// used as often as registers allow (4 by 4 takes twice the time). Neighbouring threads' columns lie
// side by side in memory. With GATED, W holds W_gate above W_up; a thread's columns are eight of
// each, and y = silu(W_gate x) * (W_up x).
override WIDTH_QUADS: u32; // of x
override OUT_WIDTH: u32; // columns written
override OUT_FIRST: u32 = 0; // first column written
override OUT_STRIDE: u32; // width of y
override BIAS: bool = false;
override ADD: bool = false;
override GATED: bool = false;
override TIMES_SILU: bool = false; // y = silu(y) * W x: y holds the gate
override COMPACT: bool = false; // y has the rows of the pass from row 0 on, not those of x

const LANES: u32 = 4;

@group(0) @binding(0) var<storage, read> run: Run;
// bindings 1 and 2: W, [OUT_WIDTH, width] (GATED: [2 * OUT_WIDTH, width]), by the layout part
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [OUT_WIDTH]
@group(0) @binding(4) var<storage, read> x: array<vec4f>; // [rows, width]
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [rows, OUT_STRIDE]

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

fn silu(values: vec4f) -> vec4f {
  return values / (1.0 + exp(-values));
}

@compute @workgroup_size(16)
fn matmul_columns(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 16u + thread;
  let tile_width = select(16u, 8u, GATED) * LANES;
  let tiles = (OUT_WIDTH + tile_width - 1u) / tile_width;
  let tile = index / LANES % tiles;
  let row = index / LANES / tiles * 4u;
  let column = tile * tile_width + index % LANES;
  if (run.done != 0u || row >= run.rows) {
    return;
  }

  // Rows and columns past the end repeat the last ones; `write` leaves them out.
  let rows = run.first_row + min(row + vec4u(0, 1, 2, 3), vec4u(run.rows - 1u));
  let x_first = rows * WIDTH_QUADS;
  let last = vec4u(OUT_WIDTH - 1u);
  let step = vec4u(0, LANES, 2u * LANES, 3u * LANES);
  let columns_a = min(column + step, last);
  let columns_b = min(column + 4u * LANES + step, last);
  var columns_c = min(column + 8u * LANES + step, last);
  var columns_d = min(column + 12u * LANES + step, last);
  if (GATED) {
    columns_c = columns_a + OUT_WIDTH;
    columns_d = columns_b + OUT_WIDTH;
  }

  var sums_0a = vec4f();
  var sums_0b = vec4f();
  var sums_0c = vec4f();
  var sums_0d = vec4f();
  var sums_1a = vec4f();
  var sums_1b = vec4f();
  var sums_1c = vec4f();
  var sums_1d = vec4f();
  var sums_2a = vec4f();
  var sums_2b = vec4f();
  var sums_2c = vec4f();
  var sums_2d = vec4f();
  var sums_3a = vec4f();
  var sums_3b = vec4f();
  var sums_3c = vec4f();
  var sums_3d = vec4f();
  for (var i = 0u; i < WIDTH_QUADS / BLOCK_QUADS; i++) {
    let blocks_a = weight_blocks(columns_a, i);
    let blocks_b = weight_blocks(columns_b, i);
    let blocks_c = weight_blocks(columns_c, i);
    let blocks_d = weight_blocks(columns_d, i);
    for (var quad = 0u; quad < BLOCK_QUADS; quad++) {
      let at = x_first + i * BLOCK_QUADS + quad;
      let x_0 = x[at.x];
      let x_1 = x[at.y];
      let x_2 = x[at.z];
      let x_3 = x[at.w];
      let a = weight_quads(blocks_a, quad);
      sums_0a += x_0 * a;
      sums_1a += x_1 * a;
      sums_2a += x_2 * a;
      sums_3a += x_3 * a;
      let b = weight_quads(blocks_b, quad);
      sums_0b += x_0 * b;
      sums_1b += x_1 * b;
      sums_2b += x_2 * b;
      sums_3b += x_3 * b;
      let c = weight_quads(blocks_c, quad);
      sums_0c += x_0 * c;
      sums_1c += x_1 * c;
      sums_2c += x_2 * c;
      sums_3c += x_3 * c;
      let d = weight_quads(blocks_d, quad);
      sums_0d += x_0 * d;
      sums_1d += x_1 * d;
      sums_2d += x_2 * d;
      sums_3d += x_3 * d;
    }
  }

  // A loop over an array, not 64 calls: drivers inline calls, and compiled for minutes.
  var sums = array<vec4f, 16>(
    sums_0a, sums_0b, sums_0c, sums_0d,
    sums_1a, sums_1b, sums_1c, sums_1d,
    sums_2a, sums_2b, sums_2c, sums_2d,
    sums_3a, sums_3b, sums_3c, sums_3d,
  );
  for (var i = 0u; i < 16u; i++) {
    var values = sums[i];
    if (GATED) {
      if (i % 4u >= 2u) {
        continue;
      }
      values = silu(values) * sums[i + 2u];
    }
    let first = column + i % 4u * 4u * LANES;
    for (var j = 0u; j < 4u; j++) {
      write(row + i / 4u, first + j * LANES, values[j]);
    }
  }
}
