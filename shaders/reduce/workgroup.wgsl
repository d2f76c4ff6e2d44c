// LANES threads share a row and add up through workgroup memory. Works on every GPU.
const WORKGROUP: u32 = 128;
const LANES: u32 = 32; // threads that share a row

var<workgroup> partial_values: array<f32, WORKGROUP>;
var<workgroup> partial_indices: array<u32, WORKGROUP>;

fn reduce_sum(thread: u32, value: f32) -> f32 {
  workgroupBarrier(); // an earlier sum has been read by all
  partial_values[thread] = value;
  for (var distance = LANES / 2u; distance > 0u; distance /= 2u) {
    workgroupBarrier();
    if (thread % LANES < distance) {
      partial_values[thread] += partial_values[thread + distance];
    }
  }
  workgroupBarrier();
  return partial_values[thread - thread % LANES];
}

// The index of the largest value; of equal values the lowest index.
fn reduce_best(thread: u32, value: f32, index: u32) -> u32 {
  partial_values[thread] = value;
  partial_indices[thread] = index;
  for (var distance = LANES / 2u; distance > 0u; distance /= 2u) {
    workgroupBarrier();
    if (thread % LANES < distance) {
      let other = partial_values[thread + distance];
      let other_index = partial_indices[thread + distance];
      let mine = partial_values[thread];
      if (other > mine || (other == mine && other_index < partial_indices[thread])) {
        partial_values[thread] = other;
        partial_indices[thread] = other_index;
      }
    }
  }
  workgroupBarrier();
  return partial_indices[thread - thread % LANES];
}
