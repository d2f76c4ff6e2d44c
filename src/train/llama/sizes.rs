//! Sizes of a model, and what else of it a configuration decides.

use serde::{Deserialize, Serialize};

use super::super::kernels;

/// Sizes of a model and what else decides how it computes, as in the `[target]` and `[generator]` tables of a
/// configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaSizes {
    pub hidden_size: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub intermediate_size: usize,
    /// Width of one attention head where it is not `hidden_size / num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Inside the root of the RMS norm.
    #[serde(default = "default_rms_eps")]
    pub rms_eps: f32,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    #[serde(default)]
    pub embedding_scale: EmbeddingScale,
    #[serde(default)]
    pub head: Head,
}

fn default_rms_eps() -> f32 {
    1e-5
}

fn default_rope_theta() -> f64 {
    10000.0
}

/// The factor on embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingScale {
    /// sqrt(hidden_size): rows of a table that starts as small as a tied head must are then as large as the layers'
    /// outputs.
    #[default]
    SqrtHidden,
    /// None, as in published Llama models.
    One,
}

/// What the last hidden rows are multiplied by for logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The embedding table.
    #[default]
    Tied,
    /// A matrix of its own.
    Untied,
}

impl LlamaSizes {
    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_heads)
    }

    /// What is wrong with the sizes, for a person who wrote them in a configuration.
    pub fn problem(&self) -> Option<String> {
        let Self {
            hidden_size,
            num_layers,
            num_heads,
            num_kv_heads,
            intermediate_size,
            head_dim,
            rms_eps,
            rope_theta,
            ..
        } = *self;
        if [
            hidden_size,
            num_layers,
            num_heads,
            num_kv_heads,
            intermediate_size,
        ]
        .contains(&0)
        {
            return Some("every size must be at least 1".into());
        }
        if !(rms_eps > 0.0 && rope_theta > 0.0 && rope_theta.is_finite()) {
            return Some(format!(
                "rms_eps {rms_eps} and rope_theta {rope_theta} must be above 0"
            ));
        }
        if hidden_size % 32 != 0 || intermediate_size % 32 != 0 {
            return Some(format!(
                "hidden_size {hidden_size} and intermediate_size {intermediate_size} must be multiples of 32, the block of Q8_0"
            ));
        }
        if head_dim.is_none() && hidden_size % num_heads != 0 {
            return Some(format!(
                "hidden_size {hidden_size} must be a multiple of num_heads {num_heads} where head_dim is not given"
            ));
        }
        if num_heads % num_kv_heads != 0 {
            return Some(format!(
                "num_heads {num_heads} must be a multiple of num_kv_heads {num_kv_heads}"
            ));
        }
        if !kernels::fused::HEAD_DIMS.contains(&self.head_dim()) {
            return Some(format!(
                "heads are {} wide, but 8, 16, 32 and 64 are supported",
                self.head_dim()
            ));
        }
        let query_width = num_heads * self.head_dim();
        (!query_width.is_multiple_of(32)).then(|| {
            format!("{num_heads} heads of {} are {query_width} wide, but must be a multiple of 32 together, the block of Q8_0", self.head_dim())
        })
    }
}
