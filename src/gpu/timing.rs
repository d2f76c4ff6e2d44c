//! Where the time of a run goes, by the device's own clock, where it has one.

use super::{Gpu, GpuError};

/// A phase of a run: what stands between one pair of timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Generator,
    Prefill,
    Decode,
}

const PHASES: usize = 3;

/// Bytes of the timestamps of all phases.
pub(super) const TIMESTAMP_BYTES: u64 = (PHASES * 2 * size_of::<u64>()) as u64;

/// Timestamps of the phases of one submit.
pub(super) struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    nanoseconds_a_tick: f64,
}

impl Timestamps {
    /// Absent where the device has no timestamps.
    pub(super) fn new(gpu: &Gpu) -> Result<Option<Self>, GpuError> {
        if !gpu.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        // Resolving writes at multiples of QUERY_RESOLVE_BUFFER_ALIGNMENT: one such place a phase.
        let size = PHASES as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        Ok(Some(Self {
            queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * PHASES as u32,
            }),
            resolved: gpu.buffer("timestamps", size, usage)?,
            nanoseconds_a_tick: f64::from(gpu.queue.get_timestamp_period()),
        }))
    }

    /// What a pass writes: the beginning of the phase with its first pass, the end with its last.
    pub(super) fn writes(
        &self,
        phase: Phase,
        is_first: bool,
        is_last: bool,
    ) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let begin = phase as u32 * 2;
        (is_first || is_last).then(|| wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: is_first.then_some(begin),
            end_of_pass_write_index: is_last.then_some(begin + 1),
        })
    }

    /// Copies the timestamps of the phases that were encoded to `to`, `[3, 2]` u64 from `offset` on.
    pub(super) fn resolve(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        phases: &[Phase],
        to: &wgpu::Buffer,
        offset: u64,
    ) {
        for &phase in phases {
            let first = phase as u32 * 2;
            let resolved = phase as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
            encoder.resolve_query_set(&self.queries, first..first + 2, &self.resolved, resolved);
            let place = offset + phase as u64 * 16;
            encoder.copy_buffer_to_buffer(&self.resolved, resolved, to, place, 16);
        }
    }

    /// Milliseconds of a phase, from the bytes that [`resolve`](Self::resolve) wrote.
    pub(super) fn milliseconds(&self, bytes: &[u8], phase: Phase) -> f64 {
        let tick = |index: usize| {
            let at = (phase as usize * 2 + index) * 8;
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes were cut"))
        };
        tick(1).saturating_sub(tick(0)) as f64 * self.nanoseconds_a_tick / 1e6
    }
}
