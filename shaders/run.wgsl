// What changes from token to token lies on the GPU: every kernel reads it, `select` writes it, so
// that the same bind groups serve every token. The host writes it once at the start of a run.
struct Run {
  // Rows of this pass: the length of the prompt's chunk in prefill, 1 in decode.
  rows: u32,
  // Position in the sequence of row 0 of the buffers.
  position: u32,
  // First row of the buffers that this pass works on: 0 but where only the last rows of a prompt
  // are needed any more.
  first_row: u32,
  // 1 when the run has ended: every kernel returns at once.
  done: u32,
  // Tokens written so far, and the most that may be written.
  written: u32,
  max_tokens: u32,
  // Writing stops after this token.
  end_token: u32,
  padding: u32,
}
