//! Shape and constants of a model, from GGUF metadata.

use super::ModelFault;
use super::weights::SENTENCE_HEAD;
use crate::formats::gguf::{Header, Metadata};

/// Limits on what metadata may ask for, each above every model in use, so that no product of two
/// of them overflows and nothing is allocated for nonsense.
const MAX_LAYERS: u32 = 1024;
const MAX_WIDTH: u32 = 1 << 18;
const MAX_HEADS: u32 = 1024;
const MAX_HEAD_DIM: u32 = 1024;
const MAX_CONTEXT: u32 = 1 << 24;

/// An architecture: what its files name it, and how it differs from Llama's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, and Mistral as llama.cpp writes it.
    Llama,
    /// Mistral under its own name: Llama with a sliding window.
    Mistral,
    /// Biases on queries, keys and values.
    Qwen2,
    /// Norms on the heads of queries and keys.
    Qwen3,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// Its name in `general.architecture`, and the prefix of its metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The architecture of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// How its files store queries and keys.
    pub fn rope_pairing(self) -> RopePairing {
        match self {
            Self::Llama | Self::Mistral => RopePairing::Neighbours,
            Self::Qwen2 | Self::Qwen3 => RopePairing::Halves,
        }
    }

    /// Whether a file without biases on queries, keys and values is incomplete. Others may have
    /// them too.
    pub(super) fn needs_query_key_value_bias(self) -> bool {
        self == Self::Qwen2
    }

    /// Whether a file without norms on the heads of queries and keys is incomplete.
    pub(super) fn needs_head_norms(self) -> bool {
        self == Self::Qwen3
    }
}

/// Which two values of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopePairing {
    /// Values 2i and 2i + 1: `llama` and `mistral`, whose files store queries and keys so.
    Neighbours,
    /// Values i and i + head_dim / 2: `qwen2` and `qwen3`.
    Halves,
}

/// Shape and constants of a Llama-shaped model.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// What the file calls its architecture.
    pub architecture: Architecture,
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream, a multiple of 4.
    pub hidden_size: usize,
    /// Width of the feed-forward activation, a multiple of 4.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Number of query heads, a multiple of `num_kv_heads`.
    pub num_heads: usize,
    /// Number of key and value heads.
    pub num_kv_heads: usize,
    /// Width of a head, a multiple of 4. All of it is rotated.
    pub head_dim: usize,
    /// Longest sequence that the model was made for.
    pub context_length: usize,
    /// Added to the mean square in RMS norms.
    pub rms_norm_eps: f32,
    /// Base of the rotation frequencies.
    pub rope_theta: f32,
    /// Positions are divided by this before rotation (linear scaling); 1 for most models.
    pub rope_scale: f32,
    /// Which values are rotated together.
    pub rope_pairing: RopePairing,
    /// Whether a position sees none behind it; not in sentence transformers that see all.
    pub is_causal: bool,
    /// How many positions, its own included, a position sees; `None`: all before it.
    pub sliding_window: Option<usize>,
    /// Whether the head is the embedding table.
    pub tied_embeddings: bool,
}

impl LlamaConfig {
    /// Width of all query heads.
    pub fn query_width(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Width of all key heads, and of all value heads.
    pub fn kv_width(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }

    /// Width of queries, keys and values side by side.
    pub fn qkv_width(&self) -> usize {
        self.query_width() + 2 * self.kv_width()
    }

    /// Reads and checks the configuration. The vocabulary's size is that of the embedding table.
    pub fn from_header(header: &Header) -> Result<Self, ModelFault> {
        Self::with_rows_of(header, "token_embd.weight")
    }

    /// The configuration of a sentence transformer, whose head is its linear map: `vocab_size` is the
    /// length of its embeddings of texts.
    pub(super) fn of_sentence_transformer(header: &Header) -> Result<Self, ModelFault> {
        let config = Self::with_rows_of(header, SENTENCE_HEAD)?;
        let is_causal = header.metadata.bool("semcot.sentence.causal")?;
        let is_causal = is_causal.unwrap_or(false);
        Ok(Self {
            is_causal,
            sliding_window: config.sliding_window.filter(|_| is_causal),
            tied_embeddings: false,
            ..config
        })
    }

    fn with_rows_of(header: &Header, head: &str) -> Result<Self, ModelFault> {
        let metadata = &header.metadata;
        let name = metadata.required_str("general.architecture")?;
        let architecture =
            Architecture::from_name(name).ok_or_else(|| ModelFault::Architecture {
                found: name.chars().take(40).collect(),
            })?;
        let keys = Keys {
            metadata,
            architecture,
        };
        let hidden_size = keys.in_range("embedding_length", None, 4, MAX_WIDTH)?;
        let num_heads = keys.in_range("attention.head_count", None, 1, MAX_HEADS)?;
        let num_kv_heads = keys.in_range(
            "attention.head_count_kv",
            Some(num_heads as u32),
            1,
            MAX_HEADS,
        )?;
        let head_dim = keys.in_range(
            "attention.key_length",
            Some((hidden_size / num_heads) as u32),
            4,
            MAX_HEAD_DIM,
        )?;
        let config = Self {
            architecture,
            vocab_size: rows_of(header, head)?,
            hidden_size,
            intermediate_size: keys.in_range("feed_forward_length", None, 4, MAX_WIDTH)?,
            num_layers: keys.in_range("block_count", None, 1, MAX_LAYERS)?,
            num_heads,
            num_kv_heads,
            head_dim,
            context_length: keys.in_range("context_length", None, 1, MAX_CONTEXT)?,
            rms_norm_eps: keys.positive("attention.layer_norm_rms_epsilon", None)?,
            rope_theta: keys.positive("rope.freq_base", Some(10000.0))?,
            rope_scale: keys.rope_scale(header)?,
            rope_pairing: architecture.rope_pairing(),
            is_causal: true,
            sliding_window: keys.sliding_window()?,
            tied_embeddings: header.tensor("output.weight").is_none(),
        };
        config.check_widths(&keys)?;
        Ok(config)
    }

    fn check_widths(&self, keys: &Keys) -> Result<(), ModelFault> {
        // The GPU reads activations four values at a time.
        for (key, width) in [
            ("embedding_length", self.hidden_size),
            ("feed_forward_length", self.intermediate_size),
            ("attention.key_length", self.head_dim),
        ] {
            if !width.is_multiple_of(4) {
                return Err(keys.fault(key, width, "a multiple of 4"));
            }
        }
        if self.rope_pairing == RopePairing::Halves && !self.head_dim.is_multiple_of(8) {
            return Err(keys.fault(
                "attention.key_length",
                self.head_dim,
                "a multiple of 8, whose halves the GPU reads four values at a time",
            ));
        }
        if !self.num_heads.is_multiple_of(self.num_kv_heads) {
            return Err(keys.fault(
                "attention.head_count_kv",
                self.num_kv_heads,
                "a divisor of attention.head_count",
            ));
        }
        let head_dim = Some(self.head_dim as u32);
        for (key, expected) in [
            ("attention.value_length", "the same as attention.key_length"),
            ("rope.dimension_count", "the same as attention.key_length"),
        ] {
            let found = keys.in_range(key, head_dim, 0, u32::MAX)?;
            if found != self.head_dim {
                return Err(keys.fault(key, found, expected));
            }
        }
        let experts = keys.in_range("expert_count", Some(0), 0, u32::MAX)?;
        if experts != 0 {
            return Err(keys.fault("expert_count", experts, "0 (mixtures are not supported)"));
        }
        let name = "rope.scaling.attn_factor";
        let factor = keys.positive(name, Some(1.0))?;
        if factor != 1.0 {
            return Err(keys.fault(name, factor, "1 (scaled attention is not supported)"));
        }
        Ok(())
    }
}

fn rows_of(header: &Header, name: &str) -> Result<usize, ModelFault> {
    let table = header
        .tensor(name)
        .ok_or_else(|| ModelFault::MissingTensor {
            tensor: name.to_owned(),
        })?;
    // Ids are u32, and the largest is kept for "embedding given".
    usize::try_from(table.rows())
        .ok()
        .filter(|&rows| rows < u32::MAX as usize)
        .ok_or_else(|| {
            ModelFault::config(name, table.rows(), "a table of fewer than 2^32 - 1 rows")
        })
}

/// Metadata under the architecture's prefix.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: Architecture,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture.name())
    }

    fn fault(
        &self,
        name: &str,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> ModelFault {
        ModelFault::config(&self.key(name), found, expected)
    }

    fn in_range(
        &self,
        name: &str,
        default: Option<u32>,
        least: u32,
        most: u32,
    ) -> Result<usize, ModelFault> {
        let key = self.key(name);
        let found = match (self.metadata.u32(&key)?, default) {
            (Some(found), _) => found,
            (None, Some(default)) => default,
            (None, None) => self.metadata.required_u32(&key)?,
        };
        if !(least..=most).contains(&found) {
            return Err(self.fault(name, found, format!("a number from {least} to {most}")));
        }
        Ok(found as usize)
    }

    fn positive(&self, name: &str, default: Option<f32>) -> Result<f32, ModelFault> {
        let key = self.key(name);
        let found = match (self.metadata.f32(&key)?, default) {
            (Some(found), _) => found,
            (None, Some(default)) => default,
            (None, None) => self.metadata.required_f32(&key)?,
        };
        if !(found.is_finite() && found > 0.0) {
            return Err(self.fault(name, found, "a finite number above 0"));
        }
        Ok(found)
    }

    /// Linear scaling. Llama 3's scaling is in the divisors of `rope_freqs.weight`, so that its
    /// name is accepted where they are there.
    fn rope_scale(&self, header: &Header) -> Result<f32, ModelFault> {
        let name = "rope.scaling.type";
        let factors = header.tensor("rope_freqs.weight");
        match self.metadata.str(&self.key(name))? {
            // How old files named linear scaling.
            None => self.positive("rope.scale_linear", Some(1.0)),
            Some("none") => Ok(1.0),
            Some("linear") => self.positive("rope.scaling.factor", None),
            Some("llama3") if factors.is_some() => Ok(1.0),
            Some(other) => {
                let found: String = other.chars().take(40).collect();
                let expected =
                    "\"none\", \"linear\", or \"llama3\" with a tensor rope_freqs.weight";
                Err(self.fault(name, found, expected))
            }
        }
    }

    fn sliding_window(&self) -> Result<Option<usize>, ModelFault> {
        match self.in_range("attention.sliding_window", Some(0), 0, u32::MAX)? {
            0 => Ok(None),
            window => Ok(Some(window)),
        }
    }
}
