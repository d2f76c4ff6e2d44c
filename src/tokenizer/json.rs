//! Hugging Face `tokenizer.json` files with byte-level BPE or SentencePiece-BPE, read into and written from a
//! [`Vocabulary`].

use serde_json::{Value, json};

use super::TokenizerError;
use super::sentencepiece::{SPACE, byte_of};
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
    let rules = Rules::read(&file)?;
    let vocab = model["vocab"]
        .as_object()
        .ok_or_else(|| wrong("model.vocab is missing".to_owned()))?;
    let mut entries: Vec<(usize, &str, TokenType)> = Vec::with_capacity(vocab.len());
    for (token, id) in vocab {
        let is_byte = rules.pre_tokenizer.is_none() && byte_of(token).is_some();
        let token_type = if is_byte {
            TokenType::Byte
        } else {
            TokenType::Normal
        };
        entries.push((read_id(id, token)?, token, token_type));
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
    let unknown = model["unk_token"].as_str();
    let unknown_id = unknown.and_then(|it| tokens.iter().position(|token| token == it));
    let vocabulary = Vocabulary {
        model: rules.pre_tokenizer.map_or("llama", |_| "gpt2").to_owned(),
        pre: rules
            .pre_tokenizer
            .map_or("default", PreTokenizer::name)
            .to_owned(),
        tokens,
        token_types,
        merges: merges.collect::<Result<_, _>>()?,
        unknown_id: unknown_id.map(|id| id as u32),
        add_space_prefix: rules.add_space_prefix,
        ..Vocabulary::default()
    };
    Ok((vocabulary, rules.composes))
}

/// What is done to text before merging.
struct Rules {
    /// How byte-level BPE splits it; `None`: SentencePiece.
    pre_tokenizer: Option<PreTokenizer>,
    composes: bool,
    add_space_prefix: bool,
}

impl Rules {
    fn read(file: &Value) -> Result<Self, TokenizerError> {
        let (model, normalizer) = (&file["model"], &file["normalizer"]);
        if model["byte_fallback"] == json!(true) {
            return Self::read_sentencepiece(normalizer, &file["pre_tokenizer"]);
        }
        let pre_tokenizer = read_pre_tokenizer(&file["pre_tokenizer"])?;
        let whole_words = &model["ignore_merges"];
        if (*whole_words == json!(true)) != pre_tokenizer.takes_whole_words() {
            let name = pre_tokenizer.name();
            return Err(wrong(format!(
                "model.ignore_merges is {whole_words}, which does not go with {name}"
            )));
        }
        Ok(Self {
            pre_tokenizer: Some(pre_tokenizer),
            composes: read_normalizer(normalizer)?,
            add_space_prefix: false,
        })
    }

    fn read_sentencepiece(normalizer: &Value, pre: &Value) -> Result<Self, TokenizerError> {
        if !pre.is_null() {
            return Err(wrong(format!(
                "pre_tokenizer is {pre}: with model.byte_fallback only null is supported"
            )));
        }
        let without_prefix = json!([space_normalizers()[1]]);
        let add_space_prefix = match &normalizer["normalizers"] {
            it if *it == json!(space_normalizers()) => true,
            it if *it == without_prefix => false,
            _ => {
                return Err(wrong(format!(
                    "normalizer is {normalizer}: with model.byte_fallback only Prepend and Replace of spaces are supported"
                )));
            }
        };
        Ok(Self {
            pre_tokenizer: None,
            composes: false,
            add_space_prefix,
        })
    }
}

/// What SentencePiece does to text: a space before it, and U+2581 for spaces.
fn space_normalizers() -> [Value; 2] {
    [
        json!({"type": "Prepend", "prepend": SPACE}),
        json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE}),
    ]
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

/// Writes the tables so that Hugging Face's own libraries read them; without a pre-tokenizer as SentencePiece.
pub fn write(
    vocabulary: &Vocabulary,
    pre_tokenizer: Option<PreTokenizer>,
    composes: bool,
) -> String {
    let mut vocab = serde_json::Map::new();
    let mut added = Vec::new();
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        let kind = vocabulary.token_type(id);
        if kind == TokenType::Other {
            continue;
        }
        // Added tokens too: theirs keep their ids, where Hugging Face's readers number all others anew.
        vocab.insert(token.clone(), json!(id));
        if !matches!(kind, TokenType::Normal | TokenType::Byte) {
            added.push(json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind != TokenType::UserDefined
            }));
        }
    }
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let pre_tokenizer_json = match pre_tokenizer {
        None => Value::Null,
        Some(PreTokenizer::Gpt2) => byte_level(true),
        Some(pre_tokenizer) => {
            let split = |pattern: &&str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
            let splits = pre_tokenizer.patterns().iter().map(split);
            json!({"type": "Sequence", "pretokenizers": splits.chain([byte_level(false)]).collect::<Vec<_>>()})
        }
    };
    let skipped = usize::from(!vocabulary.add_space_prefix);
    let normalizer = match pre_tokenizer {
        None => json!({"type": "Sequence", "normalizers": space_normalizers()[skipped..]}),
        Some(_) if composes => json!({"type": "NFC"}),
        Some(_) => Value::Null,
    };
    let decoder = match pre_tokenizer {
        Some(_) => byte_level(true),
        None => json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1 - skipped, "stop": 0}
        ]}),
    };
    let is_sentencepiece = pre_tokenizer.is_none();
    let unknown = vocabulary
        .unknown_id
        .map(|id| &vocabulary.tokens[id as usize]);
    let merges: Vec<Vec<&str>> = vocabulary
        .merges
        .iter()
        .map(|merge| merge.split(' ').collect())
        .collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer_json, "post_processor": null, "decoder": decoder,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": is_sentencepiece, "byte_fallback": is_sentencepiece,
            "ignore_merges": pre_tokenizer.is_some_and(PreTokenizer::takes_whole_words), "vocab": vocab, "merges": merges
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
