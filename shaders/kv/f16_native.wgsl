// Keys and values kept as f16, read and written as the type that devices with shader-f16 have. The
// same bytes as `f16.wgsl`; what is computed with them is f32 in both.
alias KvQuad = vec4<f16>;

fn kv_pack(values: vec4f) -> KvQuad {
  return KvQuad(values);
}

fn kv_unpack(packed: KvQuad) -> vec4f {
  return vec4f(packed);
}
