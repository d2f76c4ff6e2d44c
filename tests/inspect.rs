//! `semcot inspect` as a person runs it.

#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use semcot::formats::source::FileSource;
use semcot::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, Reduce};
use semcot::model::Model;
use serde_json::Value;

fn tiny_target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny-target.gguf")
}

fn inspect(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semcot"));
    command.arg("inspect").arg(tiny_target()).args(arguments);
    command.output().expect("the command runs")
}

#[test]
fn json_tells_tensors_types_tokenizer_and_the_memory_that_weights_take_on_a_gpu() {
    let output = inspect(&["--json", "--context", "32", "--kv", "f32"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let source = FileSource::open(&tiny_target()).unwrap();
    let model = pollster::block_on(Model::open(&source)).unwrap();
    let config = model.config.clone();
    let tensors = found["tensors"].as_array().unwrap();
    assert_eq!(tensors[0]["name"], "token_embd.weight");
    assert_eq!(tensors[0]["type"], "Q8_0");
    let counts = found["types"].as_object().unwrap().values();
    let counted: u64 = counts.map(|it| it["tensors"].as_u64().unwrap()).sum();
    assert_eq!(counted, tensors.len() as u64);
    assert_eq!(found["parameters"], model.parameters());
    assert_eq!(found["tokenizer"]["tokens"], config.vocab_size);

    let options = GpuOptions {
        layout: Some(Reduce::Workgroup.into()),
        ..GpuOptions::default()
    };
    let gpu = Arc::new(pollster::block_on(Gpu::new(options)).unwrap());
    let options = GpuModelOptions::default();
    let loaded = pollster::block_on(GpuModel::load(gpu, model, &source, options)).unwrap();
    let memory = &found["gpu_memory"];
    assert_eq!(memory["weights"], loaded.size_bytes());
    let cache = config.num_layers * 2 * 32 * config.kv_width() * 4;
    assert_eq!(memory["kv_cache"], cache);
    let parts = ["weights", "kv_cache", "activations"].map(|it| memory[it].as_u64().unwrap());
    assert_eq!(memory["total"], parts.iter().sum::<u64>());
}

#[test]
fn a_context_that_the_model_does_not_have_is_refused() {
    let output = inspect(&["--context", "65"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("65") && error.contains("64"), "{error}");
}
