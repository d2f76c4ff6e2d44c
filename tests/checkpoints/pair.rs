//! From checkpoints as the authors save them to a model folder that answers, by the command.

use std::path::Path;
use std::process::{Command, Output};

use semcot::formats::gguf::read_header;
use semcot::formats::manifest::{ImplicitFrom, Manifest};
use semcot::formats::source::{ByteSource, FileSource};
use serde_json::{Value, json};

use super::torch::{self, Saved};

const VOCAB: usize = 257;
const TARGET_HIDDEN: usize = 32;
const GENERATOR_HIDDEN: usize = 16;
const WIDE: usize = 40;
const SENTENCE: usize = 12;

/// Numbers that look random.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|it| ((it * 7919 + seed * 104_729) % 255) as f32 / 512.0 - 0.25)
        .collect()
}

fn tensor(all: &mut Vec<Saved>, name: &str, shape: &[usize]) {
    let values = values(shape.iter().product(), all.len());
    all.push(Saved::f32(name, shape, &values));
}

fn layers(all: &mut Vec<Saved>, root: &str, count: usize, hidden: usize) {
    for layer in 0..count {
        for (name, rows, cols) in [
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", hidden / 2, hidden),
            ("self_attn.v_proj", hidden / 2, hidden),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.gate_proj", WIDE, hidden),
            ("mlp.up_proj", WIDE, hidden),
            ("mlp.down_proj", hidden, WIDE),
        ] {
            let name = format!("{root}layers.{layer}.{name}.weight");
            tensor(all, &name, &[rows, cols]);
        }
        for name in ["input_layernorm", "post_attention_layernorm"] {
            tensor(
                all,
                &format!("{root}layers.{layer}.{name}.weight"),
                &[hidden],
            );
        }
    }
    tensor(all, &format!("{root}norm.weight"), &[hidden]);
}

fn model(rows: usize, hidden: usize) -> Vec<Saved> {
    let mut all = Vec::new();
    tensor(&mut all, "model.embed_tokens.weight", &[rows, hidden]);
    layers(&mut all, "model.", 2, hidden);
    all
}

fn generator() -> Vec<Saved> {
    let mut all = model(VOCAB + 1, GENERATOR_HIDDEN);
    let shape = [TARGET_HIDDEN, GENERATOR_HIDDEN];
    tensor(&mut all, "projection_layer.weight", &shape);
    tensor(&mut all, "projection_layer.bias", &shape[..1]);
    all
}

/// Bytes as the characters that byte-level tokenizers write them with.
fn byte_vocabulary() -> serde_json::Map<String, Value> {
    let plain = |it: u32| matches!(it, 33..=126 | 161..=172 | 174..=255);
    let mut next = 256;
    let mut vocabulary = serde_json::Map::new();
    for byte in 0..256u32 {
        let code = if plain(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        let text = char::from_u32(code).unwrap().to_string();
        vocabulary.insert(text, json!(byte));
    }
    vocabulary
}

/// What a folder of a base model has beside its tensors.
fn write_settings(folder: &Path, hidden: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let config = json!({
        "model_type": "llama", "hidden_size": hidden, "intermediate_size": WIDE,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 512, "tie_word_embeddings": true,
        "eos_token_id": 256
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{"id": 256, "content": "</s>", "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
            "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false,
            "vocab": byte_vocabulary(), "merges": []}
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

fn semcot(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semcot"));
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = semcot(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = semcot(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn tensor_bytes(path: &Path, name: &str) -> Vec<u8> {
    let source = FileSource::open(path).unwrap();
    let header = pollster::block_on(read_header(&source)).unwrap();
    let tensor = header.tensor(name).unwrap();
    pollster::block_on(source.read(tensor.offset, tensor.size_bytes as usize)).unwrap()
}

#[test]
fn checkpoints_of_the_authors_become_a_folder_that_answers() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    write_settings(&folder.join("base-target"), TARGET_HIDDEN);
    write_settings(&folder.join("base-generator"), GENERATOR_HIDDEN);
    let target = torch::file(&model(VOCAB, TARGET_HIDDEN));
    let target_path = folder.join("base-target/pytorch_model.bin");
    std::fs::write(target_path, target).unwrap();
    std::fs::write(folder.join("generator.pt"), torch::file(&generator())).unwrap();
    let mut sentence = Vec::new();
    layers(&mut sentence, "", 1, TARGET_HIDDEN);
    let shape = [SENTENCE, TARGET_HIDDEN];
    tensor(&mut sentence, "embedding_projection.weight", &shape);
    tensor(&mut sentence, "embedding_projection.bias", &shape[..1]);
    std::fs::write(folder.join("sentence.pt"), torch::file(&sentence)).unwrap();

    let message = fails(folder, &["convert", "generator.pt", "--out", "out"]);
    assert!(message.contains("config.json"), "{message}");
    let to = ["--out", "out", "--quant", "F32", "--role"];
    let run = |source: &str, role: &str, more: &[&str]| {
        let arguments = [&["convert", source], &to[..], &[role], more].concat();
        succeeds(folder, &arguments)
    };
    let said = run(
        "sentence.pt",
        "sentence-transformer",
        &["--base", "base-target"],
    );
    assert!(said.contains("no pair yet"), "{said}");
    run("base-target", "target", &[]);
    let base = ["--base", "base-generator"];
    let without_prompts = [&["convert", "generator.pt"], &to[..], &["generator"], &base].concat();
    let message = fails(folder, &without_prompts);
    assert!(message.contains("--prompts"), "{message}");
    run(
        "generator.pt",
        "generator",
        &["--base", "base-generator", "--prompts", "small"],
    );

    let out = folder.join("out");
    let manifest = std::fs::read(out.join("semcot.json")).unwrap();
    let manifest = Manifest::parse(&manifest).unwrap();
    assert_eq!(manifest.prompts.question, "Question: ");
    assert_eq!(manifest.prompts.answer, "\n Answer:");
    assert_eq!(manifest.end_token, "</s>");
    assert_eq!(manifest.implicit_from, ImplicitFrom::LastQuestionToken);
    assert!(manifest.files.sentence_transformer.is_some());

    let saved = generator();
    let projection = &saved[saved.len() - 2].bytes;
    let written = tensor_bytes(&out.join("generator.gguf"), "semcot.projection.weight");
    assert!(written == *projection, "the projection is another");
    let source = FileSource::open(&out.join("generator.gguf")).unwrap();
    let header = pollster::block_on(read_header(&source)).unwrap();
    let thought = header.metadata.required_u32("semcot.thought_token_id");
    assert_eq!(
        thought.unwrap() as usize,
        VOCAB,
        "the last row is <thought>"
    );
    let written = tensor_bytes(
        &out.join("sentence_transformer.gguf"),
        "semcot.sentence.bias",
    );
    assert!(written == sentence[sentence.len() - 1].bytes);

    for mode in ["implicit", "direct", "explicit"] {
        let arguments = [
            "ask",
            "What is 2 + 3?",
            "--model",
            "out",
            "--mode",
            mode,
            "--device",
            "cpu",
        ];
        succeeds(folder, &arguments);
    }

    // The folder's prompts stay where a part is converted anew.
    run("generator.pt", "generator", &base);
    let again = std::fs::read(out.join("semcot.json")).unwrap();
    assert_eq!(Manifest::parse(&again).unwrap(), manifest);

    // A target in many files replaces the one in one file, and answers the same.
    let ask = || {
        let question = ["ask", "What is 2 + 3?", "--model", "out", "--device", "cpu"];
        let answer = succeeds(folder, &[&question[..], &["--json"]].concat());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["modes"]["implicit"]["token_ids"].clone()
    };
    let answered = ask();
    run("base-target", "target", &["--shard-bytes", "8000"]);
    assert!(
        !out.join("target.gguf").exists(),
        "one folder has one target"
    );
    let split = std::fs::read(out.join("semcot.json")).unwrap();
    let split = Manifest::parse(&split).unwrap().files.target;
    assert!(split.path.starts_with("target-00001-of-"), "{}", split.path);
    assert!(split.rest.len() > 1, "{:?}", split.rest);
    assert!(answered.is_array());
    assert_eq!(ask(), answered);
    succeeds(folder, &["tokenize", "--model", "out", "2 + 3"]);

    let last = out.join(&split.rest.last().unwrap().path);
    let mut bytes = std::fs::read(&last).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&last, bytes).unwrap();
    let message = fails(folder, &["ask", "2 + 3?", "--model", "out"]);
    assert!(
        message.contains(&split.rest.last().unwrap().path),
        "{message}"
    );
    assert!(message.contains("SHA-256"), "{message}");
    run("base-target", "target", &[]);
    let files = Manifest::parse(&std::fs::read(out.join("semcot.json")).unwrap()).unwrap();
    assert_eq!(files, manifest, "and back again");
    assert!(!last.exists());
}

#[test]
fn a_checkpoint_of_the_projection_alone_takes_its_layers_from_the_base() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let base = folder.join("base");
    write_settings(&base, GENERATOR_HIDDEN);
    let (mut layers, mut projection) = (generator(), Vec::new());
    projection.extend(layers.split_off(layers.len() - 2));
    std::fs::write(base.join("pytorch_model.bin"), torch::file(&layers)).unwrap();
    std::fs::write(folder.join("alone.pt"), torch::file(&projection)).unwrap();
    std::fs::write(folder.join("whole.pt"), torch::file(&generator())).unwrap();
    let convert = |source: &str, out: &str| {
        let arguments = [
            "convert",
            source,
            "--out",
            out,
            "--role",
            "generator",
            "--base",
            "base",
        ];
        succeeds(folder, &arguments);
        let path = folder.join(out).join("generator.gguf");
        [
            "token_embd.weight",
            "blk.1.attn_q.weight",
            "semcot.projection.weight",
        ]
        .map(|it| tensor_bytes(&path, it))
    };
    assert!(convert("alone.pt", "a") == convert("whole.pt", "b"));
    let arguments = ["convert", "base", "--out", "c", "--role", "generator"];
    let message = fails(folder, &arguments);
    assert!(message.contains("projection_layer.weight"), "{message}");
}
