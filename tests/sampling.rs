//! Sampled runs of the tiny pair's target: the GPU chooses the tokens that the CPU twin chooses, for
//! every seed, way of choosing, layout of the kernel and number of tokens a submit. That the twin
//! chooses as often as the probabilities say is tested beside it (`reference/sample.rs`). The same
//! cases run natively (`cargo test`) and in a browser (`wasm-pack test`): what equals the twin in
//! both is equal in both.

mod cases;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use cases::cases;
use semcot::formats::source::MemorySource;
use semcot::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, Reduce};
use semcot::model::run::{Execute, Request};
use semcot::model::{EndedBy, GenerateOptions, Generated, KvType, Model, Sampling, generate};
use semcot::reference::{ExecutorOptions, PairExecutor};
use semcot::tokenizer::{TokenType, Tokenizer, Vocabulary};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

const TINY_TARGET: &[u8] = include_bytes!("data/tiny-target.gguf");

const PROMPT: [u32; 4] = [3, 17, 40, 8];
/// Of each way; the browser's software adapter takes ten times as long.
const SEEDS: u64 = if cfg!(target_arch = "wasm32") { 2 } else { 6 };
const MAX_TOKENS: u32 = 12;

const PLAIN: Sampling = Sampling {
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.0,
    seed: 0,
};

/// Random weights make flat distributions: high temperatures would hide what the bounds do.
const WAYS: [Sampling; 8] = [
    PLAIN,
    Sampling {
        temperature: 0.3,
        ..PLAIN
    },
    Sampling { top_k: 5, ..PLAIN },
    Sampling {
        top_p: 0.6,
        ..PLAIN
    },
    Sampling {
        min_p: 0.4,
        ..PLAIN
    },
    Sampling {
        temperature: 0.7,
        top_k: 20,
        top_p: 0.9,
        ..PLAIN
    },
    Sampling {
        repetition_penalty: 1.7,
        temperature: 0.4,
        ..PLAIN
    },
    // Greedy but for the penalty.
    Sampling {
        repetition_penalty: 1.7,
        temperature: 0.0,
        ..PLAIN
    },
];

fn target() -> MemorySource {
    MemorySource::new("tiny-target.gguf", TINY_TARGET.to_vec())
}

async fn twin() -> PairExecutor {
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: None,
    };
    let pair = PairExecutor::load_target(&target(), options).await;
    pair.expect("a model")
}

async fn on_gpu(reduce: Reduce) -> GpuPair {
    let options = GpuOptions {
        layout: Some(reduce.into()),
        ..GpuOptions::default()
    };
    let gpu = Gpu::new(options).await.map(Arc::new);
    let source = target();
    let model = Model::open(&source).await.expect("a model");
    let options = GpuModelOptions {
        kv: KvType::F32,
        context_tokens: None,
    };
    let model = GpuModel::load(gpu.expect("an adapter"), model, &source, options).await;
    let pair = GpuPair::new(model.expect("it fits"), None).await;
    pair.expect("a pair")
}

fn request(sampling: Sampling, tokens_per_submit: u32) -> Request {
    Request {
        generator: None,
        target_ids: PROMPT.to_vec(),
        max_tokens: MAX_TOKENS,
        end_token: u32::MAX,
        tokens_per_submit,
        sampling,
    }
}

async fn run<E: Execute>(executor: &mut E, request: Request) -> Vec<u32> {
    let mut go_on = |_: &[u32]| ControlFlow::Continue(());
    let report = executor.run(&request, &mut go_on).await;
    report.expect("a run").token_ids
}

async fn check(reduce: Reduce) {
    let (mut twin, mut gpu) = (twin().await, on_gpu(reduce).await);
    let mut different = BTreeSet::new();
    for way in WAYS {
        for seed in 0..SEEDS {
            let sampling = Sampling { seed, ..way };
            let expected = run(&mut twin, request(sampling, 5)).await;
            let found = run(&mut gpu, request(sampling, 1 + seed as u32 * 2)).await;
            assert_eq!(found, expected, "{sampling:?}");
            different.insert(expected);
        }
    }
    // But for the greedy way, texts differ from seed to seed; some ways agree on a text by chance.
    let most = (WAYS.len() - 1) * SEEDS as usize + 1;
    println!("{} different texts of {most}", different.len());
    assert!(different.len() * 2 > most);
}

async fn one_thread() {
    check(Reduce::Serial).await;
}

async fn a_workgroup() {
    check(Reduce::Workgroup).await;
}

async fn subgroups() {
    let gpu = Gpu::new(GpuOptions::default()).await.expect("an adapter");
    match Reduce::Subgroup.is_offered(gpu.features()) {
        true => check(Reduce::Subgroup).await,
        false => println!("no subgroups here, nothing checked"),
    }
}

async fn out_of_range() {
    let sampling = Sampling {
        top_p: 0.0,
        ..PLAIN
    };
    let mut go_on = |_: &[u32]| ControlFlow::Continue(());
    let refusal = twin().await.run(&request(sampling, 1), &mut go_on).await;
    assert_eq!(refusal.expect_err("top-p 0").code(), "request_option");
}

/// A text of the twin, and the parts in which it was handed over.
async fn text(options: &GenerateOptions) -> (Generated, Vec<String>) {
    text_with(|_| {}, options).await
}

/// The same with other tables of the tokenizer.
async fn text_with(
    change: impl FnOnce(&mut Vocabulary),
    options: &GenerateOptions,
) -> (Generated, Vec<String>) {
    let mut twin = twin().await;
    let mut vocabulary = twin.target().model().vocabulary().expect("tables");
    change(&mut vocabulary);
    let tokenizer = Tokenizer::from_vocabulary(vocabulary).expect("a tokenizer");
    let mut parts = Vec::new();
    let on_text = |part: &str| {
        parts.push(part.to_owned());
        ControlFlow::Continue(())
    };
    let generated = generate(&mut twin, &tokenizer, &PROMPT, options, on_text);
    (generated.await.expect("a text"), parts)
}

async fn stop_strings() {
    let options = GenerateOptions {
        max_tokens: MAX_TOKENS,
        ignores_end: true,
        sampling: Sampling { seed: 3, ..PLAIN },
        ..GenerateOptions::default()
    };
    let (generated, parts) = text(&options).await;
    let whole = generated.text;
    assert_eq!(parts.concat(), whole);
    assert_eq!(generated.ids.len(), MAX_TOKENS as usize);
    assert_eq!(generated.ended_by, EndedBy::Limit);
    // Two characters from the middle, and what begins like them and never comes.
    let characters: Vec<char> = whole.chars().collect();
    let stop: String = characters[6..8].iter().collect();
    let stop_strings = vec![format!("{}~", characters[5]), stop.clone()];
    let at = whole.find(&stop).expect("it is part of it");
    let stopping = GenerateOptions {
        stop_strings,
        ..options
    };
    let (stopped, parts) = text(&stopping).await;
    assert_eq!(stopped.text, whole[..at]);
    assert_eq!(parts.concat(), stopped.text);
    assert!(stopped.ids.len() < MAX_TOKENS as usize);
    assert_eq!(stopped.ended_by, EndedBy::StopString);
}

async fn ends_of_a_turn() {
    let endless = GenerateOptions {
        max_tokens: MAX_TOKENS,
        ignores_end: true,
        sampling: Sampling { seed: 3, ..PLAIN },
        ..GenerateOptions::default()
    };
    let (whole, _) = text(&endless).await;
    let options = GenerateOptions {
        ignores_end: false,
        ..endless.clone()
    };
    // A token that comes for the first time amid the text, under another name.
    let at = (3..whole.ids.len())
        .find(|&at| !whole.ids[..at].contains(&whole.ids[at]))
        .expect("a new token");
    let end = whole.ids[at] as usize;
    let rename = |name: &'static str, token_type: TokenType| {
        move |vocabulary: &mut Vocabulary| {
            vocabulary.eos_id = None;
            vocabulary.token_types.resize(vocabulary.tokens.len(), 1);
            vocabulary.tokens[end] = name.to_owned();
            vocabulary.token_types[end] = token_type.number();
            // They name tokens by their texts, and nothing is encoded here.
            vocabulary.merges.clear();
        }
    };
    let (ended, parts) = text_with(rename("<|im_end|>", TokenType::Control), &options).await;
    assert_eq!(ended.ids, whole.ids[..=at]);
    assert_eq!(ended.ended_by, EndedBy::EndToken);
    assert_eq!(parts.concat(), ended.text);
    // Neither a control token of another name nor a text of this one ends anything.
    for other in [
        rename("<|im_start|>", TokenType::Control),
        rename("<|im_end|>", TokenType::UserDefined),
    ] {
        let (going_on, _) = text_with(other, &options).await;
        assert_eq!(going_on.ids, whole.ids);
    }
    let (going_on, _) = text_with(rename("<|im_end|>", TokenType::Control), &endless).await;
    assert_eq!(going_on.ids, whole.ids);
}

cases! {
    the_gpu_chooses_what_the_twin_chooses_with_one_thread: one_thread();
    the_gpu_chooses_what_the_twin_chooses_with_a_workgroup: a_workgroup();
    the_gpu_chooses_what_the_twin_chooses_with_subgroups: subgroups();
    an_option_out_of_its_range_is_refused_before_anything_runs: out_of_range();
    text_ends_where_a_stop_string_would_stand_and_is_handed_over_without_it: stop_strings();
    text_ends_with_a_control_token_that_ends_turns: ends_of_a_turn();
}
