//! The buffers that the steps of a model work on: one for each slot of `model::step`, the run's
//! state, the sequence, the cache; and how many rows and positions they hold.

use super::dispatch::Cache;
use super::layout::Products;
use super::linear::PackedRows;
use super::{Gpu, GpuError, GpuModelOptions};
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
    /// The input of the `matmul` at hand, where bytes are multiplied.
    pub(super) packed: Option<PackedRows>,
    pub(super) qkv: wgpu::Buffer,
    pub(super) attention: wgpu::Buffer,
    feed_forward: wgpu::Buffer,
    pub(super) hidden: wgpu::Buffer,
    pub(super) logits: wgpu::Buffer,
    /// Of each layer.
    pub(super) cache: Vec<Cache>,
}

/// Positions of the cache where the model allows more: a cache for 128 k positions would take
/// gigabytes, and no question here comes near.
const DEFAULT_CONTEXT: usize = 4096;

/// Sizes of the buffers that do not follow from the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// Positions.
    pub(super) context: u32,
    /// Rows of [`Slot::Logits`]: 1, but for read-backs of all logits.
    pub(super) logit_rows: u32,
    pub(super) kv: KvType,
}

/// Bytes of each buffer whose size follows from the model or the context.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferBytes {
    tokens: u64,
    given: u64,
    rotations: u64,
    /// Of each buffer of rows as wide as the model.
    hidden: u64,
    qkv: u64,
    attention: u64,
    feed_forward: u64,
    logits: u64,
    /// The keys of a layer, and its values.
    cache: u64,
}

impl Capacity {
    /// What a model is given to answer.
    pub(super) fn of(config: &LlamaConfig, options: GpuModelOptions) -> Self {
        let context = options.context_tokens.unwrap_or(DEFAULT_CONTEXT);
        Self {
            context: config.context_length.min(context) as u32,
            logit_rows: 1,
            kv: options.kv,
        }
    }

    pub(super) fn bytes(self, config: &LlamaConfig) -> BufferBytes {
        let context = u64::from(self.context);
        let max_rows = u64::from(MAX_ROWS.min(self.context));
        let rows = |width: usize| max_rows * width as u64 * 4;
        BufferBytes {
            tokens: (context + 1) * 4,
            given: u64::from(MAX_GIVEN) * config.hidden_size as u64 * 4,
            rotations: context * (config.head_dim / 2) as u64 * 8,
            hidden: rows(config.hidden_size),
            qkv: rows(config.qkv_width()),
            attention: rows(config.query_width()),
            feed_forward: rows(config.intermediate_size),
            logits: u64::from(self.logit_rows) * config.vocab_size as u64 * 4,
            cache: context * (config.kv_width() * self.kv.value_bytes()) as u64,
        }
    }
}

impl BufferBytes {
    /// Each with a name for messages.
    pub(super) fn list(self) -> [(&'static str, u64); 9] {
        [
            ("the list of tokens", self.tokens),
            ("the list of implicit tokens", self.given),
            ("the table of rotations", self.rotations),
            ("the rows of a prompt", self.hidden),
            ("the queries, keys and values of a prompt", self.qkv),
            ("the attention of a prompt", self.attention),
            ("the feed-forward rows of a prompt", self.feed_forward),
            ("the logits", self.logits),
            ("the cache of a layer's keys", self.cache),
        ]
    }
}

impl Activations {
    pub(super) fn allocate(
        gpu: &Gpu,
        config: &LlamaConfig,
        capacity: Capacity,
        rotations: &[[f32; 2]],
    ) -> Result<Self, GpuError> {
        let bytes = capacity.bytes(config);
        let cache = (0..config.num_layers)
            .map(|_| {
                Ok(Cache {
                    keys: gpu.storage("keys", bytes.cache)?,
                    values: gpu.storage("values", bytes.cache)?,
                    kv: capacity.kv,
                })
            })
            .collect::<Result<_, GpuError>>()?;
        let max_rows = u64::from(MAX_ROWS.min(capacity.context));
        let widest = (config.hidden_size)
            .max(config.query_width())
            .max(config.intermediate_size);
        // Who asks for f32 keys and values asks for all that f32 can: integers of 16 bits are finer
        // than f16, but not as fine as that.
        let packed = match (gpu.layout().products, capacity.kv) {
            (Products::Floats, _) | (_, KvType::F32) => None,
            (Products::Bytes, KvType::F16) => Some(PackedRows::allocate(gpu, max_rows, widest)?),
        };
        let rotation_bytes: &[u8] = bytemuck::cast_slice(rotations);
        let activations = Self {
            run: gpu.storage("run", RUN_BYTES)?,
            tail_run: gpu.storage("run of the last rows", RUN_BYTES)?,
            tokens: gpu.storage("tokens", bytes.tokens)?,
            sampling: gpu.storage("sampling", SAMPLING_BYTES)?,
            given: gpu.storage("given", bytes.given)?,
            rotations: gpu.storage("rotations", bytes.rotations)?,
            residual: gpu.storage("residual", bytes.hidden)?,
            normed: gpu.storage("normed", bytes.hidden)?,
            packed,
            qkv: gpu.storage("qkv", bytes.qkv)?,
            attention: gpu.storage("attention", bytes.attention)?,
            feed_forward: gpu.storage("feed_forward", bytes.feed_forward)?,
            hidden: gpu.storage("hidden", bytes.hidden)?,
            logits: gpu.storage("logits", bytes.logits)?,
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
