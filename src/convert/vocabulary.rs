//! The tokenizer of a checkpoint, put into GGUF metadata.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::config::Config;
use super::{ConvertError, read_json, sentencepiece};
use crate::formats::gguf::{Metadata, Value};
use crate::model::set_vocabulary;
use crate::tokenizer::{Tokenizer, Vocabulary};

/// ggml's numbers of what a token is for.
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The files of a tokenizer; those that are not there are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizerFiles {
    model: PathBuf,
    json: PathBuf,
    settings: PathBuf,
}

impl TokenizerFiles {
    /// The first of some files and folders that is or has a tokenizer.
    pub fn find<'a>(mut places: impl Iterator<Item = &'a Path>) -> Self {
        places.find_map(Self::at).unwrap_or_default()
    }

    fn at(path: &Path) -> Option<Self> {
        let folder = match path.is_dir() {
            true => path,
            false => path.parent()?,
        };
        let mut files = Self {
            model: folder.join("tokenizer.model"),
            json: folder.join("tokenizer.json"),
            settings: folder.join("tokenizer_config.json"),
        };
        match path.extension().and_then(|it| it.to_str()) {
            _ if path.is_dir() => {}
            Some("model") => files.model = path.to_owned(),
            // A file that is named is read, whatever lies beside it.
            Some("json") => {
                files.json = path.to_owned();
                files.model = PathBuf::new();
            }
            _ => {}
        }
        (files.model.is_file() || files.json.is_file()).then_some(files)
    }
}

/// Puts a tokenizer into metadata, for an embedding table of `rows` rows; the last is `last_token`
/// where the tokenizer says nothing of it and it is not empty. Gives the reason where it cannot be:
/// what GGUF files cannot say, `tokenizer.json` beside them still can.
pub fn set_tokenizer(
    metadata: &mut Metadata,
    files: &TokenizerFiles,
    config: &Config,
    rows: usize,
    last_token: &str,
) -> Result<Option<String>, ConvertError> {
    let json = optional_json(&files.json)?;
    let mut vocabulary = match read_tables(files)? {
        Ok(vocabulary) => vocabulary,
        Err(reason) => return Ok(Some(reason)),
    };
    add_tokens(&mut vocabulary, &json);
    set_scores(&mut vocabulary);
    let named = vocabulary.tokens.len();
    pad(&mut vocabulary, rows)?;
    let is_known = vocabulary.tokens.iter().any(|it| it == last_token);
    if named < rows && !last_token.is_empty() && !is_known {
        vocabulary.tokens[rows - 1] = last_token.to_owned();
        vocabulary.token_types[rows - 1] = CONTROL;
    }
    let settings = optional_json(&files.settings)?;
    let named = |key: &str| token_id(&vocabulary, &settings[key]);
    let within = |id: Option<u32>| id.filter(|&id| (id as usize) < rows);
    let (bos_id, eos_id) = (
        named("bos_token").or(within(config.bos_id)),
        named("eos_token").or(within(config.eos_id)),
    );
    vocabulary.bos_id = bos_id.or(vocabulary.bos_id);
    vocabulary.eos_id = eos_id.or(vocabulary.eos_id);
    let adds_bos = vocabulary.add_bos || begins_with_special(&json["post_processor"]);
    vocabulary.add_bos = settings["add_bos_token"].as_bool().unwrap_or(adds_bos);
    set_vocabulary(metadata, &vocabulary);
    if let Some(template) = settings["chat_template"].as_str() {
        let key = "tokenizer.chat_template";
        metadata.set(key, Value::String(template.to_owned()));
    }
    Ok(None)
}

/// The tables of `tokenizer.model` where it is there, else of `tokenizer.json`; or the reason why GGUF
/// files cannot hold them.
fn read_tables(files: &TokenizerFiles) -> Result<Result<Vocabulary, String>, ConvertError> {
    let TokenizerFiles { model, json, .. } = files;
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| ConvertError::Io {
            path: path.to_owned(),
            error,
        })
    };
    Ok(if model.is_file() {
        sentencepiece::read(&read(model)?).map_err(|reason| format!("tokenizer.model: {reason}"))
    } else if json.is_file() {
        let tokenizer = Tokenizer::from_json(&read(json)?);
        tokenizer
            .map(|it| it.to_vocabulary())
            .map_err(|error| format!("tokenizer.json: {error}"))
    } else {
        Err("there is no tokenizer.model and no tokenizer.json".to_owned())
    })
}

fn optional_json(path: &Path) -> Result<Json, ConvertError> {
    match path.is_file() {
        true => read_json(path),
        false => Ok(Json::Null),
    }
}

/// Tokens that were added behind the pieces of a `tokenizer.model`, as `tokenizer.json` lists them.
fn add_tokens(vocabulary: &mut Vocabulary, json: &Json) {
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let next = vocabulary.tokens.len() as u64;
        let (Some(id), Some(token)) = (added["id"].as_u64(), added["content"].as_str()) else {
            continue;
        };
        if id == next {
            let special = added["special"] == Json::Bool(true);
            vocabulary.tokens.push(token.to_owned());
            vocabulary
                .token_types
                .push(if special { CONTROL } else { USER_DEFINED });
        }
    }
}

/// GGUF files give SentencePiece's tokens scores, where `tokenizer.json` lists merges: a token made by
/// an earlier merge has a better one. Its token for the unknown has a type of its own.
fn set_scores(vocabulary: &mut Vocabulary) {
    if vocabulary.model != "llama" {
        return;
    }
    if vocabulary.scores.is_empty() {
        let mut scores = HashMap::new();
        for (rank, merge) in vocabulary.merges.iter().enumerate() {
            let score = -(rank as f32) - 1.0;
            scores.entry(merge.replacen(' ', "", 1)).or_insert(score);
        }
        let last = -(vocabulary.merges.len() as f32) - 1.0;
        let tokens = vocabulary.tokens.iter();
        vocabulary.scores = tokens
            .map(|it| scores.get(it).copied().unwrap_or(last))
            .collect();
    }
    if let Some(id) = vocabulary.unknown_id {
        vocabulary.token_types[id as usize] = UNKNOWN;
    }
}

/// Embedding tables are often padded to a round number of rows.
fn pad(vocabulary: &mut Vocabulary, rows: usize) -> Result<(), ConvertError> {
    let count = vocabulary.tokens.len();
    if count > rows {
        return Err(ConvertError::Tokenizer {
            file: "the tokenizer",
            reason: format!("{count} tokens, but the embedding table has {rows} rows"),
        });
    }
    if vocabulary.token_types.is_empty() {
        vocabulary.token_types = vec![1; count];
    }
    let padding = (count..rows).map(|id| format!("[PAD{id}]"));
    vocabulary.tokens.extend(padding);
    vocabulary.token_types.resize(rows, UNUSED);
    if vocabulary.model == "llama" {
        vocabulary.scores.resize(rows, 0.0);
    }
    Ok(())
}

/// The id of a token that is named as a text, or as an object with its `content`.
fn token_id(vocabulary: &Vocabulary, token: &Json) -> Option<u32> {
    let token = token.as_str().or(token["content"].as_str())?;
    let index = vocabulary.tokens.iter().position(|it| it == token)?;
    u32::try_from(index).ok()
}

/// Whether a post-processor puts a special token in front.
fn begins_with_special(post_processor: &Json) -> bool {
    let own = std::slice::from_ref(post_processor);
    let all = post_processor["processors"].as_array();
    all.map_or(own, Vec::as_slice)
        .iter()
        .any(|it| it["type"] == "TemplateProcessing" && it["single"][0]["SpecialToken"].is_object())
}
