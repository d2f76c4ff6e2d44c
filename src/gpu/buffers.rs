//! Buffers: allocation within the adapter's limits, and error scopes that turn the driver's refusals
//! into values.

use super::{Gpu, GpuError};

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

    pub(super) fn check_limit(
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

/// A part of a buffer as a binding.
pub(super) fn range(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer,
        offset,
        size: wgpu::BufferSize::new(size),
    })
}
