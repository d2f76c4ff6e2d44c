// Weights row by row, for GPUs: threads that share a row read side by side.
@group(0) @binding(1) var<storage, read> weight: array<u32>; // [rows, words]
@group(0) @binding(2) var<storage, read> weight_scales: array<u32>; // [rows, blocks] f16, two a word

const WORD_STRIDE: u32 = 1; // from one word of a row to its next

fn first_word(row: u32, words: u32) -> u32 {
  return row * words;
}

fn weight_scale(row: u32, block: u32, blocks: u32) -> f32 {
  let index = row * blocks + block;
  let pair = unpack2x16float(weight_scales[index / 2u]);
  return select(pair.x, pair.y, index % 2u == 1u);
}
