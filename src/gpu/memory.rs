//! What a model takes of a GPU's memory, from what its header says: for those who want to know
//! before they load it.

use super::activations::{MAX_GIVEN, MAX_ROWS};
use super::weight::gpu_layout_bytes;
use crate::model::{KvType, Model};

/// Bytes on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Weights, laid out for GPUs (software adapters keep scales as f32, which takes more).
    pub weights: u64,
    /// Keys and values of all layers.
    pub kv_cache: u64,
    /// Everything else that grows with the model or the context.
    pub activations: u64,
}

impl Memory {
    /// What a model takes with a context of so many positions.
    pub fn of(model: &Model, context_tokens: usize, kv_type: KvType) -> Self {
        let config = &model.config;
        let weights = model.weights.list.iter();
        let context = context_tokens as u64;
        let position_bytes = (config.kv_width() * kv_type.value_bytes()) as u64;
        let rows = u64::from(MAX_ROWS).min(context);
        // Residual stream, its norm and the final hidden states; the rest once each.
        let row_values = 3 * config.hidden_size
            + config.qkv_width()
            + config.query_width()
            + config.intermediate_size;
        let given = u64::from(MAX_GIVEN) * config.hidden_size as u64;
        let rotations = context * config.head_dim as u64;
        let values = rows * row_values as u64 + given + rotations + config.vocab_size as u64;
        Self {
            weights: weights
                .map(|it| gpu_layout_bytes(it.weight_type, it.rows, it.cols))
                .sum(),
            kv_cache: 2 * config.num_layers as u64 * context * position_bytes,
            activations: values * 4,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.kv_cache + self.activations
    }
}
