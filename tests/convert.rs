//! `semcot convert` against values that others computed from the same Hugging Face folders
//! (`semcot/` of the reference folder, see `tests/fixtures`), and on folders of its own.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use semcot::convert::{ConvertOptions, Role, convert};
use semcot::formats::gguf::{open_files, read_header};
use semcot::formats::safetensors::SafetensorsFile;
use semcot::formats::source::{ByteSource, FileSource};
use semcot::model::{KvType, Model};
use semcot::reference::{Executor, ExecutorOptions};
use semcot::tokenizer::Tokenizer;
use semcot::weights::WeightType;
use serde_json::{Value, json};

fn options(weight_type: WeightType) -> ConvertOptions {
    ConvertOptions {
        weight_type,
        shard_bytes: None,
        stem: "model".into(),
        base: None,
        tokenizer: None,
        role: Role::Model,
    }
}

fn twin(source: &impl ByteSource) -> Executor {
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: Some(64),
    };
    pollster::block_on(Executor::load(source, options)).unwrap()
}

fn reference_folder() -> Option<PathBuf> {
    let named = std::env::var_os("SEMCOT_FIXTURES").map(PathBuf::from);
    let root = named
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"))
        .join("semcot");
    root.is_dir().then_some(root)
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_converted_target_has_the_hidden_states_of_the_published_code() {
    let Some(root) = reference_folder() else {
        println!("no reference folder here, nothing checked");
        return;
    };
    let mut checked = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let pair = entry.unwrap().path();
        if !pair.join("manifest.json").is_file() {
            continue;
        }
        let config = json_file(&pair.join("target/config.json"));
        if !config["head_dim"].as_u64().unwrap().is_multiple_of(4) {
            println!(
                "{}: passed over, head_dim is no multiple of 4",
                pair.display()
            );
            continue;
        }
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path();
        let converted = convert(&pair.join("target"), out, &options(WeightType::F32)).unwrap();
        let source = pollster::block_on(open_files(&converted.files[0])).unwrap();
        checked += check_hidden_states(&pair, &mut twin(&source));
    }
    println!("{checked} hidden states are those of the published code");
    assert!(checked > 0, "the reference folder holds nothing to check");
}

fn check_hidden_states(pair: &Path, executor: &mut Executor) -> usize {
    let expected = SafetensorsFile::open(&pair.join("expected/forward.safetensors")).unwrap();
    let manifest = json_file(&pair.join("manifest.json"));
    let data = json_file(&pair.join("data.json"));
    let layer = manifest["settings"]["sentence_transformer"]["hidden_state"]
        .as_u64()
        .unwrap();
    let mut checked = 0;
    for array in manifest["arrays"].as_array().unwrap() {
        let name = array["tensor"].as_str().unwrap();
        let Some(item) = name.strip_prefix("target_hidden.reasoning.") else {
            continue;
        };
        let item: usize = item.parse().unwrap();
        let ids = data["items"][item]["target_reasoning_ids"].as_array();
        let ids: Vec<u32> = ids
            .unwrap()
            .iter()
            .map(|it| it.as_u64().unwrap() as u32)
            .collect();
        let found = executor.residual(&ids, &[], layer as usize).unwrap();
        let expected = expected.values(name).unwrap().values;
        assert_eq!(found.len(), expected.len(), "{name}");
        let pairs = found.iter().zip(&expected);
        let largest = pairs.fold(0f32, |max, (a, b)| max.max((a - b).abs()));
        let tolerance = array["tolerance"].as_f64().unwrap();
        assert!(
            f64::from(largest) <= tolerance,
            "{name}: {largest} above {tolerance}"
        );
        checked += 1;
    }
    checked
}

/// Numbers that look random, each exact in bfloat16.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|it| ((it * 7919 + seed * 104_729) % 255) as f32 / 512.0 - 0.25)
        .collect()
}

const HIDDEN: usize = 64;
const WIDE: usize = 96;
const VOCAB: usize = 48;
const LAYERS: usize = 3;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 8;

/// A checkpoint in two shards, the first F32, the second BF16.
fn write_checkpoint(folder: &Path, model_type: &str) -> HashMap<String, (Vec<usize>, Vec<f32>)> {
    let mut tensors: Vec<(String, Vec<usize>)> = vec![
        ("model.embed_tokens.weight".into(), vec![VOCAB, HIDDEN]),
        ("model.norm.weight".into(), vec![HIDDEN]),
        ("lm_head.weight".into(), vec![VOCAB, HIDDEN]),
    ];
    let (queries, keys) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        };
        add("input_layernorm.weight", &[HIDDEN]);
        add("post_attention_layernorm.weight", &[HIDDEN]);
        for (name, rows) in [("q", queries), ("k", keys), ("v", keys)] {
            add(&format!("self_attn.{name}_proj.weight"), &[rows, HIDDEN]);
            if model_type == "qwen2" {
                add(&format!("self_attn.{name}_proj.bias"), &[rows]);
            }
            if model_type == "qwen3" && name != "v" {
                add(&format!("self_attn.{name}_norm.weight"), &[HEAD_DIM]);
            }
        }
        add("self_attn.o_proj.weight", &[HIDDEN, queries]);
        add("mlp.gate_proj.weight", &[WIDE, HIDDEN]);
        add("mlp.up_proj.weight", &[WIDE, HIDDEN]);
        add("mlp.down_proj.weight", &[HIDDEN, WIDE]);
    }
    let mut all = HashMap::new();
    let mut weight_map = serde_json::Map::new();
    let half = tensors.len() / 2;
    for (shard, part) in [&tensors[..half], &tensors[half..]].into_iter().enumerate() {
        let file = format!("model-0000{}-of-00002.safetensors", shard + 1);
        let mut stored = Vec::new();
        for (name, shape) in part {
            let values = values(shape.iter().product(), all.len());
            let (dtype, bytes): (_, Vec<u8>) = match shard {
                0 => (
                    Dtype::F32,
                    values.iter().flat_map(|it| it.to_le_bytes()).collect(),
                ),
                _ => {
                    let halves = values
                        .iter()
                        .map(|it| half::bf16::from_f32(*it).to_le_bytes());
                    (Dtype::BF16, halves.flatten().collect())
                }
            };
            stored.push((name.clone(), dtype, shape.clone(), bytes));
            weight_map.insert(name.clone(), json!(file));
            all.insert(name.clone(), (shape.clone(), values));
        }
        let views = stored.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        safetensors::serialize_to_file(views, None, &folder.join(file)).unwrap();
    }
    let index = json!({"weight_map": weight_map}).to_string();
    std::fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    let config = json!({
        "model_type": model_type, "hidden_size": HIDDEN, "intermediate_size": WIDE,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM, "rms_norm_eps": 1e-5, "max_position_embeddings": 128,
        "tie_word_embeddings": false, "hidden_act": "silu", "rope_theta": 10000.0,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32
        }
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    all
}

#[test]
fn tensors_hold_ggmls_quantization_of_the_checkpoints_rows() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let tensors = write_checkpoint(folder, "llama");
    for weight_type in [WeightType::Q8_0, WeightType::Q4_0, WeightType::BF16] {
        let converted = convert(folder, &folder.join("out"), &options(weight_type)).unwrap();
        let source = FileSource::open(&converted.files[0]).unwrap();
        let header = pollster::block_on(read_header(&source)).unwrap();
        assert_eq!(
            header.tensors.len(),
            tensors.len() + 1,
            "and rope_freqs.weight"
        );
        let (_, down) = &tensors["model.layers.1.mlp.down_proj.weight"];
        let (_, query) = &tensors["model.layers.2.self_attn.q_proj.weight"];
        // Row 2i of a head in the file is its row i, row 2i + 1 its row i + half.
        let turned: Vec<f32> = (0..HEADS * HEAD_DIM)
            .flat_map(|row| {
                let (head, place) = (row / HEAD_DIM, row % HEAD_DIM);
                let from = head * HEAD_DIM + place / 2 + place % 2 * (HEAD_DIM / 2);
                query[from * HIDDEN..][..HIDDEN].to_vec()
            })
            .collect();
        for (name, values, cols) in [
            ("blk.1.ffn_down.weight", down, WIDE),
            ("blk.2.attn_q.weight", &turned, HIDDEN),
        ] {
            let tensor = header.tensor(name).unwrap();
            assert_eq!(tensor.tensor_type.name, weight_type.name());
            let read = source.read(tensor.offset, tensor.size_bytes as usize);
            let found = pollster::block_on(read).unwrap();
            assert!(found == weight_type.quantize(values, cols), "{name}");
        }
    }
}

#[test]
fn a_split_file_computes_what_the_whole_file_computes() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    write_checkpoint(folder, "llama");
    let whole = convert(folder, &folder.join("whole"), &options(WeightType::Q4_0)).unwrap();
    let split_options = ConvertOptions {
        shard_bytes: Some(20_000),
        ..options(WeightType::Q4_0)
    };
    let split = convert(folder, &folder.join("split"), &split_options).unwrap();
    assert!(split.files.len() > 2, "{:?}", split.files);
    let name = split.files[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        name,
        format!("model-00001-of-{:05}.gguf", split.files.len())
    );
    let ids = [1, 17, 5, 40];
    let source = pollster::block_on(open_files(&whole.files[0])).unwrap();
    let expected = twin(&source).logits(&ids, &[]).unwrap();
    for named in &split.files[..2] {
        let source = pollster::block_on(open_files(named)).unwrap();
        assert_eq!(twin(&source).logits(&ids, &[]).unwrap(), expected);
    }

    // A file of another model in between is noticed.
    std::fs::copy(&split.files[0], &split.files[1]).unwrap();
    let error = pollster::block_on(open_files(&split.files[0])).unwrap_err();
    assert!(error.to_string().contains("split.no"), "{error}");
}

#[test]
fn every_architecture_becomes_a_model_that_loads() {
    for architecture in ["llama", "mistral", "qwen2", "qwen3"] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        write_checkpoint(folder, architecture);
        let converted = convert(folder, &folder.join("out"), &options(WeightType::Q4_K)).unwrap();
        let source = FileSource::open(&converted.files[0]).unwrap();
        pollster::block_on(Model::open(&source)).unwrap();
    }
}

/// The tokenizers of the reference folder, from `tokenizer.json` through a converted model.
#[test]
fn a_converted_tokenizer_gives_the_ids_of_its_gguf_file() {
    let Some(root) = reference_folder() else {
        println!("no reference folder here, nothing checked");
        return;
    };
    let mut checked = 0;
    for kind in ["llama-bpe", "qwen2", "llama-spm", "gpt2-pre"] {
        let reference = root.join("../gguf").join(kind);
        let name = format!("{kind}-F16.gguf");
        let original = FileSource::open(&reference.join(name)).unwrap();
        let original = pollster::block_on(Model::open(&original)).unwrap();
        let expected = Tokenizer::from_vocabulary(original.vocabulary().unwrap()).unwrap();

        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        write_checkpoint(folder, "llama");
        widen_vocabulary(folder, expected.vocab_size());
        std::fs::copy(
            reference.join("tokenizer.json"),
            folder.join("tokenizer.json"),
        )
        .unwrap();
        let converted = convert(folder, &folder.join("out"), &options(WeightType::F16)).unwrap();
        assert_eq!(converted.without_tokenizer, None, "{kind}");
        let source = FileSource::open(&converted.files[0]).unwrap();
        let model = pollster::block_on(Model::open(&source)).unwrap();
        let found = Tokenizer::from_vocabulary(model.vocabulary().unwrap()).unwrap();
        for text in [
            "Hello, world!",
            "12345 apples\n\tand a pear",
            "na\u{ef}ve \u{1f600}",
            " ",
        ] {
            assert_eq!(
                found.encode_text(text),
                expected.encode_text(text),
                "{kind}: {text:?}"
            );
            checked += 1;
        }
    }
    println!("{checked} texts have the same ids");
}

/// Gives a checkpoint an embedding table and a head of `rows` rows, in a shard of their own.
fn widen_vocabulary(folder: &Path, rows: usize) {
    let index = folder.join("model.safetensors.index.json");
    let mut map = json_file(&index);
    let file = "model-00003-of-00003.safetensors";
    let bytes: Vec<u8> = values(rows * HIDDEN, 5)
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    let view = || TensorView::new(Dtype::F32, vec![rows, HIDDEN], &bytes).unwrap();
    let names = ["model.embed_tokens.weight", "lm_head.weight"];
    safetensors::serialize_to_file(names.map(|it| (it, view())), None, &folder.join(file)).unwrap();
    // The first file that names a tensor counts, so this one goes first.
    std::fs::rename(folder.join(file), folder.join("a.safetensors")).unwrap();
    for name in names {
        map["weight_map"][name] = json!("a.safetensors");
    }
    std::fs::write(&index, map.to_string()).unwrap();
}

#[test]
fn what_cannot_be_converted_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    write_checkpoint(folder, "qwen2");
    let config = folder.join("config.json");
    let good = json_file(&config);
    let refused = |key: &str, value: Value, named: &str| {
        let mut changed = good.clone();
        changed[key] = value;
        std::fs::write(&config, changed.to_string()).unwrap();
        let out = folder.join("out");
        let error = convert(folder, &out, &options(WeightType::F16)).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert!(!out.exists() || std::fs::read_dir(&out).unwrap().next().is_none());
    };
    refused("model_type", json!("gpt2"), "gpt2");
    refused("model_type", json!("llama"), "bias");
    refused("num_hidden_layers", json!(4), "layers.3");
    refused("num_hidden_layers", json!(1u64 << 60), "num_hidden_layers");
    refused("hidden_size", json!(65), "embed_tokens");
    refused("hidden_size", json!(-1), "hidden_size");
    refused(
        "rope_scaling",
        json!({"type": "yarn", "factor": 4.0}),
        "yarn",
    );
    refused("hidden_act", json!("gelu"), "gelu");

    std::fs::write(&config, good.to_string()).unwrap();
    let shard = folder.join("model-00002-of-00002.safetensors");
    let bytes = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &bytes[..bytes.len() - 1]).unwrap();
    let error = convert(folder, &folder.join("out"), &options(WeightType::F16)).unwrap_err();
    assert_eq!(error.code(), "safetensors_format", "{error}");
}
