// out[row, head] = sum over t <= position of softmax(q . k[t] / sqrt(head_dim)) v[t]
//
// Causal, bounded by the row's own position; query head h reads key and value head
// h * KV_HEADS / HEADS. The softmax is computed online: when a larger score comes, what was summed
// so far is scaled down. A thread computes SLICE quads of one head of one row in registers; heads
// wider than that are shared by several threads, each of which computes the scores for itself.
override HEADS: u32;
override KV_HEADS: u32;
override HEAD_QUADS: u32; // head_dim / 4
override WINDOW: u32 = 0xffffffff; // positions that a row sees, itself among them

const SLICE: u32 = 4;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>; // [rows, (HEADS + 2 KV_HEADS) * head_dim], queries rotated
@group(0) @binding(2) var<storage, read> keys: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(3) var<storage, read> values: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>; // [rows, HEADS * head_dim]

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let slices = (HEAD_QUADS + SLICE - 1u) / SLICE;
  let slice = index % slices * SLICE;
  let head = index / slices % HEADS;
  let row = index / slices / HEADS;
  if (run.done != 0u || row >= run.rows) {
    return;
  }
  let position = run.position + row;
  let query = (row * (HEADS + 2u * KV_HEADS) + head) * HEAD_QUADS;
  let kv_head = head * KV_HEADS / HEADS;
  let scale = inverseSqrt(f32(HEAD_QUADS * 4u));
  // Quads of the slice; those past the head's end repeat its last and are not written.
  let quads = min(vec4u(slice) + vec4u(0, 1, 2, 3), vec4u(HEAD_QUADS - 1u));

  var largest = -3.4e38;
  var total = 0.0;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var t = position + 1u - min(position + 1u, WINDOW); t <= position; t++) {
    let first = (t * KV_HEADS + kv_head) * HEAD_QUADS;
    var score = 0.0;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
      score += dot(qkv[query + quad], kv_unpack(keys[first + quad]));
    }
    score *= scale;
    let new_largest = max(largest, score);
    let keep = exp(largest - new_largest);
    let share = exp(score - new_largest);
    largest = new_largest;
    total = total * keep + share;
    sum0 = sum0 * keep + share * kv_unpack(values[first + quads.x]);
    sum1 = sum1 * keep + share * kv_unpack(values[first + quads.y]);
    sum2 = sum2 * keep + share * kv_unpack(values[first + quads.z]);
    sum3 = sum3 * keep + share * kv_unpack(values[first + quads.w]);
  }

  let written = (row * HEADS + head) * HEAD_QUADS;
  out[written + quads.x] = sum0 / total;
  if (slice + 1u < HEAD_QUADS) {
    out[written + quads.y] = sum1 / total;
  }
  if (slice + 2u < HEAD_QUADS) {
    out[written + quads.z] = sum2 / total;
  }
  if (slice + 3u < HEAD_QUADS) {
    out[written + quads.w] = sum3 / total;
  }
}
