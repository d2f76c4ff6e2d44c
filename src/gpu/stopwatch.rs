//! How long dispatches and copies take: many repeats in one submit, and what a submit with its
//! read-back costs subtracted.

use super::dispatch::{Dispatch, encode};
use super::{Gpu, GpuError};
use crate::clock::now_ms;

/// Repeats are as many as fill the time given, but no more than this.
const MOST_REPEATS: u32 = 1000;

/// The best of so many measurements counts: others wait for what else the machine does.
const MEASUREMENTS: u32 = 3;

/// What is read back to wait for the work.
const READ_BYTES: u64 = 16;

/// Work that can be encoded many times.
pub(super) enum Work<'a> {
    /// Dispatches for a pass of so many rows.
    Dispatches(&'a [Dispatch], u32),
    /// All of a buffer to another.
    Copy(&'a wgpu::Buffer, &'a wgpu::Buffer),
}

impl Gpu {
    /// Milliseconds of one repeat, from repeats that fill about `measured_ms`; `written` is a buffer
    /// that the work writes.
    pub(super) async fn milliseconds(
        &self,
        work: &Work<'_>,
        written: &wgpu::Buffer,
        measured_ms: f64,
    ) -> Result<f64, GpuError> {
        // Drivers compile and allocate at the first use.
        self.repeat(work, 1, written).await?;
        let once = self.repeat(work, 1, written).await?;
        let wanted = (measured_ms / once.max(0.01)).ceil() as u32;
        let repeats = wanted.clamp(2, MOST_REPEATS);
        let mut best = f64::INFINITY;
        for _ in 0..MEASUREMENTS {
            let once = self.repeat(work, 1, written).await?;
            let all = self.repeat(work, repeats, written).await?;
            let one = (all - once) / f64::from(repeats - 1);
            // Where the clock is too coarse to see more than the submit, that is all one can say.
            best = best.min(if one > 0.0 { one } else { all });
        }
        Ok(best)
    }

    /// Milliseconds of so many repeats in one submit, with the read-back that waits for them.
    async fn repeat(
        &self,
        work: &Work<'_>,
        repeats: u32,
        written: &wgpu::Buffer,
    ) -> Result<f64, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("read-back", READ_BYTES, usage)?;
        let begin = now_ms();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        match work {
            Work::Dispatches(dispatches, rows) => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for _ in 0..repeats {
                    encode(self, &mut pass, dispatches, *rows);
                }
            }
            Work::Copy(from, to) => {
                for _ in 0..repeats {
                    encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size());
                }
            }
        }
        encoder.copy_buffer_to_buffer(written, 0, &staging, 0, READ_BYTES);
        self.queue.submit([encoder.finish()]);
        self.read_mapped(&staging, READ_BYTES, |_| ()).await?;
        Ok(now_ms() - begin)
    }
}
