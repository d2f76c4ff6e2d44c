//! A block as integers with scales: what all quantized types are, however they pack them. The value
//! of a level q is scale q, and for types with minimums scale q + min; scale and minimum are those
//! of its part of the block. Both are exact: an f16 times a small integer fits an f32.

/// Values in the longest block.
pub const MOST_LEVELS: usize = 256;

/// Parts of the block with the most.
pub const MOST_PARTS: usize = 16;

/// What the levels of a type can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Values that share a scale: 16 or 32.
    pub part_len: usize,
    /// The least level.
    pub least: i8,
    /// The largest level.
    pub most: i8,
    /// Whether parts have minimums.
    pub has_min: bool,
}

/// One block. Types with shorter blocks use the beginnings of the arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    /// A level a value.
    pub levels: [i8; MOST_LEVELS],
    /// A scale a part.
    pub scales: [f32; MOST_PARTS],
    /// A minimum a part; zero for types without.
    pub mins: [f32; MOST_PARTS],
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            levels: [0; MOST_LEVELS],
            scales: [0.0; MOST_PARTS],
            mins: [0.0; MOST_PARTS],
        }
    }
}

impl Levels {
    /// The first values.
    pub(super) fn dequantize(&self, grid: Grid, out: &mut [f32]) {
        let parts = out
            .chunks_mut(grid.part_len)
            .zip(self.levels.chunks(grid.part_len));
        for (part, (values, levels)) in parts.enumerate() {
            for (value, &level) in values.iter_mut().zip(levels) {
                *value = self.scales[part] * f32::from(level);
                if grid.has_min {
                    *value += self.mins[part];
                }
            }
        }
    }
}
