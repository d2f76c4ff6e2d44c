// Keys and values kept as f16, two a word: half the memory and half the traffic of f32. Packed by
// built-in functions of core WGSL, so no shader-f16 is needed.
alias KvQuad = vec2u;

fn kv_pack(values: vec4f) -> KvQuad {
  return vec2u(pack2x16float(values.xy), pack2x16float(values.zw));
}

fn kv_unpack(packed: KvQuad) -> vec4f {
  return vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
