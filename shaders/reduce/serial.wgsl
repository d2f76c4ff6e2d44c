// One thread a row, no barriers: the layout of CPU-type adapters, where a barrier costs more than
// the work it shares out.
const WORKGROUP: u32 = 64;
const LANES: u32 = 1; // threads that share a row

fn reduce_sum(thread: u32, value: f32) -> f32 {
  return value;
}

// The larger value; of equal values the lower index.
fn reduce_best(thread: u32, value: f32, index: u32) -> u32 {
  return index;
}
