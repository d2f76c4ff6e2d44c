// Rotary position embedding of queries (in place) and keys, and keys and values into the cache.
//
// Neighbouring values (a, b) of a head become (a cos - b sin, b cos + a sin); with HALVES the pairs
// are (value i, value i + head_dim / 2). Cosines and sines come from a table that the host computes
// in f64: GPUs promise little precision for large angles.
override HEADS: u32;
override KV_HEADS: u32;
override HEAD_QUADS: u32; // head_dim / 4
override HALVES: bool = false;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> rotations: array<vec4f>; // [context, head_dim / 2] (cos, sin), two a vec4
@group(0) @binding(2) var<storage, read_write> qkv: array<vec4f>; // [rows, (HEADS + 2 KV_HEADS) * head_dim]
@group(0) @binding(3) var<storage, read_write> keys: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(4) var<storage, read_write> values: array<KvQuad>; // [context, KV_HEADS, head_dim]

// One quad of a head, rotated. `first` is the head's first quad.
fn rotated(first: u32, quad: u32, position: u32) -> vec4f {
  let table = position * HEAD_QUADS;
  let x = qkv[first + quad];
  if (HALVES) {
    // Four pairs (x, other), whose angles are 4 * (quad mod half) and the three after it.
    let half = HEAD_QUADS / 2u;
    let low = quad < half;
    let other = qkv[first + select(quad - half, quad + half, low)];
    let angle = table + (quad % half) * 2u;
    let even = rotations[angle];
    let odd = rotations[angle + 1u];
    let cosines = vec4f(even.xz, odd.xz);
    let sines = vec4f(even.yw, odd.yw);
    return x * cosines + other * select(sines, -sines, low);
  }
  let turn = rotations[table + quad]; // (cos, sin) of two pairs
  return vec4f(
    x.x * turn.x - x.y * turn.y,
    x.y * turn.x + x.x * turn.y,
    x.z * turn.z - x.w * turn.w,
    x.w * turn.z + x.z * turn.w,
  );
}

@compute @workgroup_size(64)
fn rotate_and_cache(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) thread: u32) {
  // One thread a head of a row: with HALVES a quad is read by two quads' rotations, so one thread
  // must see the whole head before it is overwritten.
  let index = (group.y * groups.x + group.x) * 64u + thread;
  let heads = HEADS + 2u * KV_HEADS;
  let row = run.first_row + index / heads;
  let head = index % heads;
  if (run.done != 0u || row >= run.first_row + run.rows) {
    return;
  }
  let position = run.position + row;
  let first = (row * heads + head) * HEAD_QUADS;
  if (head < HEADS) {
    if (HALVES) {
      for (var quad = 0u; quad < HEAD_QUADS / 2u; quad++) {
        let low = rotated(first, quad, position);
        let high = rotated(first, quad + HEAD_QUADS / 2u, position);
        qkv[first + quad] = low;
        qkv[first + quad + HEAD_QUADS / 2u] = high;
      }
    } else {
      for (var quad = 0u; quad < HEAD_QUADS; quad++) {
        qkv[first + quad] = rotated(first, quad, position);
      }
    }
  } else if (head < HEADS + KV_HEADS) {
    let cached = (position * KV_HEADS + head - HEADS) * HEAD_QUADS;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
      keys[cached + quad] = kv_pack(rotated(first, quad, position));
    }
  } else {
    let cached = (position * KV_HEADS + head - HEADS - KV_HEADS) * HEAD_QUADS;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
      values[cached + quad] = kv_pack(qkv[first + quad]);
    }
  }
}
