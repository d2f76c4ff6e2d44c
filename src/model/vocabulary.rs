//! The tokenizer's tables in GGUF metadata: read for [`crate::tokenizer`], written for exports.

use super::{Model, ModelError, ModelFault};
use crate::formats::gguf::{Array, Metadata, Value};
use crate::tokenizer::{PreTokenizer, Vocabulary};

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
const ADD_SPACE_PREFIX: &str = "tokenizer.ggml.add_space_prefix";
const MERGES: &str = "tokenizer.ggml.merges";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
const CHAT_TEMPLATE: &str = "tokenizer.chat_template";

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

    /// The Jinja template by which messages of a chat become a prompt, where the file has one.
    pub fn chat_template(&self) -> Option<&str> {
        match self.metadata.get(CHAT_TEMPLATE) {
            Some(Value::String(template)) => Some(template),
            _ => None,
        }
    }

    fn tables(&self) -> Result<Vocabulary, ModelFault> {
        read_vocabulary(&self.metadata, Some(self.config.vocab_size))
    }
}

/// The tokenizer's tables in metadata; where the size of the embedding table is known, lists must
/// be as long.
///
/// # Errors
/// Where a table is missing, or lists do not fit each other.
pub fn read_vocabulary(
    metadata: &Metadata,
    vocab_size: Option<usize>,
) -> Result<Vocabulary, ModelFault> {
    let tokens = metadata.required_strings(TOKENS)?;
    let token_types = metadata.integers(TOKEN_TYPES)?.unwrap_or_default();
    let merges = metadata.strings(MERGES)?.unwrap_or_default();
    let scores = metadata.floats(SCORES)?.unwrap_or_default();
    let size = vocab_size.unwrap_or(tokens.len());
    let token_id = |key: &str| match metadata.u32(key)? {
        Some(id) if id as usize >= size => {
            Err(ModelFault::config(key, id, "a token of the vocabulary"))
        }
        id => Ok(id),
    };
    for (key, len) in [
        (TOKENS, Some(tokens.len())),
        (TOKEN_TYPES, Some(token_types.len()).filter(|&len| len != 0)),
        (SCORES, Some(scores.len()).filter(|&len| len != 0)),
    ] {
        if let Some(len) = len.filter(|&len| len != size) {
            return Err(ModelFault::config(
                key,
                format!("a list of {len}"),
                "as many as token_embd.weight has rows",
            ));
        }
    }
    let model = metadata.required_str(MODEL)?;
    let pre = metadata.str(PRE)?.unwrap_or_default();
    // What llama.cpp takes for granted where the file does not say.
    let is_sentencepiece = model == "llama";
    let adds_bos = is_sentencepiece
        || PreTokenizer::from_name(pre).is_some_and(PreTokenizer::adds_begin_token);
    Ok(Vocabulary {
        model: model.to_owned(),
        pre: pre.to_owned(),
        tokens: tokens.to_vec(),
        token_types: token_types.to_vec(),
        merges: if is_sentencepiece {
            Vec::new()
        } else {
            merges.to_vec()
        },
        scores: scores.to_vec(),
        eos_id: token_id(EOS)?,
        bos_id: token_id(BOS)?,
        unknown_id: token_id(UNKNOWN)?,
        add_bos: metadata.bool(ADD_BOS)?.unwrap_or(adds_bos),
        add_eos: metadata.bool(ADD_EOS)?.unwrap_or(false),
        add_space_prefix: is_sentencepiece && metadata.bool(ADD_SPACE_PREFIX)?.unwrap_or(true),
    })
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
    if !vocabulary.scores.is_empty() {
        let scores = Array::F32(vocabulary.scores.clone());
        metadata.set(SCORES, Value::Array(scores));
    }
    if vocabulary.model == "llama" {
        let prefix = Value::Bool(vocabulary.add_space_prefix);
        metadata.set(ADD_SPACE_PREFIX, prefix);
    } else {
        metadata.set(MERGES, strings(&vocabulary.merges));
    }
    if let Some(id) = vocabulary.unknown_id {
        metadata.set(UNKNOWN, Value::U32(id));
    }
    if let Some(id) = vocabulary.bos_id {
        metadata.set(BOS, Value::U32(id));
    }
    if let Some(id) = vocabulary.eos_id {
        metadata.set(EOS, Value::U32(id));
    }
    metadata.set(ADD_BOS, Value::Bool(vocabulary.add_bos));
    if vocabulary.add_eos {
        metadata.set(ADD_EOS, Value::Bool(true));
    }
}
