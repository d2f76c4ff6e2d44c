// Rotary position embedding of queries (in place) and keys, and keys and values into the cache.
// With NORM, each head of queries and keys is first divided by its root mean square.
//
// Neighbouring values (a, b) of a head become (a cos - b sin, b cos + a sin); with HALVES the pairs
// are (value i, value i + head_dim / 2). Cosines and sines come from a table that the host computes
// in f64: GPUs promise little precision for large angles.
override HEADS: u32;
override KV_HEADS: u32;
override HEAD_QUADS: u32; // head_dim / 4
override HALVES: bool = false;
override NORM: bool = false;
override EPS: f32 = 0.0;

@group(0) @binding(0) var<storage, read> run: Run;
@group(0) @binding(1) var<storage, read> rotations: array<vec4f>; // [context, head_dim / 2] (cos, sin), two a vec4
@group(0) @binding(2) var<storage, read_write> qkv: array<vec4f>; // [rows, (HEADS + 2 KV_HEADS) * head_dim]
@group(0) @binding(3) var<storage, read_write> keys: array<KvQuad>; // [context, KV_HEADS, head_dim]
@group(0) @binding(4) var<storage, read_write> values: array<KvQuad>; // [context, KV_HEADS, head_dim]

@group(0) @binding(5) var<storage, read> query_norm: array<vec4f>; // [head_dim]
@group(0) @binding(6) var<storage, read> key_norm: array<vec4f>; // [head_dim]

// A head that is normed and rotated: where it begins, whether it is a query's, and
// 1 / sqrt(mean(x^2) + eps).
struct Head {
  first: u32,
  is_query: bool,
  scale: f32,
}

fn head_at(first: u32, is_query: bool) -> Head {
  if (!NORM) {
    return Head(first, is_query, 1.0);
  }
  var squares = 0.0;
  for (var quad = 0u; quad < HEAD_QUADS; quad++) {
    let value = qkv[first + quad];
    squares += dot(value, value);
  }
  return Head(first, is_query, inverseSqrt(squares / f32(HEAD_QUADS * 4u) + EPS));
}

// One quad of a head, normed.
fn normed(head: Head, quad: u32) -> vec4f {
  let x = qkv[head.first + quad];
  if (!NORM) {
    return x;
  }
  if (head.is_query) {
    return x * head.scale * query_norm[quad];
  }
  return x * head.scale * key_norm[quad];
}

// One quad of a head, normed and rotated.
fn rotated(head: Head, quad: u32, position: u32) -> vec4f {
  let table = position * HEAD_QUADS;
  let x = normed(head, quad);
  if (HALVES) {
    // Four pairs (x, other), whose angles are 4 * (quad mod half) and the three after it.
    let half = max(HEAD_QUADS / 2u, 1u); // no remainder by 0, where heads of one quad are compiled
    let low = quad < half;
    let other = normed(head, select(quad - half, quad + half, low));
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
    let query = head_at(first, true);
    if (HALVES) {
      for (var quad = 0u; quad < HEAD_QUADS / 2u; quad++) {
        let low = rotated(query, quad, position);
        let high = rotated(query, quad + HEAD_QUADS / 2u, position);
        qkv[first + quad] = low;
        qkv[first + quad + HEAD_QUADS / 2u] = high;
      }
    } else {
      for (var quad = 0u; quad < HEAD_QUADS; quad++) {
        qkv[first + quad] = rotated(query, quad, position);
      }
    }
  } else if (head < HEADS + KV_HEADS) {
    let cached = (position * KV_HEADS + head - HEADS) * HEAD_QUADS;
    let key = head_at(first, false);
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
      keys[cached + quad] = kv_pack(rotated(key, quad, position));
    }
  } else {
    let cached = (position * KV_HEADS + head - HEADS - KV_HEADS) * HEAD_QUADS;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
      values[cached + quad] = kv_pack(qkv[first + quad]);
    }
  }
}
