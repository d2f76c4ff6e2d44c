// out[row, head] = sum over t <= position of softmax(q . k[t] / sqrt(head_dim)) v[t]
//
// Causal, bounded by the row's own position (without CAUSAL every row sees all positions of the
// pass and before it); query head h reads key and value head h * KV_HEADS / HEADS. The softmax is computed online: when a larger score comes, what was summed
// so far is scaled down. A thread computes SLICE quads of one head of one row in registers; heads
// wider than that are shared by several threads, each of which computes the scores for itself.
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

// Quad `quad` of the query; zero past its end.
fn query_quad(first: u32, quad: u32) -> vec4f {
  return select(vec4f(), qkv[first + min(quad, HEAD_QUADS - 1u)], quad < HEAD_QUADS);
}

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let slices = (HEAD_QUADS + SLICE - 1u) / SLICE;
  let slice = index % slices * SLICE;
  let head = index / slices % HEADS;
  let row = run.first_row + index / slices / HEADS;
  if (run.done != 0u || row >= run.first_row + run.rows) {
    return;
  }
  let position = run.position + row;
  let last = select(run.position + run.first_row + run.rows - 1u, position, CAUSAL);
  let kv_head = head * KV_HEADS / HEADS;
  let scale = inverseSqrt(f32(HEAD_QUADS * 4u));
  let query = (row * (HEADS + 2u * KV_HEADS) + head) * HEAD_QUADS;
  // The first quads of the query stay in registers, wider heads read the others each time.
  let query_0 = query_quad(query, 0u) * scale;
  let query_1 = query_quad(query, 1u) * scale;
  let query_2 = query_quad(query, 2u) * scale;
  let query_3 = query_quad(query, 3u) * scale;
  // Quads of the slice; those past the head's end repeat its last and are not written.
  let quads = min(slice + vec4u(0, 1, 2, 3), vec4u(HEAD_QUADS - 1u));

  var largest = -3.4e38;
  var total = 0.0;
  var sum_0 = vec4f();
  var sum_1 = vec4f();
  var sum_2 = vec4f();
  var sum_3 = vec4f();
  for (var t = position + 1u - min(position + 1u, WINDOW); t <= last; t++) {
    let first = (t * KV_HEADS + kv_head) * HEAD_QUADS;
    var score = dot(query_0, kv_unpack(keys[first]))
      + dot(query_1, kv_unpack(keys[first + min(1u, HEAD_QUADS - 1u)]))
      + dot(query_2, kv_unpack(keys[first + min(2u, HEAD_QUADS - 1u)]))
      + dot(query_3, kv_unpack(keys[first + min(3u, HEAD_QUADS - 1u)]));
    for (var quad = SLICE; quad < HEAD_QUADS; quad++) {
      score += dot(qkv[query + quad] * scale, kv_unpack(keys[first + quad]));
    }
    let new_largest = max(largest, score);
    let keep = exp(largest - new_largest);
    let share = exp(score - new_largest);
    largest = new_largest;
    total = total * keep + share;
    sum_0 = sum_0 * keep + share * kv_unpack(values[first + quads.x]);
    sum_1 = sum_1 * keep + share * kv_unpack(values[first + quads.y]);
    sum_2 = sum_2 * keep + share * kv_unpack(values[first + quads.z]);
    sum_3 = sum_3 * keep + share * kv_unpack(values[first + quads.w]);
  }

  let written = (row * HEADS + head) * HEAD_QUADS;
  out[written + quads.x] = sum_0 / total;
  if (slice + 1u < HEAD_QUADS) {
    out[written + quads.y] = sum_1 / total;
  }
  if (slice + 2u < HEAD_QUADS) {
    out[written + quads.z] = sum_2 / total;
  }
  if (slice + 3u < HEAD_QUADS) {
    out[written + quads.w] = sum_3 / total;
  }
}
