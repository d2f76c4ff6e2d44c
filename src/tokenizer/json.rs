//! Hugging Face `tokenizer.json` files with byte-level BPE, read into and written from a [`Vocabulary`].

use serde_json::{Value, json};

use super::TokenizerError;
use super::vocabulary::{PreTokenizer, TokenType, Vocabulary};

/// Reads the tables, and whether text is composed (Unicode NFC) before it is split. Errors name the field that is
/// missing or not supported.
pub fn read(json: &[u8]) -> Result<(Vocabulary, bool), TokenizerError> {
    let file: Value = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
    let model = &file["model"];
    if model["type"].as_str().is_some_and(|kind| kind != "BPE") {
        return Err(wrong(format!(
            "model.type is {}: only \"BPE\" is supported",
            model["type"]
        )));
    }
    if model["byte_fallback"] == json!(true) {
        return Err(wrong(
            "model.byte_fallback is true: only byte-level BPE is supported".to_owned(),
        ));
    }
    let composes = read_normalizer(&file["normalizer"])?;
    let pre_tokenizer = read_pre_tokenizer(&file["pre_tokenizer"])?;
    let whole_words = &model["ignore_merges"];
    if (*whole_words == json!(true)) != pre_tokenizer.takes_whole_words() {
        let name = pre_tokenizer.name();
        return Err(wrong(format!(
            "model.ignore_merges is {whole_words}, which does not go with {name}"
        )));
    }

    let vocab = model["vocab"]
        .as_object()
        .ok_or_else(|| wrong("model.vocab is missing".to_owned()))?;
    let mut entries: Vec<(usize, &str, TokenType)> = Vec::with_capacity(vocab.len());
    for (token, id) in vocab {
        entries.push((read_id(id, token)?, token, TokenType::Normal));
    }
    for added in file["added_tokens"].as_array().into_iter().flatten() {
        let token = added["content"]
            .as_str()
            .ok_or_else(|| wrong("an added token has no content".to_owned()))?;
        let kind = if added["special"] == json!(true) {
            TokenType::Control
        } else {
            TokenType::UserDefined
        };
        entries.push((read_id(&added["id"], token)?, token, kind));
    }

    // An id can be no greater than the number of entries allows, so a hostile id cannot ask for much memory.
    let size = entries.iter().map(|entry| entry.0 + 1).max().unwrap_or(0);
    if size > entries.len() {
        return Err(wrong(format!(
            "ids go up to {}, but there are only {} tokens",
            size - 1,
            entries.len()
        )));
    }
    let mut tokens = vec![String::new(); size];
    let mut token_types = vec![TokenType::Other.number(); size];
    for (id, token, kind) in entries {
        tokens[id] = token.to_owned();
        token_types[id] = kind.number();
    }

    let merges = model["merges"]
        .as_array()
        .ok_or_else(|| wrong("model.merges is missing".to_owned()))?;
    let merges = merges.iter().enumerate().map(|(number, merge)| {
        let pair = merge
            .as_array()
            .map(|pair| pair.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        match (merge.as_str(), pair) {
            (Some(merge), _) => Ok(merge.to_owned()),
            (None, Some(pair)) if pair.len() == 2 => Ok(pair.join(" ")),
            _ => Err(wrong(format!("merge {number} is {merge}, not two tokens"))),
        }
    });
    let vocabulary = Vocabulary {
        model: "gpt2".to_owned(),
        pre: pre_tokenizer.name().to_owned(),
        tokens,
        token_types,
        merges: merges.collect::<Result<_, _>>()?,
        eos_id: None,
        bos_id: None,
        add_bos: false,
    };
    Ok((vocabulary, composes))
}

fn wrong(message: String) -> TokenizerError {
    TokenizerError::Json(message)
}

fn read_id(id: &Value, token: &str) -> Result<usize, TokenizerError> {
    let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
    number
        .map(|id| id as usize)
        .ok_or_else(|| wrong(format!("the id of \"{token}\" is {id}")))
}

fn read_pre_tokenizer(value: &Value) -> Result<PreTokenizer, TokenizerError> {
    let parts = match value["pretokenizers"].as_array() {
        Some(parts) => parts.as_slice(),
        None => std::slice::from_ref(value),
    };
    find_pre_tokenizer(parts).ok_or_else(|| {
        let known = PreTokenizer::NAMES.join(", ");
        wrong(format!(
            "pre_tokenizer is none of those known here: {known}"
        ))
    })
}

fn find_pre_tokenizer(parts: &[Value]) -> Option<PreTokenizer> {
    let (byte_level, splits) = parts.split_last()?;
    if byte_level["type"] != "ByteLevel" || byte_level["add_prefix_space"] == json!(true) {
        return None;
    }
    if splits.is_empty() {
        return (byte_level["use_regex"] != json!(false)).then_some(PreTokenizer::Gpt2);
    }
    let pattern = |split: &Value| -> Option<String> {
        let isolated = split["type"] == "Split"
            && split["behavior"] == "Isolated"
            && split["invert"] != json!(true);
        isolated
            .then(|| split["pattern"]["Regex"].as_str().map(str::to_owned))
            .flatten()
    };
    let patterns: Vec<String> = splits.iter().map(pattern).collect::<Option<_>>()?;
    PreTokenizer::ALL
        .into_iter()
        .find(|known| known.patterns() == patterns)
}

fn read_normalizer(value: &Value) -> Result<bool, TokenizerError> {
    match value["type"].as_str() {
        None if value.is_null() => Ok(false),
        Some("NFC") => Ok(true),
        _ => Err(wrong(format!(
            "normalizer is {value}: only null and \"NFC\" are supported"
        ))),
    }
}

/// Writes the tables so that Hugging Face's own libraries read them.
pub fn write(vocabulary: &Vocabulary, pre_tokenizer: PreTokenizer, composes: bool) -> String {
    let mut vocab = serde_json::Map::new();
    let mut added = Vec::new();
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        let kind = vocabulary.token_type(id);
        match kind {
            TokenType::Normal => {
                vocab.insert(token.clone(), json!(id));
            }
            TokenType::Control | TokenType::UserDefined => added.push(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind == TokenType::Control
            })),
            TokenType::Other => {}
        }
    }
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let pre_tokenizer_json = if pre_tokenizer == PreTokenizer::Gpt2 {
        byte_level(true)
    } else {
        let split = |pattern: &&str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let splits = pre_tokenizer.patterns().iter().map(split);
        json!({"type": "Sequence", "pretokenizers": splits.chain([byte_level(false)]).collect::<Vec<_>>()})
    };
    let normalizer = if composes {
        json!({"type": "NFC"})
    } else {
        Value::Null
    };
    let merges: Vec<Vec<&str>> = vocabulary
        .merges
        .iter()
        .map(|merge| merge.split(' ').collect())
        .collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer_json, "post_processor": null, "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pre_tokenizer.takes_whole_words(), "vocab": vocab, "merges": merges
        }
    });
    format!("{file:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_id_is_refused_without_allocating_for_it() {
        let file = json!({
            "model": {"type": "BPE", "vocab": {"a": 4294967295u32}, "merges": []},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}
        });
        let error = read(file.to_string().as_bytes()).expect_err("an id far out of range");
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
