//! The tokenizer against the ids of the fixtures: llama.cpp's for GGUF metadata, Hugging Face's for tokenizer.json.

use std::path::{Path, PathBuf};

use semcot::formats::gguf::Header;
use semcot::model::read_vocabulary;
use semcot::tokenizer::Tokenizer;
use serde_json::Value;

fn fixtures() -> PathBuf {
    std::env::var_os("SEMCOT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    )
}

/// The tokenizer files.
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
    let kinds: Vec<Value> = files.collect();
    assert!(
        !kinds.is_empty(),
        "no kind to check in {}",
        folder.display()
    );
    kinds
}

fn from_gguf(kind: &Value) -> Tokenizer {
    let path = fixtures().join(kind["gguf"].as_str().expect("a path"));
    // Only the tokenizer is read: the weights may be of any type.
    let header = Header::parse(&std::fs::read(path).expect("readable")).expect("a GGUF file");
    let tables = read_vocabulary(&header.metadata, None).expect("a vocabulary");
    Tokenizer::from_vocabulary(tables).expect("a tokenizer")
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
                // Where bytes are incomplete, reference decoders disagree on how much of what came
                // before they spoil; a stream has given it out and holds the rest back.
                let complete = prefix.trim_end_matches('\u{fffd}');
                match complete.len() == prefix.len() {
                    true => assert_eq!(text, prefix, "{}", kind["kind"]),
                    false => assert!(text.starts_with(complete), "{text:?} {prefix:?}"),
                }
                assert!(!text.contains('\u{fffd}'), "{text:?}");
            }
            text.push_str(&stream.finish());
            assert_eq!(text, tokenizer.decode(&ids(&case["ids"])));
        }
    }
}

#[test]
fn text_comes_back_from_its_ids() {
    let mut checked = 0;
    for kind in kinds() {
        let tokenizer = from_gguf(&kind);
        let is_sentencepiece = kind["kind"] == "spm";
        for case in kind["strings"].as_array().expect("strings") {
            let text = case["text"].as_str().expect("a text");
            let decoded = tokenizer.decode(&tokenizer.encode_text(text));
            // The sign for a space is a space to SentencePiece.
            let expected = match is_sentencepiece {
                true => text.replace('\u{2581}', " "),
                false => text.to_owned(),
            };
            assert_eq!(decoded, expected, "{}", kind["kind"]);
            checked += 1;
        }
    }
    println!("{checked} texts came back");
}

#[test]
fn sequences_begin_and_end_as_the_metadata_says() {
    for kind in kinds() {
        let path = fixtures().join(kind["gguf"].as_str().expect("a path"));
        let header = Header::parse(&std::fs::read(path).expect("readable")).expect("a GGUF file");
        let tables = read_vocabulary(&header.metadata, None).expect("a vocabulary");
        let (begin, end) = (tables.bos_id.expect("one"), tables.eos_id.expect("one"));
        let sequence = |add_bos, add_eos| {
            let mut tables = tables.clone();
            (tables.add_bos, tables.add_eos) = (add_bos, add_eos);
            let tokenizer = Tokenizer::from_vocabulary(tables).expect("a tokenizer");
            tokenizer.as_sequence(&[5, 6])
        };
        assert_eq!(sequence(true, true), [begin, 5, 6, end]);
        assert_eq!(sequence(false, false), [5, 6]);
        let stated = header.metadata.bool("tokenizer.ggml.add_bos_token");
        assert_eq!(Some(tables.add_bos), stated.expect("a truth"));
    }
}
