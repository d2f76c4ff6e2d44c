// out[row, head] = sum over t <= position of softmax(q . k[t] / sqrt(head_dim)) v[t]: `attend` for
// software adapters and many rows
//
// Four rows of a head a thread, so that a key and a value are loaded once for four queries. Four
// quads of q, one a row, make a matrix whose product with a quad of k is those four rows' share of
// the scores; the sums of the four rows are the columns of a matrix likewise.
override HEADS: u32;
override KV_HEADS: u32;
override HEAD_QUADS: u32; // head_dim / 4
override CAUSAL: bool = true;
override WINDOW: u32 = 0xffffffff; // with CAUSAL: positions that a row sees, itself among them

const SLICE: u32 = 4;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>; // [rows, (HEADS + 2 KV_HEADS) * head_dim], queries rotated
@group(0) @binding(2) var<storage, read> keys: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(3) var<storage, read> values: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>; // [rows, HEADS * head_dim]

// The vectors of a matrix, each times its factor.
fn scaled(vectors: mat4x4f, factors: vec4f) -> mat4x4f {
  return mat4x4f(
    vectors[0] * factors.x,
    vectors[1] * factors.y,
    vectors[2] * factors.z,
    vectors[3] * factors.w,
  );
}

// Quad `quad` of the queries of four rows, divided by sqrt(head_dim); zero past the head's end.
fn query_quads(first: vec4u, quad: u32) -> mat4x4f {
  let at = first + min(quad, HEAD_QUADS - 1u);
  let scale = select(0.0, inverseSqrt(f32(HEAD_QUADS * 4u)), quad < HEAD_QUADS);
  return mat4x4f(qkv[at.x], qkv[at.y], qkv[at.z], qkv[at.w]) * scale;
}

fn write(row: u32, head: u32, slice: u32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  if (row >= run.first_row + run.rows) {
    return;
  }
  let first = (row * HEADS + head) * HEAD_QUADS + slice;
  out[first] = a;
  if (slice + 1u < HEAD_QUADS) {
    out[first + 1u] = b;
  }
  if (slice + 2u < HEAD_QUADS) {
    out[first + 2u] = c;
  }
  if (slice + 3u < HEAD_QUADS) {
    out[first + 3u] = d;
  }
}

@compute @workgroup_size(16)
fn attend_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 16u + thread;
  let slices = (HEAD_QUADS + SLICE - 1u) / SLICE;
  let slice = index % slices * SLICE;
  let head = index / slices % HEADS;
  let row = run.first_row + index / slices / HEADS * 4u;
  let end = run.first_row + run.rows;
  if (run.done != 0u || row >= end) {
    return;
  }
  // Rows past the end repeat the last one and are not written.
  let rows = min(row + vec4u(0, 1, 2, 3), vec4u(end - 1u));
  let positions = run.position + rows;
  // The last position that each row sees.
  let lasts = select(vec4u(run.position + end - 1u), positions, CAUSAL);
  let kv_head = head * KV_HEADS / HEADS;
  let queries = (rows * (HEADS + 2u * KV_HEADS) + head) * HEAD_QUADS;
  // The first quads of the queries stay in registers, wider heads read the others each time.
  let queries_0 = query_quads(queries, 0u);
  let queries_1 = query_quads(queries, 1u);
  let queries_2 = query_quads(queries, 2u);
  let queries_3 = query_quads(queries, 3u);
  let quads = min(slice + vec4u(0, 1, 2, 3), vec4u(HEAD_QUADS - 1u));

  var largest = vec4f(-3.4e38);
  var totals = vec4f();
  var sums_0 = mat4x4f();
  var sums_1 = mat4x4f();
  var sums_2 = mat4x4f();
  var sums_3 = mat4x4f();
  for (var t = positions.x + 1u - min(positions.x + 1u, WINDOW); t <= lasts.w; t++) {
    let first = (t * KV_HEADS + kv_head) * HEAD_QUADS;
    var scores = kv_unpack(keys[first]) * queries_0
      + kv_unpack(keys[first + min(1u, HEAD_QUADS - 1u)]) * queries_1
      + kv_unpack(keys[first + min(2u, HEAD_QUADS - 1u)]) * queries_2
      + kv_unpack(keys[first + min(3u, HEAD_QUADS - 1u)]) * queries_3;
    for (var quad = SLICE; quad < HEAD_QUADS; quad++) {
      scores += kv_unpack(keys[first + quad]) * query_quads(queries, quad);
    }
    let seen = (vec4u(t) <= lasts) & (positions - min(vec4u(t), positions) < vec4u(WINDOW));
    let new_largest = select(largest, max(largest, scores), seen);
    let keep = exp(largest - new_largest);
    let shares = select(vec4f(), exp(scores - new_largest), seen);
    largest = new_largest;
    totals = totals * keep + shares;
    let value_0 = kv_unpack(values[first + quads.x]);
    let value_1 = kv_unpack(values[first + quads.y]);
    let value_2 = kv_unpack(values[first + quads.z]);
    let value_3 = kv_unpack(values[first + quads.w]);
    sums_0 = scaled(sums_0, keep) + scaled(mat4x4f(value_0, value_0, value_0, value_0), shares);
    sums_1 = scaled(sums_1, keep) + scaled(mat4x4f(value_1, value_1, value_1, value_1), shares);
    sums_2 = scaled(sums_2, keep) + scaled(mat4x4f(value_2, value_2, value_2, value_2), shares);
    sums_3 = scaled(sums_3, keep) + scaled(mat4x4f(value_3, value_3, value_3, value_3), shares);
  }

  let shares = 1.0 / totals;
  write(row, head, slice, sums_0[0] * shares.x, sums_1[0] * shares.x, sums_2[0] * shares.x, sums_3[0] * shares.x);
  write(row + 1u, head, slice, sums_0[1] * shares.y, sums_1[1] * shares.y, sums_2[1] * shares.y, sums_3[1] * shares.y);
  write(row + 2u, head, slice, sums_0[2] * shares.z, sums_1[2] * shares.z, sums_2[2] * shares.z, sums_3[2] * shares.z);
  write(row + 3u, head, slice, sums_0[3] * shares.w, sums_1[3] * shares.w, sums_2[3] * shares.w, sums_3[3] * shares.w);
}
