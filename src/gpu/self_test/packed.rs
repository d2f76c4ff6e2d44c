//! Cases of `pack_rows`, and what its twin makes of rows.

use super::super::linear::PackedRows;
use super::super::{Gpu, GpuError};
use super::bench::Values;
use super::{Comparison, Pass};
use crate::model::RunState;
use crate::reference::{self, PACKED_GROUP};

/// One unit of the largest value, 1 / 32639, where a device rounds a half or a reciprocal otherwise.
/// Without low bytes values would be off by 128 units.
const PACK_TOLERANCE: f32 = 1.1 / 32639.0;

/// Rows as integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackCase {
    /// Width of a row, a multiple of 16.
    pub width: usize,
    /// The rows.
    pub pass: Pass,
}

impl PackCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let (width, pass) = (self.width, self.pass);
        let mut x = values.within(1.0, pass.buffer_rows() * width);
        // A group of zeros, which has no scale.
        x[..PACKED_GROUP].fill(0.0);
        let packed = PackedRows::allocate(gpu, pass.buffer_rows() as u64, width)?;
        let run = gpu.run_buffer(pass.run())?;
        let dispatch = gpu.pack_rows(&run, width, &gpu.filled("x", &x)?, &packed)?;
        let words: Vec<[u32; 2]> = gpu
            .written(&[dispatch], pass.rows, &packed.words, x.len() / 4)
            .await?;
        let lines: Vec<[f32; 2]> = gpu.content(&packed.lines, x.len() / PACKED_GROUP).await?;

        let first = pass.first_row as usize * width;
        let mut integers = vec![0; x.len()];
        let mut expected_lines = vec![[0.0; 2]; x.len() / PACKED_GROUP];
        if !pass.is_done {
            let run = pass.run_from_row_0();
            let lines = &mut expected_lines[first / PACKED_GROUP..];
            reference::pack_rows(&run, width, &x[first..], &mut integers[first..], lines);
        }
        let found = unpacked(&integers_of(&words), &lines);
        let expected = unpacked(&integers, &expected_lines);
        let sums = |lines: &[[f32; 2]]| -> Vec<f32> { lines.iter().map(|it| it[1]).collect() };
        let [found_sums, expected_sums] = [sums(&lines), sums(&expected_lines)];
        let sum_tolerance = PACK_TOLERANCE * PACKED_GROUP as f32;
        let of_values = Comparison::new(&found, &expected, PACK_TOLERANCE);
        Ok(of_values.and(Comparison::new(&found_sums, &expected_sums, sum_tolerance)))
    }
}

/// The integers of words of high and low bytes.
fn integers_of(words: &[[u32; 2]]) -> Vec<i32> {
    let quads = words.iter().map(|it| it.map(|word| word.to_le_bytes()));
    let integer = |high: u8, low: u8| i32::from(high as i8) * 256 + i32::from(low as i8);
    quads
        .flat_map(|[high, low]| [0, 1, 2, 3].map(|it| integer(high[it], low[it])))
        .collect()
}

fn unpacked(integers: &[i32], lines: &[[f32; 2]]) -> Vec<f32> {
    let groups = integers.chunks_exact(PACKED_GROUP).zip(lines);
    groups
        .flat_map(|(integers, &[scale, _])| integers.iter().map(move |&it| scale * it as f32))
        .collect()
}

/// Rows as a product of bytes sees them.
pub(super) fn as_packed(x: &[f32]) -> Vec<f32> {
    let run = RunState {
        rows: 1,
        ..RunState::default()
    };
    let mut integers = vec![0; x.len()];
    let mut lines = vec![[0.0; 2]; x.len() / PACKED_GROUP];
    reference::pack_rows(&run, x.len(), x, &mut integers, &mut lines);
    unpacked(&integers, &lines)
}
