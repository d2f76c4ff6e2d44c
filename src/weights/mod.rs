//! The types that weights can have: what a block holds, how it becomes f32 and back, and how it is
//! laid out for the GPU. A new type is one file here, one part in `shaders/weights/`, and one line
//! in the list below; tests, bench and docs iterate over [`WeightType::ALL`].
//!
//! **Layout on the GPU.** Blocks in a file are packed without regard to alignment (a Q8_0 block
//! has 34 bytes). On the GPU a weight is an array of `u32` words in two planes, one after the
//! other in one buffer: the *main plane* (values, or all of a block that is no f16; whole words a
//! block) and the *scale plane* (the f16 of all blocks, two a word; empty for F32, F16 and BF16).
//! Rows follow each other without gaps in each plane. See [`WeightType::repack`].

mod bf16;
mod f16;
mod f32;
mod iq4_nl;
mod k_quants;
mod levels;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;

pub use levels::{Grid, Levels, MOST_LEVELS, MOST_PARTS};

use crate::formats::gguf::TensorInfo;

/// Rows of a chunk that is repacked on its own are a multiple of this, but for the last chunk of a
/// weight: with an odd number of blocks a row, the scales of one row end inside a `u32` word.
pub const CHUNK_ROWS_MULTIPLE: usize = 2;

/// What a file of this folder says about its type.
struct Format {
    name: &'static str,
    ggml_id: u32,
    block_len: usize,
    block_bytes: usize,
    /// Bytes of a block in the main plane; the rest of the block goes to the scale plane.
    main_bytes: usize,
    /// Bytes of a block in the scale plane.
    scale_bytes: usize,
    /// How one block becomes `block_len` values.
    values: Values,
    /// `block_len` values to one block.
    quantize: fn(&[f32], &mut Vec<u8>),
    /// One block to its parts of the main and the scale plane.
    split: fn(&[u8], &mut Vec<u8>, &mut Vec<u8>),
    /// Whether every value of one block is finite.
    is_finite: fn(&[u8]) -> bool,
}

/// How a block becomes values.
enum Values {
    /// It is one value.
    Plain(fn(&[u8]) -> f32),
    /// It holds levels.
    Levels(Grid, fn(&[u8], &mut Levels)),
}

macro_rules! weight_types {
    ($($variant:ident => $format:path, $doc:literal;)*) => {
        /// A type of weights that this project computes with.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum WeightType {
            $(#[doc = $doc] $variant,)*
        }

        impl WeightType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            fn format(self) -> &'static Format {
                match self {
                    $(Self::$variant => &$format,)*
                }
            }
        }
    };
}

weight_types! {
    F32 => f32::FORMAT, "32-bit floats.";
    F16 => f16::FORMAT, "16-bit floats.";
    BF16 => bf16::FORMAT, "16-bit floats with the exponent of 32-bit ones.";
    Q8_0 => q8_0::FORMAT, "Blocks of 32 signed 8-bit quants with one f16 scale.";
    Q4_0 => q4_0::FORMAT, "Blocks of 32 4-bit quants with one f16 scale.";
    Q4_1 => q4_1::FORMAT, "Blocks of 32 4-bit quants with f16 scale and minimum.";
    Q5_0 => q5_0::FORMAT, "Blocks of 32 5-bit quants with one f16 scale.";
    Q5_1 => q5_1::FORMAT, "Blocks of 32 5-bit quants with f16 scale and minimum.";
    Q2_K => q2_k::FORMAT, "Blocks of 256 2-bit quants, 16 parts with 4-bit scale and minimum.";
    Q3_K => q3_k::FORMAT, "Blocks of 256 3-bit quants, 16 parts with 6-bit scale.";
    Q4_K => q4_k::FORMAT, "Blocks of 256 4-bit quants, 8 parts with 6-bit scale and minimum.";
    Q5_K => q5_k::FORMAT, "Blocks of 256 5-bit quants, 8 parts with 6-bit scale and minimum.";
    Q6_K => q6_k::FORMAT, "Blocks of 256 6-bit quants, 16 parts with 8-bit scale.";
    IQ4_NL => iq4_nl::FORMAT, "Blocks of 32 4-bit indices of levels with one f16 scale.";
}

/// A weight in its layout for the GPU, or the part of it that a run of rows makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planes {
    /// Values or quants; length a multiple of 4.
    pub main: Vec<u8>,
    /// Scales; length a multiple of 4, zero for types without.
    pub scales: Vec<u8>,
}

/// Bytes of the planes of a weight, or of the rows before a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneBytes {
    /// Bytes of the main plane.
    pub main: u64,
    /// Bytes of the scale plane.
    pub scales: u64,
}

/// A tensor of a type that this project does not compute with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tensor {tensor} has type {found}, which is not supported; convert the file to {}",
    supported_names()
)]
pub struct UnsupportedWeightType {
    /// The tensor.
    pub tensor: String,
    /// ggml's name of its type.
    pub found: &'static str,
}

impl UnsupportedWeightType {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        "weight_type_unsupported"
    }
}

fn supported_names() -> String {
    let names: Vec<_> = WeightType::ALL.iter().map(|it| it.name()).collect();
    names.join(", ")
}

impl WeightType {
    /// Whether its values are signed bytes or less, times a scale: all but the floats.
    pub fn has_quants(self) -> bool {
        self.block_scales() > 0
    }

    /// The type of a tensor.
    pub fn of_tensor(tensor: &TensorInfo) -> Result<Self, UnsupportedWeightType> {
        let id = tensor.tensor_type.id;
        let known = Self::ALL.iter().copied().find(|it| it.ggml_id() == id);
        known.ok_or_else(|| UnsupportedWeightType {
            tensor: tensor.name.clone(),
            found: tensor.tensor_type.name,
        })
    }

    /// The type of this name, as ggml writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// ggml's name; in lower case, the name of the shader part.
    pub fn name(self) -> &'static str {
        self.format().name
    }

    /// ggml's number.
    pub fn ggml_id(self) -> u32 {
        self.format().ggml_id
    }

    /// Values in a block.
    pub fn block_len(self) -> usize {
        self.format().block_len
    }

    /// Bytes of a block in a file.
    pub fn block_bytes(self) -> usize {
        self.format().block_bytes
    }

    /// f16 of a block in the scale plane.
    pub fn block_scales(self) -> usize {
        self.format().scale_bytes / 2
    }

    /// Bytes of a row of `cols` values in a file.
    ///
    /// # Panics
    /// If `cols` is no whole number of blocks.
    pub fn row_bytes(self, cols: usize) -> usize {
        assert!(
            cols.is_multiple_of(self.block_len()),
            "{cols} columns are no whole number of {} blocks",
            self.name()
        );
        cols / self.block_len() * self.block_bytes()
    }

    /// Values of whole blocks.
    ///
    /// # Panics
    /// If `raw` is no whole number of blocks.
    pub fn dequantize(self, raw: &[u8]) -> Vec<f32> {
        let format = self.format();
        let mut values = vec![0.0; self.block_count(raw) * format.block_len];
        let blocks = raw.chunks_exact(format.block_bytes);
        let blocks = blocks.zip(values.chunks_exact_mut(format.block_len));
        match format.values {
            Values::Plain(value) => blocks.for_each(|(block, out)| out[0] = value(block)),
            Values::Levels(grid, read) => {
                let mut levels = Levels::default();
                for (block, out) in blocks {
                    read(block, &mut levels);
                    levels.dequantize(grid, out);
                }
            }
        }
        values
    }

    /// What the levels of this type can be; `None` for types whose values are floats.
    pub fn grid(self) -> Option<Grid> {
        match self.format().values {
            Values::Plain(_) => None,
            Values::Levels(grid, _) => Some(grid),
        }
    }

    /// The levels of one block.
    ///
    /// # Panics
    /// If `block` is not one block, or the type's values are floats.
    pub fn read_levels(self, block: &[u8], out: &mut Levels) {
        assert_eq!(block.len(), self.block_bytes(), "one block");
        match self.format().values {
            Values::Plain(_) => panic!("{} has no levels", self.name()),
            Values::Levels(_, read) => read(block, out),
        }
    }

    /// Blocks from rows of `cols` values, as ggml's reference quantizes them.
    ///
    /// # Panics
    /// If `values` is no whole number of rows or `cols` no whole number of blocks.
    pub fn quantize(self, values: &[f32], cols: usize) -> Vec<u8> {
        let format = self.format();
        assert!(
            values.len().is_multiple_of(cols),
            "values are no whole rows"
        );
        let mut raw = Vec::with_capacity(values.len() / cols * self.row_bytes(cols));
        for block in values.chunks_exact(format.block_len) {
            (format.quantize)(block, &mut raw);
        }
        raw
    }

    /// Index of the first block with a value that is infinite or not a number.
    ///
    /// # Panics
    /// If `raw` is no whole number of blocks.
    pub fn first_non_finite_block(self, raw: &[u8]) -> Option<usize> {
        let format = self.format();
        self.block_count(raw);
        raw.chunks_exact(format.block_bytes)
            .position(|block| !(format.is_finite)(block))
    }

    /// Rows as the GPU reads them, each plane padded with zeros to whole words. Chunks of one
    /// weight can be repacked one by one and written at [`plane_bytes`](Self::plane_bytes) of the
    /// rows before them where all but the last have a multiple of [`CHUNK_ROWS_MULTIPLE`] rows.
    ///
    /// # Panics
    /// If `raw` is no whole number of blocks.
    pub fn repack(self, raw: &[u8]) -> Planes {
        let format = self.format();
        let blocks = self.block_count(raw);
        let mut planes = Planes {
            main: Vec::with_capacity(words(blocks * format.main_bytes)),
            scales: Vec::with_capacity(words(blocks * format.scale_bytes)),
        };
        for block in raw.chunks_exact(format.block_bytes) {
            (format.split)(block, &mut planes.main, &mut planes.scales);
        }
        planes.main.resize(words(planes.main.len()), 0);
        planes.scales.resize(words(planes.scales.len()), 0);
        planes
    }

    /// Bytes of the planes of `rows` rows of `cols` values.
    ///
    /// # Panics
    /// If `cols` is no whole number of blocks.
    pub fn plane_bytes(self, rows: usize, cols: usize) -> PlaneBytes {
        let format = self.format();
        let blocks = rows * (self.row_bytes(cols) / format.block_bytes);
        PlaneBytes {
            main: words(blocks * format.main_bytes) as u64,
            scales: words(blocks * format.scale_bytes) as u64,
        }
    }

    fn block_count(self, raw: &[u8]) -> usize {
        assert!(
            raw.len().is_multiple_of(self.block_bytes()),
            "{} bytes are no whole number of {} blocks",
            raw.len(),
            self.name()
        );
        raw.len() / self.block_bytes()
    }
}

/// Bytes of the `u32` words that hold so many bytes.
fn words(bytes: usize) -> usize {
    bytes.next_multiple_of(4)
}

/// The f16 at a byte of a block.
fn half(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Stores a value as f16.
fn put_half(value: f32, out: &mut Vec<u8>) {
    out.extend(half::f16::from_f32(value).to_le_bytes());
}

/// The value that is largest without its sign, with its sign; the first of equals.
fn largest_by_magnitude(values: &[f32]) -> f32 {
    let larger = |most: f32, &x: &f32| if x.abs() > most.abs() { x } else { most };
    values.iter().fold(0.0, larger)
}

/// Smallest and largest value.
fn range(values: &[f32]) -> (f32, f32) {
    let widen = |(min, max): (f32, f32), &x: &f32| (min.min(x), max.max(x));
    let none = (std::primitive::f32::MAX, std::primitive::f32::MIN);
    values.iter().fold(none, widen)
}

#[cfg(test)]
mod tests;
