//! A matrix as the kernels read it. Rows lie in groups of four, one a lane: what a lane sums is its
//! row's result, and nothing has to be added across lanes in the end. That makes products with a
//! vector 2.2 times as fast as row after row, and three times as fast as candle's kernels
//! (`reports/cpu-kernels.txt`). Built row by row, as weights are read.
//!
//! Quantized types all become levels with f32 scales (`weights::Levels`), exactly: those of at most
//! 16 levels as halves of bytes, the others as bytes. Floats stay what they are.

use std::array::from_fn;

use super::lanes::LANES;
use crate::weights::{Grid, Levels, MOST_LEVELS, WeightType};

/// `[rows, cols]`.
pub struct Matrix {
    /// Outputs of a product.
    pub rows: usize,
    /// Inputs of a product.
    pub cols: usize,
    pub(super) values: Values,
    weight_type: WeightType,
}

/// The values, group after group of four rows; missing rows of the last group are zeros.
pub(super) enum Values {
    Levels(Packed),
    /// `[groups, cols]`
    F32(Vec<[f32; LANES]>),
    /// Bits of f16.
    F16(Vec<[u16; LANES]>),
    /// Bits of bf16.
    Bf16(Vec<[u16; LANES]>),
}

/// Levels with a scale a part.
pub(super) struct Packed {
    pub(super) grid: Grid,
    /// Whether two levels share a byte; these are counted from the least level.
    pub(super) is_nibbles: bool,
    /// `[groups, cols / part_len, vectors of a part]`; where a level lies in them says [`place`].
    pub(super) vectors: Vec<[u8; 16]>,
    /// `[groups, cols / part_len]`
    pub(super) scales: Vec<[f32; LANES]>,
    /// The same; empty for types without.
    pub(super) mins: Vec<[f32; LANES]>,
}

impl Packed {
    /// Vectors of a part of four rows.
    pub(super) fn vectors_of_part(&self) -> usize {
        self.grid.part_len * LANES / if self.is_nibbles { 32 } else { 16 }
    }
}

/// Whether two levels fit a byte.
fn is_nibbles(grid: Grid) -> bool {
    i32::from(grid.most) - i32::from(grid.least) < 16
}

/// Vector, byte and shift of the level of a lane at an index of its part. Pairs of neighbors are
/// the 16-bit words that are multiplied together; a vector of halves of bytes holds four pairs of
/// each lane, one of bytes two.
fn place(is_nibbles: bool, lane: usize, index: usize) -> (usize, usize, u32) {
    let (pair, second) = (index / 2, index % 2);
    if is_nibbles {
        let nibble = pair % 4;
        let word = 2 * lane + second;
        (pair / 4, 2 * word + nibble / 2, (nibble % 2 * 4) as u32)
    } else {
        (pair / 2, pair % 2 * 8 + 2 * lane + second, 0)
    }
}

impl Matrix {
    /// Of zeros.
    pub fn new(weight_type: WeightType, rows: usize, cols: usize) -> Self {
        let groups = rows.div_ceil(LANES);
        let floats = groups * cols;
        let values = match (weight_type, weight_type.grid()) {
            (_, Some(grid)) => {
                let parts = groups * (cols / grid.part_len);
                let mut packed = Packed {
                    grid,
                    is_nibbles: is_nibbles(grid),
                    vectors: Vec::new(),
                    scales: vec![[0.0; LANES]; parts],
                    mins: vec![[0.0; LANES]; if grid.has_min { parts } else { 0 }],
                };
                packed.vectors = vec![[0; 16]; parts * packed.vectors_of_part()];
                Values::Levels(packed)
            }
            (WeightType::F16, None) => Values::F16(vec![[0; LANES]; floats]),
            (WeightType::BF16, None) => Values::Bf16(vec![[0; LANES]; floats]),
            (_, None) => Values::F32(vec![[0.0; LANES]; floats]),
        };
        Self {
            rows,
            cols,
            values,
            weight_type,
        }
    }

    /// Puts whole rows as a file holds them.
    pub fn set_rows(&mut self, first: usize, raw: &[u8]) {
        let row_bytes = self.weight_type.row_bytes(self.cols);
        for (row, raw) in raw.chunks_exact(row_bytes).enumerate() {
            let (group, lane) = ((first + row) / LANES, (first + row) % LANES);
            let floats = group * self.cols;
            match &mut self.values {
                Values::Levels(packed) => packed.set_row(self.weight_type, group, lane, raw),
                Values::F32(values) => {
                    let row = self.weight_type.dequantize(raw);
                    set_lane(&mut values[floats..], lane, row);
                }
                Values::F16(values) | Values::Bf16(values) => {
                    let words = raw.as_chunks::<2>().0.iter();
                    let row = words.map(|it| u16::from_le_bytes(*it));
                    set_lane(&mut values[floats..], lane, row);
                }
            }
        }
    }

    /// A row as f32, `[cols]`.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (group, lane) = (row / LANES, row % LANES);
        let floats = group * self.cols..(group + 1) * self.cols;
        match &self.values {
            Values::Levels(packed) => packed.row(group, lane, out),
            Values::F32(values) => {
                let values = values[floats].iter().zip(out);
                values.for_each(|(value, out)| *out = value[lane]);
            }
            Values::F16(values) => {
                let values = values[floats].iter().zip(out);
                values.for_each(|(value, out)| *out = from_f16(value[lane]));
            }
            Values::Bf16(values) => {
                let values = values[floats].iter().zip(out);
                values.for_each(|(value, out)| *out = from_bf16(value[lane]));
            }
        }
    }

    /// Bytes that a matrix takes in memory.
    pub fn bytes_of(weight_type: WeightType, rows: usize, cols: usize) -> u64 {
        let rows = rows.next_multiple_of(LANES);
        let bits = match weight_type.grid() {
            None if weight_type == WeightType::F32 => 32,
            None => 16,
            Some(grid) => {
                let bits = if is_nibbles(grid) { 4 } else { 8 };
                let floats = if grid.has_min { 2 } else { 1 };
                bits + floats * 32 / grid.part_len
            }
        };
        rows as u64 * cols as u64 * bits as u64 / 8
    }

    /// Bytes in memory.
    pub fn size_bytes(&self) -> u64 {
        let bytes = match &self.values {
            Values::Levels(packed) => {
                size_of_val(&packed.vectors[..])
                    + size_of_val(&packed.scales[..])
                    + size_of_val(&packed.mins[..])
            }
            Values::F32(values) => size_of_val(&values[..]),
            Values::F16(values) | Values::Bf16(values) => size_of_val(&values[..]),
        };
        bytes as u64
    }
}

fn set_lane<V>(values: &mut [[V; LANES]], lane: usize, row: impl IntoIterator<Item = V>) {
    for (value, new) in values.iter_mut().zip(row) {
        value[lane] = new;
    }
}

impl Packed {
    fn set_row(&mut self, weight_type: WeightType, group: usize, lane: usize, raw: &[u8]) {
        let part_len = self.grid.part_len;
        let parts_of_block = weight_type.block_len() / part_len;
        let blocks = raw.len() / weight_type.block_bytes();
        let vectors_of_part = self.vectors_of_part();
        let is_nibbles = self.is_nibbles;
        let least = if is_nibbles { self.grid.least } else { 0 };
        let places: [_; MOST_PART_LEN] = from_fn(|index| place(is_nibbles, lane, index));
        let mut part = group * blocks * parts_of_block;
        let mut levels = Levels::default();
        for block in raw.chunks_exact(weight_type.block_bytes()) {
            weight_type.read_levels(block, &mut levels);
            for of_block in 0..parts_of_block {
                self.scales[part][lane] = levels.scales[of_block];
                if let Some(mins) = self.mins.get_mut(part) {
                    mins[lane] = levels.mins[of_block];
                }
                let vectors = &mut self.vectors[part * vectors_of_part..][..vectors_of_part];
                let levels = &levels.levels[of_block * part_len..][..part_len];
                for (&level, &(vector, byte, shift)) in levels.iter().zip(&places) {
                    let bits = level.wrapping_sub(least) as u8;
                    vectors[vector][byte] |= bits << shift;
                }
                part += 1;
            }
        }
    }

    fn row(&self, group: usize, lane: usize, out: &mut [f32]) {
        let part_len = self.grid.part_len;
        let vectors_of_part = self.vectors_of_part();
        let first = group * (out.len() / part_len);
        for (part, values) in out.chunks_exact_mut(part_len).enumerate() {
            let part = first + part;
            let vectors = &self.vectors[part * vectors_of_part..][..vectors_of_part];
            let min = self.mins.get(part).map_or(0.0, |it| it[lane]);
            for (index, value) in values.iter_mut().enumerate() {
                let (vector, byte, shift) = place(self.is_nibbles, lane, index);
                let bits = vectors[vector][byte];
                let level = if self.is_nibbles {
                    (bits >> shift & 15) as i8 + self.grid.least
                } else {
                    bits as i8
                };
                *value = self.scales[part][lane] * f32::from(level) + min;
            }
        }
    }
}

/// Values of the longest part.
const MOST_PART_LEN: usize = 32;
const _: () = assert!(MOST_PART_LEN <= MOST_LEVELS);

/// The value of f16 bits, without a branch, so that four are made at once: the exponent is moved by
/// a multiplication, which is exact and takes subnormals along.
#[inline(always)]
pub(super) fn from_f16(bits: u16) -> f32 {
    const MOVE_EXPONENT: f32 = f32::from_bits((112 + 127) << 23); // 2^112
    let bits = u32::from(bits);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * MOVE_EXPONENT;
    let is_finite = bits & 0x7c00 != 0x7c00;
    let special = 0x7f80_0000 | (bits & 0x3ff) << 13;
    let magnitude = if is_finite {
        magnitude.to_bits()
    } else {
        special
    };
    f32::from_bits(magnitude | (bits & 0x8000) << 16)
}

/// The value of bf16 bits.
#[inline(always)]
pub(super) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
