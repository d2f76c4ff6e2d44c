// Quants from packed bytes. A byte is moved to the top of an integer, where it has its sign, so that
// the values are the bytes times 2^24, which a block's scale takes back (BYTE_ONE). `unpack4xI8` says
// the same, but shifts lane by lane on software adapters: matrix products took a third longer there.
const BYTE_TO_TOP = vec4u(0x1000000, 0x10000, 0x100, 1);

// What 1 is among the values of `bytes_at_top`, and its inverse.
const TOP_ONE: f32 = 0x1p24f;
const BYTE_ONE: f32 = 0x1p-24f;

fn bytes_at_top(word: u32) -> vec4f {
  return vec4f(bitcast<vec4i>((word * BYTE_TO_TOP) & vec4u(0xff000000)));
}
