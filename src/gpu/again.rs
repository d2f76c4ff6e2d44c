//! The further passes of a generator over its `<thought>` positions: each reads the hidden states of the pass before in
//! place of the tokens, behind the keys and values of a question that was read once. What they need lies on the GPU before
//! the first pass begins, so that all passes go with one submit.

use super::activations::{GIVEN_FIRST, MAX_GIVEN, MAX_ROWS, RUN_BYTES};
use super::dispatch::{Dispatch, encode};
use super::model::pieces;
use super::{GpuError, GpuModel};
use crate::model::RunState;
use crate::model::run::GeneratorInput;

/// Bytes of the ids of a pass.
const IDS_BYTES: u64 = MAX_GIVEN as u64 * 4;

/// The compiled pass, and what is copied into its model's buffers before one.
pub(super) struct Again {
    pass: Vec<Dispatch>,
    /// `Run` of these passes, which is that of the projection behind them too.
    run: wgpu::Buffer,
    /// Ids of the second pass, whose hidden states lie where the last piece of the prompt has left them; then those of all
    /// further passes, whose lie at the beginning.
    ids: wgpu::Buffer,
}

impl Again {
    pub(super) fn new(model: &GpuModel) -> Result<Self, GpuError> {
        let gpu = &model.gpu;
        Ok(Self {
            pass: model.compiled_again()?,
            run: gpu.storage("run of the further passes", RUN_BYTES)?,
            ids: gpu.storage("tokens of the further passes", 2 * IDS_BYTES)?,
        })
    }

    /// Encodes the passes behind the first, whose prompt is written and encoded; gives the number of dispatches.
    pub(super) fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        model: &GpuModel,
        input: &GeneratorInput,
    ) -> u32 {
        if input.passes == 1 {
            return 0;
        }
        let run = RunState {
            rows: input.count,
            position: input.first_row,
            ..RunState::default()
        };
        let pieces = pieces(input.ids.len() as u32);
        let [last_position, _] = pieces[pieces.len() - 1];
        let ids = |first: u32| -> Vec<u32> {
            let rows = first..first + input.count;
            rows.map(|row| GIVEN_FIRST + row).collect()
        };
        let queue = &model.gpu.queue;
        queue.write_buffer(&self.run, 0, bytemuck::cast_slice(&run.words()));
        let second = ids(input.first_row - last_position);
        queue.write_buffer(&self.ids, 0, bytemuck::cast_slice(&second));
        queue.write_buffer(&self.ids, IDS_BYTES, bytemuck::cast_slice(&ids(0)));

        let activations = &model.activations;
        for to in [&activations.run, &activations.tail_run] {
            encoder.copy_buffer_to_buffer(&self.run, 0, to, 0, RUN_BYTES);
        }
        let mut dispatches = 0;
        for pass in 1..input.passes {
            // All passes behind the second read the same ids.
            if pass <= 2 {
                let from = u64::from(pass - 1) * IDS_BYTES;
                let to = u64::from(input.first_row) * 4;
                let bytes = u64::from(input.count) * 4;
                encoder.copy_buffer_to_buffer(&self.ids, from, &activations.tokens, to, bytes);
            }
            let mut encoded = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("again"),
                timestamp_writes: None,
            });
            dispatches += encode(&model.gpu, &mut encoded, &self.pass, input.count);
        }
        dispatches
    }
}

// The hidden states of a pass are rows of one piece.
const _: () = assert!(MAX_GIVEN <= MAX_ROWS);
