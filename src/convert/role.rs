//! What a converted model is for: a model by itself, or a part of a SemCoT pair. The parts differ in
//! which tensors there are besides the layers (names as the authors' checkpoints have them) and in
//! what metadata says of them.

use super::ConvertError;
use super::config::Config;
use super::names::{self, Place, place};
use crate::formats::gguf::{Metadata, Value};
use crate::formats::manifest::ImplicitFrom;
use crate::formats::tensors::TensorFiles;

/// The generator's added token, the last row of its embedding table.
const THOUGHT: &str = "<thought>";

/// What a converted model is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A model by itself, or the target of a pair.
    #[default]
    Model,
    /// A generator of implicit tokens: a model without a head, and `projection_layer`.
    Generator(GeneratorOptions),
    /// A sentence transformer: some layers of a target, their norm, and `embedding_projection`.
    SentenceTransformer(SentenceOptions),
}

/// How a generator is asked for implicit tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorOptions {
    /// Number of implicit tokens k.
    pub implicit_tokens: u32,
    /// Which of its rows become implicit tokens.
    pub implicit_from: ImplicitFrom,
}

impl Default for GeneratorOptions {
    /// As the authors evaluate: one implicit token, from the last question token on.
    fn default() -> Self {
        Self {
            implicit_tokens: 1,
            implicit_from: ImplicitFrom::LastQuestionToken,
        }
    }
}

/// Where a sentence transformer was cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentenceOptions {
    /// The target's layer that its first layer was.
    pub first_layer: u32,
}

impl Default for SentenceOptions {
    /// As the authors cut it: layers 16 to 20.
    fn default() -> Self {
        Self { first_layer: 16 }
    }
}

impl Role {
    /// Whether tensors of the base model may stand in for missing ones. Layers of a sentence
    /// transformer are counted from its first, so that those of the base are others.
    pub(super) fn is_filled_by_base(&self) -> bool {
        !matches!(self, Self::SentenceTransformer(_))
    }

    /// Text of the last row of the embedding table where no tokenizer names it, empty for none;
    /// `None` for a model that reads no tokens.
    pub(super) fn last_token(&self) -> Option<&'static str> {
        match self {
            Self::Model => Some(""),
            Self::Generator(_) => Some(THOUGHT),
            Self::SentenceTransformer(_) => None,
        }
    }

    /// Takes out of the configuration of the base what this role does not have.
    pub(super) fn adjust(&self, config: &mut Config, files: &TensorFiles) {
        if !matches!(self, Self::Model) {
            // A head would never be used.
            config.tied_embeddings = true;
        }
        if matches!(self, Self::SentenceTransformer(_)) {
            let norm = |layer: &usize| format!("layers.{layer}.input_layernorm.weight");
            let is_there = |layer: &usize| files.tensors().contains_key(&norm(layer));
            let layers = (0..config.num_layers).take_while(is_there).count();
            config.num_layers = layers.max(1);
        }
    }

    /// All tensors of such a model.
    pub(super) fn places(
        &self,
        config: &Config,
        files: &TensorFiles,
    ) -> Result<Vec<Place>, ConvertError> {
        let mut places = names::places(config);
        let (name, source) = match self {
            Self::Model => return Ok(places),
            Self::Generator(_) => ("semcot.projection", "projection_layer"),
            Self::SentenceTransformer(_) => {
                places.retain(|it| it.name != "token_embd.weight");
                ("semcot.sentence", "embedding_projection")
            }
        };
        let weight = format!("{source}.weight");
        let Some(stored) = files.tensors().get(&weight) else {
            return Err(ConvertError::MissingTensor { tensor: weight });
        };
        let rows = stored.shape.first().copied().unwrap_or(0).max(1);
        places.push(place(
            &format!("{name}.weight"),
            &weight,
            &[rows, config.hidden_size],
        ));
        places.push(place(
            &format!("{name}.bias"),
            &format!("{source}.bias"),
            &[rows],
        ));
        Ok(places)
    }

    /// Writes what the engine asks of such a model, whose embedding table has `rows` rows.
    pub(super) fn set_metadata(
        &self,
        metadata: &mut Metadata,
        rows: usize,
    ) -> Result<(), ConvertError> {
        match self {
            Self::Model => {}
            Self::Generator(options) => {
                if options.implicit_tokens == 0 {
                    return Err(ConvertError::Option {
                        option: "the number of implicit tokens",
                        found: "0".to_owned(),
                        expected: "at least 1",
                    });
                }
                let tokens = metadata.strings("tokenizer.ggml.tokens").ok().flatten();
                let named = tokens.and_then(|it| it.iter().position(|it| it == THOUGHT));
                let thought = named.unwrap_or(rows - 1) as u32;
                let from = options.implicit_from.name();
                metadata.set("semcot.thought_token_id", Value::U32(thought));
                let count = Value::U32(options.implicit_tokens);
                metadata.set("semcot.implicit_tokens", count);
                metadata.set("semcot.implicit_from", Value::String(from.to_owned()));
            }
            Self::SentenceTransformer(options) => {
                let first = Value::U32(options.first_layer);
                metadata.set("semcot.sentence.first_layer", first);
                metadata.set("semcot.sentence.causal", Value::Bool(false));
            }
        }
        Ok(())
    }
}
