//! The tokenizer against the ids of the fixtures: llama.cpp's for GGUF metadata, Hugging Face's for tokenizer.json.

use std::path::{Path, PathBuf};

use semcot::formats::gguf::{Header, Metadata};
use semcot::tokenizer::{Tokenizer, Vocabulary};
use serde_json::Value;

fn fixtures() -> PathBuf {
    std::env::var_os("SEMCOT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    )
}

/// The tokenizer files whose kind is read here: all but SentencePiece.
fn kinds() -> Vec<Value> {
    let folder = fixtures().join("tokenizers");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("no fixtures in {}: nothing is checked", folder.display());
        return Vec::new();
    };
    let read = |path: &Path| -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("JSON")
    };
    let files = files.map(|file| read(&file.expect("listed").path()));
    let kinds: Vec<Value> = files.filter(|kind| kind["kind"] != "spm").collect();
    assert!(
        !kinds.is_empty(),
        "no kind to check in {}",
        folder.display()
    );
    kinds
}

fn vocabulary(metadata: &Metadata) -> Vocabulary {
    let text = |key: &str| {
        metadata
            .str(key)
            .expect("a text")
            .unwrap_or_default()
            .to_owned()
    };
    let strings = |key: &str| metadata.required_strings(key).expect("texts").to_vec();
    Vocabulary {
        model: text("tokenizer.ggml.model"),
        pre: text("tokenizer.ggml.pre"),
        tokens: strings("tokenizer.ggml.tokens"),
        token_types: metadata
            .integers("tokenizer.ggml.token_type")
            .expect("numbers")
            .unwrap_or_default()
            .to_vec(),
        merges: strings("tokenizer.ggml.merges"),
        eos_id: metadata.u32("tokenizer.ggml.eos_token_id").expect("an id"),
        bos_id: metadata.u32("tokenizer.ggml.bos_token_id").expect("an id"),
        add_bos: false,
    }
}

fn from_gguf(kind: &Value) -> Tokenizer {
    let path = fixtures().join(kind["gguf"].as_str().expect("a path"));
    let header = Header::parse(&std::fs::read(path).expect("readable")).expect("a GGUF file");
    Tokenizer::from_vocabulary(vocabulary(&header.metadata)).expect("a tokenizer")
}

fn from_json(kind: &Value) -> Tokenizer {
    let path = fixtures().join(kind["tokenizer_json"].as_str().expect("a path"));
    Tokenizer::from_json(&std::fs::read(path).expect("readable")).expect("a tokenizer")
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .expect("ids")
        .iter()
        .map(|id| id.as_u64().expect("an id") as u32)
        .collect()
}

#[test]
fn gguf_metadata_gives_the_ids_of_llama_cpp_with_and_without_special_tokens() {
    for kind in kinds() {
        let tokenizer = from_gguf(&kind);
        for case in kind["strings"].as_array().expect("strings") {
            let text = case["text"].as_str().expect("a text");
            assert_eq!(
                tokenizer.encode_prompt(text),
                ids(&case["llama_cpp"]),
                "{} {text:?}",
                kind["kind"]
            );
            assert_eq!(
                tokenizer.encode_text(text),
                ids(&case["llama_cpp_no_special"]),
                "{} {text:?}",
                kind["kind"]
            );
        }
    }
}

#[test]
fn tokenizer_json_gives_the_ids_of_hugging_face() {
    for kind in kinds() {
        let tokenizer = from_json(&kind);
        let written = Tokenizer::from_json(tokenizer.to_json().as_bytes()).expect("what we write");
        for case in kind["strings"].as_array().expect("strings") {
            let text = case["text"].as_str().expect("a text");
            assert_eq!(
                tokenizer.encode_prompt(text),
                ids(&case["hf"]),
                "{} {text:?}",
                kind["kind"]
            );
            assert_eq!(
                written.encode_prompt(text),
                ids(&case["hf"]),
                "{} {text:?}",
                kind["kind"]
            );
        }
    }
}

#[test]
fn streamed_text_is_each_prefix_without_its_unfinished_character() {
    for kind in kinds() {
        let tokenizer = from_gguf(&kind);
        for case in kind["streaming"].as_array().expect("cases") {
            let mut stream = tokenizer.stream();
            let mut text = String::new();
            let prefixes = case["prefixes"].as_array().expect("prefixes");
            for (id, prefix) in ids(&case["ids"]).into_iter().zip(prefixes) {
                text.push_str(&stream.push(id));
                let prefix = prefix.as_str().expect("a text");
                assert_eq!(
                    text,
                    prefix.trim_end_matches('\u{fffd}'),
                    "{}",
                    kind["kind"]
                );
            }
            text.push_str(&stream.finish());
            assert_eq!(text, tokenizer.decode(&ids(&case["ids"])));
        }
    }
}
