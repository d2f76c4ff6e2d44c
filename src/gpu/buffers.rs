//! Buffers: allocation within the adapter's limits, weights in their layout for the GPU, and error
//! scopes that turn the driver's refusals into values.

use super::kernels::WeightLayout;
use super::{Gpu, GpuError};
use crate::weights::{PlaneBytes, WeightType};

/// Bindings begin at multiples of this (the largest value that WebGPU allows for
/// `minStorageBufferOffsetAlignment`).
const BINDING_ALIGNMENT: u64 = 256;

/// Bytes of the buffer that stands for a weight that a kernel does not use.
const UNUSED_BYTES: u64 = 256;

/// Catches what the driver refuses between its making and [`finish`](Self::finish).
pub(super) struct ErrorScopes {
    out_of_memory: wgpu::ErrorScopeGuard,
    validation: wgpu::ErrorScopeGuard,
    internal: wgpu::ErrorScopeGuard,
}

impl ErrorScopes {
    /// The first error caught, as a value; `size_bytes` is what was asked for in all.
    pub(super) async fn finish(self, what: &str, size_bytes: u64) -> Result<(), GpuError> {
        let internal = self.internal.pop();
        let validation = self.validation.pop();
        let out_of_memory = self.out_of_memory.pop();
        let (internal, validation, out_of_memory) =
            (internal.await, validation.await, out_of_memory.await);
        if out_of_memory.is_some() {
            return Err(GpuError::OutOfMemory {
                what: what.to_owned(),
                size_bytes,
            });
        }
        match validation.or(internal) {
            Some(error) => Err(GpuError::Refused {
                what: what.to_owned(),
                reason: error.to_string(),
            }),
            None => Ok(()),
        }
    }
}

impl Gpu {
    pub(super) fn error_scopes(&self) -> ErrorScopes {
        ErrorScopes {
            out_of_memory: self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory),
            validation: self.device.push_error_scope(wgpu::ErrorFilter::Validation),
            internal: self.device.push_error_scope(wgpu::ErrorFilter::Internal),
        }
    }

    /// A storage buffer that can be copied from and to, filled with zeros.
    pub(super) fn storage(&self, what: &str, size_bytes: u64) -> Result<wgpu::Buffer, GpuError> {
        let size = size_bytes.next_multiple_of(16).max(16);
        self.check_limit(
            what,
            "maxStorageBufferBindingSize",
            size,
            self.limits().max_storage_buffer_binding_size,
        )?;
        self.buffer(
            what,
            size,
            wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
        )
    }

    pub(super) fn buffer(
        &self,
        what: &str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, GpuError> {
        self.check_limit(what, "maxBufferSize", size, self.limits().max_buffer_size)?;
        Ok(self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage,
            mapped_at_creation: false,
        }))
    }

    fn check_limit(
        &self,
        what: &str,
        limit: &'static str,
        needed: u64,
        allowed: u64,
    ) -> Result<(), GpuError> {
        if needed <= allowed {
            return Ok(());
        }
        Err(GpuError::LimitTooLow {
            what: what.to_owned(),
            limit,
            needed,
            allowed,
        })
    }
}

/// Rows that lie side by side in [`WeightLayout::Columns`] (WORD_STRIDE in `layout/columns.wgsl`).
const GROUP_ROWS: usize = 64;

/// A weight on the GPU: matrices of one type and width, stacked by rows, in one buffer. Main plane
/// first, then the scale plane (see `weights`), each in the layout that the kernels read.
pub struct Weight {
    /// Its type.
    pub weight_type: WeightType,
    /// Rows of all stacked matrices.
    pub rows: usize,
    /// Values in a row.
    pub cols: usize,
    buffer: wgpu::Buffer,
    planes: PlaneBytes,
    layout: WeightLayout,
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
        let planes = match layout {
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
        };
        let allowed = gpu.limits().max_storage_buffer_binding_size;
        gpu.check_limit(what, "maxStorageBufferBindingSize", planes.main, allowed)?;
        let size = planes.main.next_multiple_of(BINDING_ALIGNMENT)
            + planes.scales.next_multiple_of(16).max(UNUSED_BYTES);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        Ok(Self {
            weight_type,
            rows,
            cols,
            buffer: gpu.buffer(what, size, usage)?,
            planes,
            layout,
        })
    }

    /// Writes rows from `first_row` on, from their bytes in a file. All but the last piece of a
    /// weight must have a multiple of [`CHUNK_ROWS_MULTIPLE`](crate::weights::CHUNK_ROWS_MULTIPLE)
    /// rows.
    pub fn write_rows(&self, gpu: &Gpu, first_row: usize, raw: &[u8]) {
        let planes = self.weight_type.repack(raw);
        let scales_at = self.planes.main.next_multiple_of(BINDING_ALIGNMENT);
        match self.layout {
            WeightLayout::Rows => {
                let before = self.weight_type.plane_bytes(first_row, self.cols);
                gpu.queue
                    .write_buffer(&self.buffer, before.main, &planes.main);
                if !planes.scales.is_empty() {
                    let offset = scales_at + before.scales;
                    gpu.queue.write_buffer(&self.buffer, offset, &planes.scales);
                }
            }
            WeightLayout::Columns => {
                let rows = raw.len() / self.weight_type.row_bytes(self.cols);
                let words: Vec<u32> = bytemuck::pod_collect_to_vec(&planes.main);
                self.write_columns(gpu, 0, first_row, rows, &words);
                let halves: Vec<u16> = bytemuck::pod_collect_to_vec(&planes.scales);
                let blocks = self.cols / self.weight_type.block_len();
                let row_scales = blocks * self.weight_type.block_scales();
                if !halves.is_empty() {
                    let scales: Vec<u32> = halves[..rows * row_scales]
                        .iter()
                        .map(|&it| half::f16::from_bits(it).to_f32().to_bits())
                        .collect();
                    self.write_columns(gpu, scales_at, first_row, rows, &scales);
                }
            }
        }
    }

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

    /// Bytes that it takes on the GPU.
    pub fn size_bytes(&self) -> u64 {
        self.buffer.size()
    }

    /// The main plane, for the first binding of a weight part.
    pub(super) fn main(&self) -> wgpu::BindingResource<'_> {
        range(&self.buffer, 0, self.planes.main.next_multiple_of(16))
    }

    /// The scale plane, for the second binding; of types without, bytes that nothing reads.
    pub(super) fn scales(&self) -> wgpu::BindingResource<'_> {
        let offset = self.planes.main.next_multiple_of(BINDING_ALIGNMENT);
        range(&self.buffer, offset, self.buffer.size() - offset)
    }
}

fn range(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer,
        offset,
        size: wgpu::BufferSize::new(size),
    })
}
