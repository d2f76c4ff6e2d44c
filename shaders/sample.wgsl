// Choice of the next token by its probability, and the step to the next position: penalty for
// repetition, temperature, top-k, top-p, min-p, draw (see `model/sampling.rs`).
//
// Nothing is sorted. Each bound is the largest value of logits from which on there are enough
// tokens, or enough probability; it is found bit by bit, with one pass over the logits a bit.
override VOCAB: u32;

const REPETITION_WINDOW: u32 = 64;

// `Sampling` of `model/sampling.rs`.
struct Sampling {
  temperature: f32,
  top_k: u32,
  top_p: f32,
  min_p: f32,
  repetition_penalty: f32,
  seed_low: u32,
  seed_high: u32,
  padding: u32,
}

@group(0) @binding(0) var<storage, read_write> run: Run;
@group(0) @binding(1) var<storage, read> sampling: Sampling;
@group(0) @binding(2) var<storage, read_write> logits: array<f32>; // [VOCAB]
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>; // [context + 1]

var<workgroup> done: u32;
var<workgroup> slice_sums: array<f32, LANES>;

// Orders as floats do.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn mix_bits(bits: u32) -> u32 {
  var x = bits;
  x ^= x >> 16u;
  x *= 0x7feb352du;
  x ^= x >> 15u;
  x *= 0x846ca68bu;
  return x ^ (x >> 16u);
}

// From 0 to 1, for token `index` of a run.
fn uniform_number(index: u32) -> f32 {
  let mixed = mix_bits(mix_bits(sampling.seed_low) ^ sampling.seed_high);
  return f32(mix_bits(mixed + index * 0x9e3779b9u) >> 8u) / 16777216.0;
}

// Each token of the last ones once: by the thread that finds it first.
fn penalize(thread: u32) {
  if (sampling.repetition_penalty == 1.0 || thread >= LANES) {
    return;
  }
  let end = run.position + run.rows;
  let first = end - min(end, REPETITION_WINDOW);
  for (var i = first + thread; i < end; i += LANES) {
    let token = tokens[i];
    var is_first = token < VOCAB; // given embeddings are no token's
    for (var j = first; j < i; j++) {
      is_first = is_first && tokens[j] != token;
    }
    if (is_first) {
      let value = logits[token];
      let penalty = sampling.repetition_penalty;
      logits[token] = select(value * penalty, value / penalty, value > 0.0);
    }
  }
}

fn weight(logit: f32, largest: f32) -> f32 {
  return exp((logit - largest) / sampling.temperature);
}

// Probability of the tokens from a key on, up to the factor that all have.
fn mass_from(thread: u32, floor: u32, largest: f32) -> f32 {
  var sum = 0.0;
  for (var i = thread; i < VOCAB; i += LANES) {
    let logit = logits[i];
    if (key_of(logit) >= floor) {
      sum += weight(logit, largest);
    }
  }
  return reduce_sum(thread, sum);
}

fn count_from(thread: u32, floor: u32) -> f32 {
  var count = 0.0;
  for (var i = thread; i < VOCAB; i += LANES) {
    count += select(0.0, 1.0, key_of(logits[i]) >= floor);
  }
  return reduce_sum(thread, count);
}

// The largest key from which on there are `top_k` tokens.
fn top_k_floor(thread: u32) -> u32 {
  let wanted = f32(min(sampling.top_k, VOCAB));
  var floor = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let candidate = floor | (0x80000000u >> bit);
    if (count_from(thread, candidate) >= wanted) {
      floor = candidate;
    }
  }
  return floor;
}

// The largest key from which on there is `top_p` of the probability that there is from `least` on.
fn top_p_floor(thread: u32, least: u32, largest: f32) -> u32 {
  let wanted = sampling.top_p * mass_from(thread, least, largest);
  var floor = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let candidate = floor | (0x80000000u >> bit);
    if (mass_from(thread, max(candidate, least), largest) >= wanted) {
      floor = candidate;
    }
  }
  return max(floor, least);
}

// The first token at which the probability up to it exceeds the drawn part of it all. Each thread
// adds up a slice of the vocabulary, the first finds the slice and walks through it.
fn draw(thread: u32, floor: u32, best: u32) -> u32 {
  let largest = logits[best];
  let slice = (VOCAB + LANES - 1u) / LANES;
  if (thread < LANES) {
    var sum = 0.0;
    for (var i = thread * slice; i < min((thread + 1u) * slice, VOCAB); i++) {
      let logit = logits[i];
      if (key_of(logit) >= floor) {
        sum += weight(logit, largest);
      }
    }
    slice_sums[thread] = sum;
  }
  workgroupBarrier();
  if (thread != 0u) {
    return 0u;
  }
  var total = 0.0;
  for (var lane = 0u; lane < LANES; lane++) {
    total += slice_sums[lane];
  }
  let wanted = uniform_number(run.written) * total;
  var sum = 0.0;
  var first = 0u;
  for (var lane = 0u; lane + 1u < LANES && sum + slice_sums[lane] <= wanted; lane++) {
    sum += slice_sums[lane];
    first += slice;
  }
  // Rounding may leave the wanted part just above all of it.
  var token = best;
  for (var i = first; i < VOCAB && sum <= wanted; i++) {
    let logit = logits[i];
    if (key_of(logit) >= floor) {
      token = i;
      sum += weight(logit, largest);
    }
  }
  return token;
}

@compute @workgroup_size(WORKGROUP)
fn sample(@builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) {
    done = run.done;
  }
  if (workgroupUniformLoad(&done) != 0u) {
    return;
  }
  penalize(thread);
  storageBarrier();
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
  var token = reduce_best(thread, best, best_index);
  if (sampling.temperature > 0.0) {
    let largest = logits[token];
    var floor = 0u;
    if (sampling.top_k > 0u) {
      floor = top_k_floor(thread);
    }
    if (sampling.top_p < 1.0) {
      floor = top_p_floor(thread, floor, largest);
    }
    if (sampling.min_p > 0.0) {
      floor = max(floor, key_of(largest + sampling.temperature * log(sampling.min_p)));
    }
    token = draw(thread, floor, token);
  }
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
