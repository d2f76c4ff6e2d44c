//! A linear map as the kernels take it: its buffers, and the pieces that its weight lies in where it
//! is larger than a binding.

use super::kernels::Constant;
use super::weight::{Piece, Weight};
use super::{Gpu, GpuError};
use crate::reference::PACKED_GROUP;

/// Room for the rows that `pack_rows` writes.
pub(super) struct PackedRows {
    /// High and low bytes, `[rows, width / 4, 2]` words.
    pub(super) words: wgpu::Buffer,
    /// Scale and sum of each 16 values, `[rows, width / 16, 2]` floats.
    pub(super) lines: wgpu::Buffer,
}

impl PackedRows {
    /// For so many rows of so many values.
    pub(super) fn allocate(gpu: &Gpu, rows: u64, width: usize) -> Result<Self, GpuError> {
        let groups = rows * width.div_ceil(PACKED_GROUP) as u64;
        Ok(Self {
            words: gpu.storage("packed rows", groups * PACKED_GROUP as u64 * 2)?,
            lines: gpu.storage("scales of packed rows", groups * 8)?,
        })
    }
}

/// A linear map with its buffers.
#[derive(Clone, Copy)]
pub(super) struct Linear<'a> {
    pub(super) x: &'a wgpu::Buffer,
    /// Where `matmul` packs x if the layout multiplies bytes; without, it multiplies floats.
    pub(super) packed: Option<&'a PackedRows>,
    /// Norm of the input, its weight and epsilon; `matvec` only.
    pub(super) norm: Option<(&'a Weight, f32)>,
    pub(super) weight: &'a Weight,
    pub(super) bias: Option<&'a Weight>,
    pub(super) out: &'a wgpu::Buffer,
    /// First column written.
    pub(super) out_first: u32,
    /// Width of a row of `out`.
    pub(super) out_stride: usize,
    /// The result is added to what `out` holds.
    pub(super) add: bool,
    /// `out` holds a gate, and the result is `silu(out) * W x`.
    pub(super) times_silu: bool,
    /// The weight holds W_gate above W_up, and the result is `silu(W_gate x) * (W_up x)`.
    pub(super) gated: bool,
    /// The rows of the output are those of the pass from row 0 on, not those of the input.
    pub(super) compact: bool,
}

impl Linear<'_> {
    /// The map, piece by piece of its weight. The rows of a gated one's two matrices are far apart,
    /// so that it must be whole.
    pub(super) fn pieces(&self) -> Result<Vec<LinearPiece<'_>>, GpuError> {
        let pieces = self.weight.pieces();
        if self.gated && pieces.len() > 1 {
            return Err(GpuError::Unsupported {
                what: "number of buffers that ffn_gate and ffn_up fill on this adapter",
                found: pieces.len() as u64,
                most: 1,
            });
        }
        let piece = |weight| LinearPiece {
            linear: self,
            weight,
        };
        Ok(pieces.iter().map(piece).collect())
    }
}

/// A linear map by one piece of its weight: some of the columns of the output.
pub(super) struct LinearPiece<'a> {
    pub(super) linear: &'a Linear<'a>,
    pub(super) weight: &'a Piece,
}

impl LinearPiece<'_> {
    pub(super) fn out_width(&self) -> usize {
        if self.linear.gated {
            self.weight.rows / 2
        } else {
            self.weight.rows
        }
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let linear = self.linear;
        let out_first = linear.out_first as usize + self.weight.first_row;
        vec![
            ("WIDTH_QUADS", (linear.weight.cols / 4) as f64),
            ("OUT_WIDTH", self.out_width() as f64),
            ("OUT_FIRST", out_first as f64),
            ("BIAS", linear.bias.is_some().into()),
            ("ADD", linear.add.into()),
            ("TIMES_SILU", linear.times_silu.into()),
            ("GATED", linear.gated.into()),
            ("OUT_STRIDE", linear.out_stride as f64),
            ("COMPACT", linear.compact.into()),
        ]
    }

    /// The norm's weight, or, where there is none, bytes that nothing reads.
    pub(super) fn norm(&self) -> wgpu::BindingResource<'_> {
        match self.linear.norm {
            Some((weight, _)) => weight.vector(0),
            None => self.weight.scales(),
        }
    }

    /// The bias of the piece's columns, or bytes that nothing reads.
    pub(super) fn bias(&self) -> wgpu::BindingResource<'_> {
        match self.linear.bias {
            Some(bias) => bias.vector(self.weight.first_row),
            None => self.weight.scales(),
        }
    }
}
