//! The forward pass and the decode loop on the GPU against the float64 values of the fixtures.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::SafeTensors;
use semcot::formats::source::FileSource;
use semcot::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, ReadBack, Reduce};
use semcot::model::run::Request;
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{ForwardOptions, Head, KvType, Model};
use serde_json::Value;

fn fixtures() -> PathBuf {
    std::env::var_os("SEMCOT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    )
}

/// The tolerance of the fixtures' README: f16 keys and values are rounded to 2^-11 of themselves.
fn tolerance(kv: KvType) -> f64 {
    match kv {
        KvType::F32 => 5e-4,
        KvType::F16 => 1e-2,
    }
}

fn gpu(reduce: Reduce) -> Option<Arc<Gpu>> {
    let options = GpuOptions {
        reduce: Some(reduce),
        ..Default::default()
    };
    let gpu = pollster::block_on(Gpu::new(options)).expect("a device");
    reduce.is_offered(gpu.features()).then(|| Arc::new(gpu))
}

fn load(gpu: &Arc<Gpu>, file: &Path, kv: KvType) -> GpuModel {
    let source = FileSource::open(file).expect("the file is there");
    let model = pollster::block_on(Model::open(&source)).expect("a model");
    let options = GpuModelOptions {
        kv,
        ..Default::default()
    };
    pollster::block_on(GpuModel::load(gpu.clone(), model, &source, options)).expect("it loads")
}

fn ids(value: &Value) -> Vec<u32> {
    let list = value.as_array().expect("a list of ids");
    list.iter()
        .map(|it| it.as_u64().expect("an id") as u32)
        .collect()
}

fn tensor(tensors: &SafeTensors<'_>, name: &Value) -> Vec<f32> {
    let view = tensors
        .tensor(name.as_str().expect("a tensor's name"))
        .expect("the tensor is there");
    view.data()
        .chunks_exact(4)
        .map(|it| f32::from_le_bytes(it.try_into().expect("4 bytes")))
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from((a - b).abs()))
        .fold(0.0, f64::max)
}

fn last_logits(model: &GpuModel, ids: &[u32], given: &[Vec<f32>]) -> Vec<f32> {
    let options = ForwardOptions {
        head: Head::LastLogits,
        layers: None,
    };
    pollster::block_on(model.forward(ids, given, options)).expect("a forward pass")
}

/// A prompt with `rows` inserted before `position`.
fn spliced(prompt: &[u32], position: usize, rows: usize) -> Vec<u32> {
    let mut ids = prompt.to_vec();
    ids.splice(
        position..position,
        std::iter::repeat_n(EMBEDDING_GIVEN, rows),
    );
    ids
}

fn check_greedy(pair: &mut GpuPair, prompt: &[u32], expected: &Value, tolerance: f64, k: u32) {
    let want = ids(&expected["ids"]);
    let request = Request {
        generator: None,
        target_ids: prompt.to_vec(),
        max_tokens: want.len() as u32,
        end_token: u32::MAX,
        tokens_per_submit: k,
    };
    let mut streamed = Vec::new();
    let report = pollster::block_on(pair.run(&request, |tokens| {
        streamed.extend_from_slice(tokens);
        ControlFlow::Continue(())
    }))
    .expect("a run");
    assert_eq!(report.token_ids, streamed);
    assert_eq!(report.token_ids.len(), want.len());
    assert_eq!(report.read_backs, request.max_tokens.div_ceil(k));
    let margins = expected["margins"].as_array().expect("margins");
    let sure = margins
        .iter()
        .take_while(|it| it.as_f64().expect("a number") >= 2.0 * tolerance)
        .count();
    assert!(sure > 0, "no step is sure enough to be compared");
    assert_eq!(report.token_ids[..sure], want[..sure]);
}

#[test]
fn llama_bpe_is_computed_as_in_float64() {
    let folder = fixtures().join("gguf/llama-bpe");
    let manifest = std::fs::read(folder.join("manifest.json")).expect("the manifest is there");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let bytes = std::fs::read(folder.join("expected.safetensors")).expect("the values are there");
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let prompts = manifest["prompts"].as_object().expect("prompts");
    let mut checked = 0;
    for gpu in Reduce::ALL.into_iter().filter_map(gpu) {
        for name in ["F32", "F16", "Q8_0"] {
            let name = format!("llama-bpe-{name}.gguf");
            let expected = &manifest["files"][&name];
            for kv in [KvType::F32, KvType::F16] {
                let tolerance = tolerance(kv);
                let model = load(&gpu, &folder.join(&name), kv);
                for (prompt, prompt_ids) in prompts {
                    let got = last_logits(&model, &ids(prompt_ids), &[]);
                    let want = tensor(&tensors, &expected["last"][prompt]);
                    let difference = largest_difference(&got, &want);
                    assert!(difference <= tolerance, "{name} {prompt}: {difference}");
                    checked += 1;
                }
                for splice in expected["splice"].as_array().expect("splices") {
                    let prompt = ids(&prompts[splice["prompt"].as_str().expect("a prompt")]);
                    let rows = tensor(&tensors, &splice["rows"]);
                    let given: Vec<_> = rows
                        .chunks_exact(model.config().hidden_size)
                        .map(<[f32]>::to_vec)
                        .collect();
                    let position = splice["position"].as_u64().expect("a position") as usize;
                    let got = last_logits(&model, &spliced(&prompt, position, given.len()), &given);
                    let want = tensor(&tensors, &splice["dequant_last"]);
                    let difference = largest_difference(&got, &want);
                    assert!(difference <= tolerance, "{name} {splice}: {difference}");
                    checked += 1;
                }
                let mut pair =
                    pollster::block_on(GpuPair::new(model, None, ReadBack::Await)).expect("a pair");
                for (prompt, greedy) in expected["greedy"].as_object().expect("greedy runs") {
                    for k in [1, 7, 32] {
                        check_greedy(&mut pair, &ids(&prompts[prompt]), greedy, tolerance, k);
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 0, "nothing was checked");
    println!("{checked} values agree");
}
