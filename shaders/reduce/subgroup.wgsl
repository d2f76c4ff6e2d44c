// One row a workgroup: subgroups add up by subgroup operations, whatever their size, and the few
// sums of subgroups meet in workgroup memory.
const WORKGROUP: u32 = 64;
const LANES: u32 = 64; // threads that share a row

var<workgroup> partial_values: array<f32, LANES>;
var<workgroup> partial_indices: array<u32, LANES>;

fn reduce_sum(thread: u32, value: f32) -> f32 {
  let sum = subgroupAdd(value);
  let size = subgroupAdd(1u);
  workgroupBarrier(); // an earlier sum has been read by all
  if (subgroupBroadcastFirst(thread) == thread) {
    partial_values[thread / size] = sum;
  }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < LANES / size; i++) {
    total += partial_values[i];
  }
  return total;
}

// The index of the largest value; of equal values the lowest index.
fn reduce_best(thread: u32, value: f32, index: u32) -> u32 {
  let best = subgroupMax(value);
  let best_index = subgroupMin(select(0xffffffffu, index, value == best));
  let size = subgroupAdd(1u);
  if (subgroupBroadcastFirst(thread) == thread) {
    partial_values[thread / size] = best;
    partial_indices[thread / size] = best_index;
  }
  workgroupBarrier();
  var total = partial_values[0];
  var total_index = partial_indices[0];
  for (var i = 1u; i < LANES / size; i++) {
    let other = partial_values[i];
    if (other > total || (other == total && partial_indices[i] < total_index)) {
      total = other;
      total_index = partial_indices[i];
    }
  }
  return total_index;
}
