// Weights in groups of 64 rows, word by word: the first words of the 64 rows, then their second
// words. For software adapters: they run four or eight threads as the lanes of one vector
// instruction, and a load is one instruction only where those lanes read side by side.
@group(0) @binding(1) var<storage, read> weight: array<u32>; // [rows / 64, words, 64]
@group(0) @binding(2) var<storage, read> weight_scales: array<f32>; // [rows / 64, blocks, 64]

const WORD_STRIDE: u32 = 64; // from one word of a row to its next

fn first_word(row: u32, words: u32) -> u32 {
  return row / WORD_STRIDE * WORD_STRIDE * words + row % WORD_STRIDE;
}

fn weight_scale(row: u32, block: u32, blocks: u32) -> f32 {
  return weight_scales[first_word(row, blocks) + block * WORD_STRIDE];
}
