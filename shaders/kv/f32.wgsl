// Keys and values kept as f32.
alias KvQuad = vec4f;

fn kv_pack(values: vec4f) -> KvQuad {
  return values;
}

fn kv_unpack(packed: KvQuad) -> vec4f {
  return packed;
}
