//! The tokenizer's tables in GGUF metadata: read for [`crate::tokenizer`], written for exports.

use super::{Model, ModelError, ModelFault};
use crate::formats::gguf::{Array, Metadata, Value};
use crate::tokenizer::Vocabulary;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";

impl Model {
    /// The tokenizer's tables.
    ///
    /// # Errors
    /// Where a table is missing, or lists do not fit each other or the embedding table.
    pub fn vocabulary(&self) -> Result<Vocabulary, ModelError> {
        self.tables().map_err(|fault| ModelError {
            file: self.file.clone(),
            fault,
        })
    }

    fn tables(&self) -> Result<Vocabulary, ModelFault> {
        let metadata = &self.metadata;
        let tokens = metadata.required_strings(TOKENS)?;
        let token_types = metadata.integers(TOKEN_TYPES)?.unwrap_or_default();
        let merges = metadata.strings(MERGES)?.unwrap_or_default();
        let scores = metadata.floats(SCORES)?.map(<[f32]>::len);
        for (key, len) in [
            (TOKENS, Some(tokens.len())),
            (TOKEN_TYPES, Some(token_types.len()).filter(|&len| len != 0)),
            (SCORES, scores),
        ] {
            if let Some(len) = len.filter(|&len| len != self.config.vocab_size) {
                return Err(ModelFault::config(
                    key,
                    format!("a list of {len}"),
                    "as many as token_embd.weight has rows",
                ));
            }
        }
        Ok(Vocabulary {
            model: metadata.required_str(MODEL)?.to_owned(),
            pre: metadata.str(PRE)?.unwrap_or_default().to_owned(),
            tokens: tokens.to_vec(),
            token_types: token_types.to_vec(),
            merges: merges.to_vec(),
            eos_id: self.token_id(EOS)?,
            bos_id: self.token_id(BOS)?,
            add_bos: metadata.bool(ADD_BOS)?.unwrap_or(false),
        })
    }

    fn token_id(&self, key: &str) -> Result<Option<u32>, ModelFault> {
        match self.metadata.u32(key)? {
            Some(id) if id as usize >= self.config.vocab_size => {
                Err(ModelFault::config(key, id, "a token of the vocabulary"))
            }
            id => Ok(id),
        }
    }
}

/// Puts the tokenizer's tables into metadata, as [`Model::vocabulary`] reads them.
pub fn set_vocabulary(metadata: &mut Metadata, vocabulary: &Vocabulary) {
    let strings = |it: &[String]| Value::Array(Array::String(it.to_vec()));
    metadata.set(MODEL, Value::String(vocabulary.model.clone()));
    metadata.set(PRE, Value::String(vocabulary.pre.clone()));
    metadata.set(TOKENS, strings(&vocabulary.tokens));
    if !vocabulary.token_types.is_empty() {
        let types = Array::I32(vocabulary.token_types.clone());
        metadata.set(TOKEN_TYPES, Value::Array(types));
    }
    metadata.set(MERGES, strings(&vocabulary.merges));
    if let Some(id) = vocabulary.bos_id {
        metadata.set(BOS, Value::U32(id));
    }
    if let Some(id) = vocabulary.eos_id {
        metadata.set(EOS, Value::U32(id));
    }
    metadata.set(ADD_BOS, Value::Bool(vocabulary.add_bos));
}
