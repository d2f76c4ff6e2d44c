//! Weights on the GPU: their layout, and where they are larger than a binding may be, their pieces.

use super::buffers::range;
use super::layout::WeightLayout;
use super::{Gpu, GpuError};
use crate::weights::{PlaneBytes, WeightType};

/// Bindings begin at multiples of this (the largest value that WebGPU allows for
/// `minStorageBufferOffsetAlignment`).
const BINDING_ALIGNMENT: u64 = 256;

/// Bytes of the buffer that stands for a weight that a kernel does not use.
const UNUSED_BYTES: u64 = 256;

/// Rows that lie side by side in [`WeightLayout::Columns`] (WORD_STRIDE in `layout/columns.wgsl`).
/// A piece has a multiple of them, so that its biases begin at a multiple of [`BINDING_ALIGNMENT`].
pub(super) const GROUP_ROWS: usize = 64;

/// A weight on the GPU: matrices of one type and width, stacked by rows. One piece, or, where that
/// is larger than a binding or a buffer may be here, as few as do.
pub struct Weight {
    /// Its type.
    pub weight_type: WeightType,
    /// Rows of all stacked matrices.
    pub rows: usize,
    /// Values in a row.
    pub cols: usize,
    pieces: Vec<Piece>,
    layout: WeightLayout,
}

/// Rows of a weight in one buffer. Main plane first, then the scale plane (see `weights`), each in
/// the layout that the kernels read.
pub(super) struct Piece {
    /// Its first row.
    pub(super) first_row: usize,
    pub(super) rows: usize,
    buffer: wgpu::Buffer,
    planes: PlaneBytes,
}

impl Weight {
    /// Memory for a weight, to be filled by [`write_rows`](Self::write_rows). Vectors, which have
    /// one row, lie as they are whatever the layout.
    pub fn allocate(
        gpu: &Gpu,
        what: &str,
        weight_type: WeightType,
        rows: usize,
        cols: usize,
    ) -> Result<Self, GpuError> {
        let layout = match rows {
            1 => WeightLayout::Rows,
            _ => gpu.layout().reduce.weight_layout(),
        };
        let piece_rows = piece_rows(gpu, weight_type, rows, cols, layout);
        let mut pieces = Vec::with_capacity(rows.div_ceil(piece_rows));
        for first_row in (0..rows).step_by(piece_rows) {
            let rows = piece_rows.min(rows - first_row);
            let planes = planes(weight_type, rows, cols, layout);
            let allowed = gpu.limits().max_storage_buffer_binding_size;
            gpu.check_limit(what, "maxStorageBufferBindingSize", planes.main, allowed)?;
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
            pieces.push(Piece {
                first_row,
                rows,
                buffer: gpu.buffer(what, buffer_bytes(planes), usage)?,
                planes,
            });
        }
        Ok(Self {
            weight_type,
            rows,
            cols,
            pieces,
            layout,
        })
    }

    /// Writes rows from `first_row` on, from their bytes in a file. All but the last chunk of a
    /// weight must have a multiple of [`CHUNK_ROWS_MULTIPLE`](crate::weights::CHUNK_ROWS_MULTIPLE)
    /// rows.
    pub fn write_rows(&self, gpu: &Gpu, first_row: usize, raw: &[u8]) {
        let row_bytes = self.weight_type.row_bytes(self.cols);
        let end_row = first_row + raw.len() / row_bytes;
        for piece in &self.pieces {
            let first = first_row.max(piece.first_row);
            let end = end_row.min(piece.first_row + piece.rows);
            if first < end {
                let raw = &raw[(first - first_row) * row_bytes..(end - first_row) * row_bytes];
                self.write_piece(gpu, piece, first - piece.first_row, raw);
            }
        }
    }

    /// Writes rows of a piece from its row `first_row` on.
    fn write_piece(&self, gpu: &Gpu, piece: &Piece, first_row: usize, raw: &[u8]) {
        let planes = self.weight_type.repack(raw);
        let scales_at = scales_at(piece.planes);
        match self.layout {
            WeightLayout::Rows => {
                let before = self.weight_type.plane_bytes(first_row, self.cols);
                gpu.queue
                    .write_buffer(&piece.buffer, before.main, &planes.main);
                if !planes.scales.is_empty() {
                    let offset = scales_at + before.scales;
                    gpu.queue
                        .write_buffer(&piece.buffer, offset, &planes.scales);
                }
            }
            WeightLayout::Columns => {
                let rows = raw.len() / self.weight_type.row_bytes(self.cols);
                let words: Vec<u32> = bytemuck::pod_collect_to_vec(&planes.main);
                piece.write_columns(gpu, 0, first_row, rows, &words);
                let halves: Vec<u16> = bytemuck::pod_collect_to_vec(&planes.scales);
                let blocks = self.cols / self.weight_type.block_len();
                let row_scales = blocks * self.weight_type.block_scales();
                if !halves.is_empty() {
                    let scales: Vec<u32> = halves[..rows * row_scales]
                        .iter()
                        .map(|&it| half::f16::from_bits(it).to_f32().to_bits())
                        .collect();
                    piece.write_columns(gpu, scales_at, first_row, rows, &scales);
                }
            }
        }
    }

    /// Bytes that it takes on the GPU.
    pub fn size_bytes(&self) -> u64 {
        self.pieces.iter().map(|it| it.buffer.size()).sum()
    }

    /// Its pieces, in the order of their rows. A vector, which has one row, is one piece.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// A vector from its value `first` on, a multiple of 64.
    pub(super) fn vector(&self, first: usize) -> wgpu::BindingResource<'_> {
        let [piece] = &self.pieces[..] else {
            unreachable!("a weight of one row is one piece");
        };
        let first = first as u64 * 4;
        range(&piece.buffer, first, piece.main_bytes() - first)
    }
}

impl Piece {
    /// Writes rows of words, each row's together, word by word within their groups.
    fn write_columns(&self, gpu: &Gpu, at: u64, first_row: usize, rows: usize, words: &[u32]) {
        let row_words = words.len() / rows;
        let offset = |row: usize, word: usize| {
            let group = row / GROUP_ROWS * GROUP_ROWS * row_words;
            at + ((group + word * GROUP_ROWS + row % GROUP_ROWS) * 4) as u64
        };
        let end = first_row + rows;
        let mut row = first_row;
        while row < end {
            let group_end = (row / GROUP_ROWS + 1) * GROUP_ROWS;
            let count = group_end.min(end) - row;
            let source = |word: usize| {
                (row..row + count).map(move |it| words[(it - first_row) * row_words + word])
            };
            if count == GROUP_ROWS {
                let group: Vec<u32> = (0..row_words).flat_map(source).collect();
                gpu.queue
                    .write_buffer(&self.buffer, offset(row, 0), bytemuck::cast_slice(&group));
            } else {
                for word in 0..row_words {
                    let part: Vec<u32> = source(word).collect();
                    let to = offset(row, word);
                    gpu.queue
                        .write_buffer(&self.buffer, to, bytemuck::cast_slice(&part));
                }
            }
            row += count;
        }
    }

    fn main_bytes(&self) -> u64 {
        self.planes.main.next_multiple_of(16)
    }

    /// The main plane, for the first binding of a weight part.
    pub(super) fn main(&self) -> wgpu::BindingResource<'_> {
        range(&self.buffer, 0, self.main_bytes())
    }

    /// The scale plane, for the second binding; of types without, bytes that nothing reads.
    pub(super) fn scales(&self) -> wgpu::BindingResource<'_> {
        let offset = scales_at(self.planes);
        range(&self.buffer, offset, self.buffer.size() - offset)
    }
}

/// Bytes that a weight takes in one piece, in the layout of GPUs.
pub(super) fn gpu_layout_bytes(weight_type: WeightType, rows: usize, cols: usize) -> u64 {
    buffer_bytes(planes(weight_type, rows, cols, WeightLayout::Rows))
}

/// Bytes of the largest binding and of the buffer of a weight's smallest piece; of all of it where
/// it must be `whole`.
pub(super) fn least_piece(
    weight_type: WeightType,
    rows: usize,
    cols: usize,
    layout: WeightLayout,
    whole: bool,
) -> [u64; 2] {
    let layout = if rows == 1 {
        WeightLayout::Rows
    } else {
        layout
    };
    let rows = if whole { rows } else { rows.min(GROUP_ROWS) };
    let planes = planes(weight_type, rows, cols, layout);
    [planes.main.max(planes.scales), buffer_bytes(planes)]
}

/// Bytes of the planes of so many rows on the GPU.
fn planes(weight_type: WeightType, rows: usize, cols: usize, layout: WeightLayout) -> PlaneBytes {
    match layout {
        WeightLayout::Rows => weight_type.plane_bytes(rows, cols),
        WeightLayout::Columns => {
            let group = weight_type.plane_bytes(GROUP_ROWS, cols);
            let groups = rows.div_ceil(GROUP_ROWS) as u64;
            PlaneBytes {
                main: groups * group.main,
                // Scales are f32 there: a word each, so that threads read side by side.
                scales: groups * group.scales * 2,
            }
        }
    }
}

fn scales_at(planes: PlaneBytes) -> u64 {
    planes.main.next_multiple_of(BINDING_ALIGNMENT)
}

fn buffer_bytes(planes: PlaneBytes) -> u64 {
    scales_at(planes) + planes.scales.next_multiple_of(16).max(UNUSED_BYTES)
}

/// Rows of each piece but the last: all, where they fit into one binding and one buffer.
fn piece_rows(
    gpu: &Gpu,
    weight_type: WeightType,
    rows: usize,
    cols: usize,
    layout: WeightLayout,
) -> usize {
    let limits = gpu.limits();
    let fits = |rows| {
        let planes = planes(weight_type, rows, cols, layout);
        planes.main.max(planes.scales) <= limits.max_storage_buffer_binding_size
            && buffer_bytes(planes) <= limits.max_buffer_size
    };
    if rows <= GROUP_ROWS || fits(rows) {
        return rows;
    }
    let groups = 1..rows.div_ceil(GROUP_ROWS);
    let fitting = groups.map(|it| it * GROUP_ROWS).take_while(|&it| fits(it));
    // Where a single group is too large already, the refusal names it.
    fitting.last().unwrap_or(GROUP_ROWS)
}
