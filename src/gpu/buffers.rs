//! Buffers: allocation within the adapter's limits, weights in their layout for the GPU, and error
//! scopes that turn the driver's refusals into values.

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

/// A weight on the GPU: matrices of one type and width, stacked by rows, in one buffer. Main plane
/// first, then the scale plane (see `weights`).
pub struct Weight {
    /// Its type.
    pub weight_type: WeightType,
    /// Rows of all stacked matrices.
    pub rows: usize,
    /// Values in a row.
    pub cols: usize,
    buffer: wgpu::Buffer,
    planes: PlaneBytes,
}

impl Weight {
    /// Memory for a weight, to be filled by [`write_rows`](Self::write_rows).
    pub fn allocate(
        gpu: &Gpu,
        what: &str,
        weight_type: WeightType,
        rows: usize,
        cols: usize,
    ) -> Result<Self, GpuError> {
        let planes = weight_type.plane_bytes(rows, cols);
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
        })
    }

    /// Writes rows from `first_row` on, from their bytes in a file. All but the last piece of a
    /// weight must have a multiple of [`CHUNK_ROWS_MULTIPLE`](crate::weights::CHUNK_ROWS_MULTIPLE)
    /// rows.
    pub fn write_rows(&self, gpu: &Gpu, first_row: usize, raw: &[u8]) {
        let before = self.weight_type.plane_bytes(first_row, self.cols);
        let planes = self.weight_type.repack(raw);
        gpu.queue
            .write_buffer(&self.buffer, before.main, &planes.main);
        if !planes.scales.is_empty() {
            let offset = self.planes.main.next_multiple_of(BINDING_ALIGNMENT) + before.scales;
            gpu.queue.write_buffer(&self.buffer, offset, &planes.scales);
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
