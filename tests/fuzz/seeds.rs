//! Writes the seeds of `fuzz/corpus`: `cargo test --test fuzz -- --ignored`.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use semcot::convert::sentencepiece;
use semcot::problems::{Family, Settings, Split, generate};
use semcot::tokenizer::{Tokenizer, train_tokenizer};
use serde_json::json;

use super::corpus;

#[path = "../tiny/build.rs"]
#[allow(dead_code)]
mod build;
#[path = "../checkpoints/torch.rs"]
#[allow(dead_code)]
mod torch;

fn write(parser: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = corpus(parser);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

#[test]
#[ignore = "writes fuzz/corpus; run when a format changes"]
fn the_seeds_are_written() {
    for (name, bytes) in build::files() {
        write("gguf", name, bytes);
    }
    write("safetensors", "types.safetensors", safetensors_file());
    write("pickle", "types.pt", pickle_file());
    write("manifest", "pair.json", shipped("models/mini/semcot.json"));
    for (name, tokenizer) in tokenizers() {
        write("tokenizer_json", name, tokenizer.to_json());
    }
    write("sentencepiece", "bytes.model", sentencepiece_model());
    for (model_type, config) in configs() {
        write("config_json", &format!("{model_type}.json"), config);
    }
    for (name, text) in questions() {
        write("questions", name, text);
    }
}

fn shipped(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn safetensors_file() -> Vec<u8> {
    let bytes: Vec<u8> = (0..24).collect();
    let tensor = |dtype, shape: &[usize], len: usize| {
        TensorView::new(dtype, shape.to_vec(), &bytes[..len]).unwrap()
    };
    let tensors = [
        ("model.embed_tokens.weight", tensor(Dtype::F32, &[2, 3], 24)),
        ("model.norm.weight", tensor(Dtype::F16, &[3], 6)),
        ("lm_head.weight", tensor(Dtype::BF16, &[2, 1, 3], 12)),
        ("mask", tensor(Dtype::I64, &[2], 16)),
    ];
    safetensors::serialize(tensors, None).unwrap()
}

fn pickle_file() -> Vec<u8> {
    let mut tensors = [
        torch::Saved::f32("model.embed_tokens.weight", &[2, 3], &[0.5; 6]),
        torch::Saved::new("model.norm.weight", "HalfStorage", &[3], vec![60; 6], 2),
        torch::Saved::f32("view", &[2], &[1.0, 2.0, 3.0, 4.0]),
    ];
    tensors[0].parameter = true;
    tensors[2].first = 1;
    torch::file(&tensors)
}

fn tokenizers() -> [(&'static str, Tokenizer); 2] {
    let texts = ["Mia has 12 apples and gives 3 away.", "They have apples."];
    let texts = texts.map(String::from).into_iter();
    let byte_level = train_tokenizer(texts, 270, &["<eos>", "<answer>"]).unwrap();
    let mut vocabulary = sentencepiece::read(&sentencepiece_model()).unwrap();
    vocabulary.merges = ["a p", "\u{2581} a", "\u{2581}a p"]
        .map(String::from)
        .into();
    vocabulary.scores.clear();
    let sentencepiece = Tokenizer::from_vocabulary(vocabulary).unwrap();
    [
        ("byte-level.json", byte_level),
        ("sentencepiece.json", sentencepiece),
    ]
}

/// Pieces with scores and types, every byte, and the settings that are read.
fn sentencepiece_model() -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length < 128, "one byte of a length holds 7 bits");
        [&[number << 3 | 2, length], bytes].concat()
    };
    let mut pieces = vec![("<unk>".to_owned(), 0f32, 2)];
    pieces.extend([("<s>", 3), ("</s>", 3)].map(|(it, kind)| (it.to_owned(), 0.0, kind)));
    pieces.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
    let words = ["\u{2581}", "a", "p", "ap", "\u{2581}a", "\u{2581}ap"];
    pieces.extend(
        (0u8..)
            .zip(words)
            .map(|(at, it)| (it.to_owned(), -f32::from(at), 1)),
    );
    let mut file = Vec::new();
    for (text, score, kind) in pieces {
        let mut piece = field(1, text.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend(score.to_le_bytes());
        piece.extend([3 << 3, kind]);
        file.extend(field(1, &piece));
    }
    // Trainer: type BPE (field 3), byte fallback (field 35). Normalizer: a space in front.
    file.extend(field(2, &[3 << 3, 2, 0x98, 2, 1]));
    file.extend(field(3, &[3 << 3, 1]));
    file
}

fn configs() -> Vec<(&'static str, String)> {
    let config = |model_type: &'static str| {
        let mut config = json!({
            "model_type": model_type, "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "rms_norm_eps": 1e-5, "max_position_embeddings": 128,
            "tie_word_embeddings": false, "hidden_act": "silu", "rope_theta": 10000.0,
            "vocab_size": 300
        });
        if model_type == "llama" {
            config["rope_scaling"] = json!({
                "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 32
            });
        }
        if model_type == "mistral" {
            config["sliding_window"] = json!(64);
        }
        (model_type, config.to_string())
    };
    ["llama", "mistral", "qwen2", "qwen3"].map(config).to_vec()
}

fn questions() -> [(&'static str, String); 3] {
    let item = json!({"question": "2 and 3?", "answer": "It is 5. #### 5"});
    let settings = Settings::default();
    let drawn = generate(Family::Coin, Split::Train, 1, &settings)
        .unwrap()
        .take(2);
    let lines = drawn.map(|it| serde_json::to_string(&it).unwrap() + "\n");
    [
        ("lines.jsonl", lines.collect()),
        (
            "list.json",
            json!([item, {"query": "q", "answer": "yes"}]).to_string(),
        ),
        ("examples.json", json!({"examples": [item]}).to_string()),
    ]
}
