//! The buffers that the steps of a model work on: one for each slot of `model::step`, the run's
//! state, the sequence, the cache; and how many rows and positions they hold.

use super::dispatch::Cache;
use super::{Gpu, GpuError};
use crate::model::step::Slot;
use crate::model::{KvType, LlamaConfig};

/// Longer prompts are taken in pieces of this many rows: activations stay small (256 rows of a
/// model 4096 wide are 4 MiB a buffer) and a piece is still large enough to keep a GPU busy.
pub(super) const MAX_ROWS: u32 = 256;

/// Implicit tokens and spliced embeddings that a prompt may hold.
pub(super) const MAX_GIVEN: u32 = 256;

/// Ids from this one on stand for rows of the `given` buffer (GIVEN_FIRST in `embed.wgsl`).
pub(super) const GIVEN_FIRST: u32 = 0x8000_0000;

/// Bytes of `Run` of `run.wgsl`, which is [`RunState`](crate::model::RunState).
pub(super) const RUN_BYTES: u64 = size_of::<[u32; 8]>() as u64;

/// Bytes of `Sampling` of `sample.wgsl`, which is [`Sampling`](crate::model::Sampling).
const SAMPLING_BYTES: u64 = size_of::<[u32; 8]>() as u64;

/// Buffers that the steps of a model share.
pub(super) struct Activations {
    /// `Run` of `run.wgsl`.
    pub(super) run: wgpu::Buffer,
    /// `Run` of the last rows of a prompt, see [`Program`](super::program::Program).
    pub(super) tail_run: wgpu::Buffer,
    /// The sequence so far, `[context + 1]`.
    pub(super) tokens: wgpu::Buffer,
    /// `Sampling` of `sample.wgsl`.
    pub(super) sampling: wgpu::Buffer,
    /// Embeddings that are no token's, `[MAX_GIVEN, hidden_size]`.
    pub(super) given: wgpu::Buffer,
    /// Cosines and sines, `[context, head_dim / 2, 2]`.
    pub(super) rotations: wgpu::Buffer,
    residual: wgpu::Buffer,
    /// Normed rows for `matmul`, `[max_rows, hidden_size]`.
    pub(super) normed: wgpu::Buffer,
    pub(super) qkv: wgpu::Buffer,
    pub(super) attention: wgpu::Buffer,
    feed_forward: wgpu::Buffer,
    pub(super) hidden: wgpu::Buffer,
    pub(super) logits: wgpu::Buffer,
    /// Of each layer.
    pub(super) cache: Vec<Cache>,
}

/// Sizes of the buffers that do not follow from the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// Positions.
    pub(super) context: u32,
    /// Rows of [`Slot::Logits`]: 1, but for read-backs of all logits.
    pub(super) logit_rows: u32,
    pub(super) kv: KvType,
}

impl Activations {
    pub(super) fn allocate(
        gpu: &Gpu,
        config: &LlamaConfig,
        capacity: Capacity,
        rotations: &[[f32; 2]],
    ) -> Result<Self, GpuError> {
        let max_rows = u64::from(MAX_ROWS.min(capacity.context));
        let rows = |what, width: usize| gpu.storage(what, max_rows * width as u64 * 4);
        let context = u64::from(capacity.context);
        let cache_bytes = context * (config.kv_width() * capacity.kv.value_bytes()) as u64;
        let cache = (0..config.num_layers)
            .map(|_| {
                Ok(Cache {
                    keys: gpu.storage("keys", cache_bytes)?,
                    values: gpu.storage("values", cache_bytes)?,
                    kv: capacity.kv,
                })
            })
            .collect::<Result<_, GpuError>>()?;
        let rotation_bytes: &[u8] = bytemuck::cast_slice(rotations);
        let activations = Self {
            run: gpu.storage("run", RUN_BYTES)?,
            tail_run: gpu.storage("run of the last rows", RUN_BYTES)?,
            tokens: gpu.storage("tokens", (context + 1) * 4)?,
            sampling: gpu.storage("sampling", SAMPLING_BYTES)?,
            given: gpu.storage(
                "given",
                u64::from(MAX_GIVEN) * config.hidden_size as u64 * 4,
            )?,
            rotations: gpu.storage("rotations", rotation_bytes.len() as u64)?,
            residual: rows("residual", config.hidden_size)?,
            normed: rows("normed", config.hidden_size)?,
            qkv: rows("qkv", config.qkv_width())?,
            attention: rows("attention", config.query_width())?,
            feed_forward: rows("feed_forward", config.intermediate_size)?,
            hidden: rows("hidden", config.hidden_size)?,
            logits: gpu.storage(
                "logits",
                u64::from(capacity.logit_rows) * config.vocab_size as u64 * 4,
            )?,
            cache,
        };
        gpu.queue
            .write_buffer(&activations.rotations, 0, rotation_bytes);
        Ok(activations)
    }

    pub(super) fn slot(&self, slot: Slot) -> &wgpu::Buffer {
        match slot {
            Slot::Residual => &self.residual,
            Slot::Qkv => &self.qkv,
            Slot::Attention => &self.attention,
            Slot::FeedForward => &self.feed_forward,
            Slot::Hidden => &self.hidden,
            Slot::Logits => &self.logits,
        }
    }
}
