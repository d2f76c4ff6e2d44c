//! Twin of `shaders/pack_rows.wgsl`.

use crate::model::RunState;

/// Values that share a scale.
pub const PACKED_GROUP: usize = 16;

/// The largest integer of two signed bytes, 256 * 127 + 127.
const MOST: f32 = 32639.0;

/// `x = scale * integer`, with a scale for each 16 values, of whose largest the integer is
/// [`MOST`].
///
/// `x` and `integers` `[rows, width]`; `lines` `[rows, width / 16]`: scale, and sum of the 16 values
/// as they are packed.
pub fn pack_rows(
    run: &RunState,
    width: usize,
    x: &[f32],
    integers: &mut [i32],
    lines: &mut [[f32; 2]],
) {
    let groups = run.rows as usize * width / PACKED_GROUP;
    let packed = integers
        .chunks_exact_mut(PACKED_GROUP)
        .zip(lines)
        .zip(x.chunks_exact(PACKED_GROUP));
    for ((integers, line), x) in packed.take(groups) {
        let scale = x.iter().fold(0.0, |most: f32, it| most.max(it.abs())) / MOST;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (x * inverse).round_ties_even().clamp(-MOST, MOST) as i32;
        }
        let sum: i32 = integers.iter().sum();
        *line = [scale, scale * sum as f32];
    }
}
