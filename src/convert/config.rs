//! `config.json` of Hugging Face, and what of it stands in GGUF metadata.

use serde_json::Value as Json;

use super::ConvertError;
use crate::formats::gguf::{Metadata, Value};

/// More layers than any model has: names are made for all of them.
const MAX_LAYERS: usize = 1024;

/// An architecture that is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama, and Mistral, which is Llama with a sliding window.
    Llama,
    /// Qwen2: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: norms on queries and keys.
    Qwen3,
}

impl Architecture {
    /// Its name in GGUF files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// What is read of `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which kind of model it is.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward activation.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Number of query heads.
    pub num_heads: usize,
    /// Number of key and value heads.
    pub num_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Added to the mean square in RMS norms.
    pub rms_norm_eps: f32,
    /// Base of the rotation frequencies.
    pub rope_theta: f32,
    /// How positions are stretched.
    pub rope_scaling: RopeScaling,
    /// How many positions a position sees.
    pub sliding_window: Option<usize>,
    /// Whether the head is the embedding table.
    pub tied_embeddings: bool,
    /// `bos_token_id`, the first where there are several.
    pub bos_id: Option<u32>,
    /// `eos_token_id`, the first where there are several.
    pub eos_id: Option<u32>,
}

/// How positions are stretched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All by one factor.
    Linear {
        /// The factor.
        factor: f32,
    },
    /// Llama 3: slow rotations by a factor, fast ones not at all.
    Llama3 {
        /// The factor.
        factor: f64,
        /// Rotations with fewer turns in the original context are slow.
        low_freq_factor: f64,
        /// Rotations with more turns are fast.
        high_freq_factor: f64,
        /// The context before stretching.
        original_context: f64,
    },
}

/// Fields of an object of `config.json`.
struct Fields<'a> {
    object: &'a Json,
    /// What stands before a key in messages.
    prefix: &'a str,
}

impl Fields<'_> {
    fn wrong(&self, key: &str, expected: &'static str) -> ConvertError {
        let mut found = self.object[key].to_string();
        found.truncate(found.floor_char_boundary(60));
        ConvertError::Config {
            key: format!("{}{key}", self.prefix),
            found,
            expected,
        }
    }

    fn size_or(&self, key: &str, default: Option<usize>) -> Result<usize, ConvertError> {
        // Larger ones are no sizes of models.
        const MOST: u64 = 1 << 24;
        match (&self.object[key], default) {
            (Json::Null, Some(default)) => Ok(default),
            (value, _) => match value.as_u64() {
                Some(value @ 1..=MOST) => Ok(value as usize),
                _ => Err(self.wrong(key, "a number from 1 to 16777216")),
            },
        }
    }

    fn positive_or(&self, key: &str, default: Option<f64>) -> Result<f64, ConvertError> {
        match (&self.object[key], default) {
            (Json::Null, Some(default)) => Ok(default),
            (value, _) => value
                .as_f64()
                .filter(|it| it.is_finite() && *it > 0.0)
                .ok_or_else(|| self.wrong(key, "a number above 0")),
        }
    }

    fn token_id(&self, key: &str) -> Option<u32> {
        let value = match &self.object[key] {
            Json::Array(all) => all.first()?,
            other => other,
        };
        value.as_u64()?.try_into().ok()
    }
}

impl Config {
    /// Reads and checks the fields that decide how the model computes.
    pub fn from_json(json: &Json) -> Result<Self, ConvertError> {
        let fields = Fields {
            object: json,
            prefix: "",
        };
        let architecture = architecture(&fields)?;
        let act = json["hidden_act"].as_str();
        if act.is_some_and(|it| it != "silu") {
            return Err(fields.wrong("hidden_act", "\"silu\""));
        }
        let hidden_size = fields.size_or("hidden_size", None)?;
        let num_heads = fields.size_or("num_attention_heads", None)?;
        let head_dim = fields.size_or("head_dim", Some(hidden_size / num_heads))?;
        if !head_dim.is_multiple_of(2) {
            return Err(fields.wrong("head_dim", "an even number"));
        }
        let num_layers = fields.size_or("num_hidden_layers", None)?;
        if num_layers > MAX_LAYERS {
            return Err(fields.wrong("num_hidden_layers", "a number from 1 to 1024"));
        }
        let uses_window = json["use_sliding_window"] != Json::Bool(false);
        let sliding_window = match &json["sliding_window"] {
            Json::Null => None,
            _ if !uses_window => None,
            _ => Some(fields.size_or("sliding_window", None)?),
        };
        let rope = rope_fields(json);
        Ok(Self {
            architecture,
            hidden_size,
            intermediate_size: fields.size_or("intermediate_size", None)?,
            num_layers,
            num_heads,
            num_kv_heads: fields.size_or("num_key_value_heads", Some(num_heads))?,
            head_dim,
            context_length: fields.size_or("max_position_embeddings", None)?,
            rms_norm_eps: fields.positive_or("rms_norm_eps", Some(1e-6))? as f32,
            rope_theta: match json["rope_theta"] {
                Json::Null => rope.positive_or("rope_theta", Some(10000.0))? as f32,
                _ => fields.positive_or("rope_theta", None)? as f32,
            },
            rope_scaling: rope_scaling(&rope, &fields)?,
            sliding_window,
            tied_embeddings: json["tie_word_embeddings"] == Json::Bool(true),
            bos_id: fields.token_id("bos_token_id"),
            eos_id: fields.token_id("eos_token_id"),
        })
    }

    /// Width of all query heads.
    pub fn query_width(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Width of all key heads, and of all value heads.
    pub fn kv_width(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }

    /// Writes what GGUF files say of a model.
    pub fn set_metadata(&self, metadata: &mut Metadata) {
        let architecture = self.architecture.name();
        metadata.set("general.architecture", Value::String(architecture.into()));
        let mut set =
            |key: &str, value: Value| metadata.set(&format!("{architecture}.{key}"), value);
        for (key, value) in [
            ("block_count", self.num_layers),
            ("context_length", self.context_length),
            ("embedding_length", self.hidden_size),
            ("feed_forward_length", self.intermediate_size),
            ("attention.head_count", self.num_heads),
            ("attention.head_count_kv", self.num_kv_heads),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
            ("rope.dimension_count", self.head_dim),
        ] {
            set(key, Value::U32(value as u32));
        }
        set(
            "attention.layer_norm_rms_epsilon",
            Value::F32(self.rms_norm_eps),
        );
        set("rope.freq_base", Value::F32(self.rope_theta));
        if let RopeScaling::Linear { factor } = self.rope_scaling {
            set("rope.scaling.type", Value::String("linear".into()));
            set("rope.scaling.factor", Value::F32(factor));
        }
        if let Some(window) = self.sliding_window {
            set("attention.sliding_window", Value::U32(window as u32));
        }
    }

    /// Divisors of the rotation frequencies, where they are stretched unevenly: the tensor
    /// `rope_freqs.weight`, as llama.cpp writes it.
    pub fn rope_factors(&self) -> Option<Vec<f32>> {
        let RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } = self.rope_scaling
        else {
            return None;
        };
        let pairs = self.head_dim / 2;
        let factors = (0..pairs).map(|pair| {
            let exponent = 2.0 * pair as f64 / self.head_dim as f64;
            let wavelength = std::f64::consts::TAU * f64::from(self.rope_theta).powf(exponent);
            let turns = original_context / wavelength;
            let value = if turns > high_freq_factor {
                1.0
            } else if turns < low_freq_factor {
                factor
            } else {
                let fast = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                1.0 / ((1.0 - fast) / factor + fast)
            };
            value as f32
        });
        Some(factors.collect())
    }
}

fn architecture(fields: &Fields<'_>) -> Result<Architecture, ConvertError> {
    match fields.object["model_type"].as_str() {
        Some("llama" | "mistral") => Ok(Architecture::Llama),
        Some("qwen2") => Ok(Architecture::Qwen2),
        Some("qwen3") => Ok(Architecture::Qwen3),
        _ => Err(fields.wrong(
            "model_type",
            "\"llama\", \"mistral\", \"qwen2\" or \"qwen3\"",
        )),
    }
}

/// Newer files keep everything about rotations in `rope_parameters`.
fn rope_fields(json: &Json) -> Fields<'_> {
    match json["rope_scaling"] {
        Json::Null => Fields {
            object: &json["rope_parameters"],
            prefix: "rope_parameters.",
        },
        _ => Fields {
            object: &json["rope_scaling"],
            prefix: "rope_scaling.",
        },
    }
}

fn rope_scaling(rope: &Fields<'_>, all: &Fields<'_>) -> Result<RopeScaling, ConvertError> {
    let key = match rope.object["rope_type"] {
        Json::Null => "type",
        _ => "rope_type",
    };
    match rope.object[key].as_str() {
        None if rope.object[key].is_null() => Ok(RopeScaling::None),
        Some("default") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear {
            factor: rope.positive_or("factor", None)? as f32,
        }),
        Some("llama3") => {
            let context = all.size_or("max_position_embeddings", None)? as f64;
            let scaling = RopeScaling::Llama3 {
                factor: rope.positive_or("factor", None)?,
                low_freq_factor: rope.positive_or("low_freq_factor", None)?,
                high_freq_factor: rope.positive_or("high_freq_factor", None)?,
                original_context: rope
                    .positive_or("original_max_position_embeddings", Some(context))?,
            };
            Ok(scaling)
        }
        _ => Err(rope.wrong(key, "\"default\", \"linear\" or \"llama3\"")),
    }
}
