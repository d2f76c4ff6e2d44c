//! A forward pass whose values are read back, for tests and inspection: never part of an answer.

use super::super::GpuError;
use super::super::activations::{Activations, Capacity, MAX_GIVEN, MAX_ROWS, RUN_BYTES};
use super::super::program::{Compiler, Wanted};
use super::GpuModel;
use crate::model::step::Slot;
use crate::model::{ForwardOptions, Head, RequestError, RunState, check_ids, forward};

impl GpuModel {
    /// What a forward pass over `ids` ends with, on buffers of its own: the logits of the last row
    /// `[vocab_size]` or of all rows `[rows, vocab_size]`, the hidden states or the residual stream
    /// `[rows, hidden_size]`. Rows whose id is [`EMBEDDING_GIVEN`](crate::model::step::EMBEDDING_GIVEN) take the rows of `given` in
    /// turn. For tests and inspection. What has all rows takes at most 256.
    pub async fn forward(
        &self,
        ids: &[u32],
        given: &[Vec<f32>],
        options: ForwardOptions,
    ) -> Result<Vec<f32>, GpuError> {
        let len = ids.len() as u32;
        self.check_ids(ids, given)?;
        let last_row_only = options.head == Head::LastLogits;
        if !last_row_only && len > MAX_ROWS {
            return Err(GpuError::Unsupported {
                what: "number of rows read back",
                found: len.into(),
                most: MAX_ROWS.into(),
            });
        }
        let config = &self.model.config;
        let capacity = Capacity {
            logit_rows: len.min(MAX_ROWS),
            ..self.capacity
        };
        let scopes = self.gpu.error_scopes();
        let activations = Activations::allocate(&self.gpu, config, capacity, &self.rotations)?;
        let compiler = Compiler {
            gpu: &self.gpu,
            config,
            weights: &self.weights,
            activations: &activations,
            given: &activations.given,
        };
        let steps = forward(config, &self.model.weights, options);
        let wanted = if last_row_only {
            Wanted::LastRow
        } else {
            Wanted::AllRows
        };
        let program = compiler.prompt(&steps, wanted)?;
        let (slot, width) = match options.head {
            Head::None => (Slot::Residual, config.hidden_size),
            Head::HiddenStates => (Slot::Hidden, config.hidden_size),
            Head::LastLogits | Head::AllLogits | Head::Sentence => {
                (Slot::Logits, config.vocab_size)
            }
        };
        let rows = if last_row_only { 1 } else { len as usize };
        let bytes = (rows * width * 4) as u64;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.gpu.buffer("read-back", bytes, usage)?;

        self.write_prompt(ids, RunState::default(), len - 1..len);
        let queue = &self.gpu.queue;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let shared = &self.activations;
        let token_bytes = u64::from(len) * 4;
        for (from, to) in [
            (&shared.run, &activations.run),
            (&shared.tail_run, &activations.tail_run),
        ] {
            encoder.copy_buffer_to_buffer(from, 0, to, 0, RUN_BYTES);
        }
        encoder.copy_buffer_to_buffer(&shared.tokens, 0, &activations.tokens, 0, token_bytes);
        for (index, embedding) in given.iter().enumerate() {
            let offset = (index * config.hidden_size * 4) as u64;
            queue.write_buffer(&activations.given, offset, bytemuck::cast_slice(embedding));
        }
        self.encode_pieces(
            &mut encoder,
            &activations.run,
            &program,
            [len, 1],
            |_, _| None,
            None,
        );
        encoder.copy_buffer_to_buffer(activations.slot(slot), 0, &staging, 0, bytes);
        queue.submit([encoder.finish()]);
        scopes.finish("a forward pass", bytes).await?;
        self.gpu
            .read_mapped(&staging, bytes, bytemuck::pod_collect_to_vec)
            .await
    }

    fn check_ids(&self, ids: &[u32], given: &[Vec<f32>]) -> Result<(), GpuError> {
        let field = "the prompt";
        let config = &self.model.config;
        let context = self.capacity.context as usize;
        let marked = check_ids(field, ids, 0, config.vocab_size, context)?;
        let fitting = given
            .iter()
            .filter(|it| it.len() == config.hidden_size)
            .count();
        if marked != given.len() || fitting != marked {
            return Err(RequestError::Given {
                field,
                marked,
                given: fitting,
            }
            .into());
        }
        if marked > MAX_GIVEN as usize {
            return Err(GpuError::Unsupported {
                what: "number of given embeddings",
                found: marked as u64,
                most: MAX_GIVEN.into(),
            });
        }
        Ok(())
    }
}
