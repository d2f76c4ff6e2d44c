// Greedy choice of the next token, and the step to the next position.
//
// The token with the largest logit (of equal ones the lowest id) is appended to the sequence, where
// `embed` finds it; the pass after this one has one row, at the position of that token.
override VOCAB: u32;

@group(0) @binding(0) var<storage, read_write> run: Run;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [VOCAB]
@group(0) @binding(2) var<storage, read_write> tokens: array<u32>; // [context + 1]

var<workgroup> done: u32;

@compute @workgroup_size(WORKGROUP)
fn select_token(@builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) {
    done = run.done;
  }
  if (workgroupUniformLoad(&done) != 0u) {
    return;
  }
  // LANES threads share the row; what other threads of the workgroup find is not used.
  var best = -3.4e38;
  var best_index = 0u;
  for (var i = thread; i < VOCAB && thread < LANES; i += LANES) {
    let value = logits[i];
    if (value > best) {
      best = value;
      best_index = i;
    }
  }
  let token = reduce_best(thread, best, best_index);
  if (thread != 0u) {
    return;
  }
  run.position += run.rows;
  run.rows = 1u;
  run.written += 1u;
  tokens[run.position] = token;
  if (token == run.end_token || run.written >= run.max_tokens) {
    run.done = 1u;
  }
}
