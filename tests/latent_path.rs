//! The whole way of a question on the device at hand against the same way on the CPU twin: the
//! generator's hidden states, logits behind given embeddings, and the tokens that are written.
//! The same cases run natively (`cargo test`) and in a browser (`wasm-pack test`).
//!
//! Not for the size of single errors: that is `tests/fixtures`, against values of others.

mod cases;

use std::ops::ControlFlow;
use std::sync::Arc;

use cases::cases;
use semcot::formats::manifest::Manifest;
use semcot::formats::source::MemorySource;
use semcot::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair};
use semcot::model::run::{Execute, GeneratorInput, Inspect, Request};
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{Head, KvType, Model, Sampling};
use semcot::reasoning::inspect::{Compare, Vector};
use semcot::reasoning::loading::{load_on_cpu, load_on_gpu};
use semcot::reasoning::{AskError, AskOptions, InspectOptions, Mode, Pair};
use semcot::reference::{Executor, ExecutorOptions, PairExecutor};
#[cfg(not(target_arch = "wasm32"))]
use semcot::{
    gpu::{Halves, Layout, Products, Reduce},
    problems::{Family, Settings, Split, generate},
};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

const TINY_TARGET: &[u8] = include_bytes!("data/tiny-target.gguf");
const TINY_GENERATOR: &[u8] = include_bytes!("data/tiny-generator.gguf");
const MANIFEST: &[u8] = include_bytes!("../models/mini/semcot.json");
const TARGET: &[u8] = include_bytes!("../models/mini/target.gguf");
const GENERATOR: &[u8] = include_bytes!("../models/mini/generator.gguf");
const SENTENCE_TRANSFORMER: &[u8] = include_bytes!("../models/mini/sentence_transformer.gguf");

/// f32 on both sides, sums in f32 against sums in f64: 1e-5 is seen on software adapters; a wrong
/// step moves logits by more than 1e-2.
const TOLERANCE: f32 = 5e-4;

const QUESTION: [u32; 5] = [3, 17, 40, 8, 22];
const IMPLICIT_TOKENS: u32 = 3;
const THOUGHT_TOKEN: u32 = 47;

fn source(name: &str, bytes: &[u8]) -> MemorySource {
    MemorySource::new(name, bytes.to_vec())
}

async fn gpu() -> Arc<Gpu> {
    let gpu = Gpu::new(GpuOptions::default()).await;
    gpu.map(Arc::new).expect("an adapter")
}

async fn on_gpu(gpu: &Arc<Gpu>, bytes: &[u8]) -> GpuModel {
    let source = source("model.gguf", bytes);
    let model = Model::open(&source).await.expect("a model");
    let options = GpuModelOptions {
        kv: KvType::F32,
        ..GpuModelOptions::default()
    };
    GpuModel::load(gpu.clone(), model, &source, options)
        .await
        .expect("it fits")
}

const ON_CPU: ExecutorOptions = ExecutorOptions {
    kv_type: KvType::F32,
    positions: None,
};

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_near(what, found, expected, TOLERANCE);
}

async fn states_and_logits() {
    let gpu = gpu().await;
    let generator = on_gpu(&gpu, TINY_GENERATOR).await;
    let twin_source = source("tiny-generator.gguf", TINY_GENERATOR);
    let mut twin = Executor::load(&twin_source, ON_CPU).await.expect("a model");
    let states = generator
        .forward(&QUESTION, &[], Head::HiddenStates.into())
        .await
        .expect("a pass");
    let expected = twin.hidden_states(&QUESTION, &[]).expect("a pass");
    assert_close("hidden states", &states, &expected);

    let target = on_gpu(&gpu, TINY_TARGET).await;
    let twin_source = source("tiny-target.gguf", TINY_TARGET);
    let mut twin = Executor::load(&twin_source, ON_CPU).await.expect("a model");
    let logits = target
        .forward(&QUESTION, &[], Head::LastLogits.into())
        .await
        .expect("a pass");
    let expected = twin.last_logits(&QUESTION, &[]).expect("a pass");
    assert_close("logits", &logits, &expected);
}

/// A pair of files on the device and on the twin.
async fn executors(target: &'static [u8], generator: &'static [u8]) -> (GpuPair, PairExecutor) {
    let gpu = gpu().await;
    let models = (on_gpu(&gpu, target).await, on_gpu(&gpu, generator).await);
    let pair = GpuPair::new(models.0, Some(models.1)).await;
    let (target, generator) = (source("target", target), source("generator", generator));
    let twin = PairExecutor::load(&target, &generator, ON_CPU).await;
    (pair.expect("a pair"), twin.expect("a pair"))
}

async fn written_tokens() {
    let (mut on_gpu, mut on_cpu) = executors(TINY_TARGET, TINY_GENERATOR).await;
    let thoughts = std::iter::repeat_n(THOUGHT_TOKEN, IMPLICIT_TOKENS as usize);
    let given = std::iter::repeat_n(EMBEDDING_GIVEN, IMPLICIT_TOKENS as usize);
    let mut of_passes: Vec<(u32, Vec<f32>)> = Vec::new();
    for (tokens_per_submit, passes) in [(1, 1), (5, 1), (16, 1), (16, 2), (5, 4)] {
        let request = Request {
            generator: Some(GeneratorInput {
                ids: QUESTION.into_iter().chain(thoughts.clone()).collect(),
                first_row: QUESTION.len() as u32,
                count: IMPLICIT_TOKENS,
                target_row: QUESTION.len() as u32,
                passes,
            }),
            target_ids: QUESTION
                .into_iter()
                .chain(given.clone())
                .chain([46])
                .collect(),
            max_tokens: 12,
            end_token: u32::MAX,
            tokens_per_submit,
            sampling: Sampling::default(),
        };
        let mut go_on = |_: &[u32]| ControlFlow::Continue(());
        let found = Execute::run(&mut on_gpu, &request, &mut go_on)
            .await
            .expect("a run");
        let expected = on_cpu.run(&request, &mut go_on).await.expect("a run");
        assert_eq!(found.token_ids, expected.token_ids, "K {tokens_per_submit}");
        assert_eq!(found.generator_passes, passes);
        assert_eq!(found.submits, found.read_backs, "passes go with one submit");
        let tokens = Inspect::implicit_tokens(&mut on_gpu, &request).await;
        let expected = Inspect::implicit_tokens(&mut on_cpu, &request).await;
        let (tokens, expected) = (tokens.expect("a run"), expected.expect("a run"));
        assert_close("implicit tokens", &tokens, &expected);
        let same = of_passes.iter().find(|(_, it)| *it == expected);
        assert!(same.is_none_or(|(of, _)| *of == passes), "{passes} passes");
        of_passes.push((passes, expected));
        let most = 12_u32.div_ceil(tokens_per_submit) + 1;
        assert!(
            found.read_backs <= most,
            "{} read-backs for 12 tokens, K {tokens_per_submit}",
            found.read_backs
        );
    }
}

/// A question of more than one piece, so that the rows read again lie within the last one.
async fn passes_behind_a_long_question() {
    const LEN: u32 = 300;
    let (mut on_gpu, mut on_cpu) = executors(TARGET, GENERATOR).await;
    let question = (0..LEN).map(|it| (it * 7 + 3) % 1500);
    let with = |id: u32| question.clone().chain(std::iter::repeat_n(id, 4));
    for passes in [1, 3] {
        let request = Request {
            generator: Some(GeneratorInput {
                ids: with(5).collect(),
                first_row: LEN,
                count: 4,
                target_row: LEN,
                passes,
            }),
            target_ids: with(EMBEDDING_GIVEN).chain([46]).collect(),
            max_tokens: 1,
            end_token: u32::MAX,
            tokens_per_submit: 1,
            sampling: Sampling::default(),
        };
        let found = Inspect::implicit_tokens(&mut on_gpu, &request).await;
        let expected = Inspect::implicit_tokens(&mut on_cpu, &request).await;
        let (found, expected) = (found.expect("a run"), expected.expect("a run"));
        assert_close("implicit tokens", &found, &expected);
    }
}

/// The shipped pair on the device and on the twin.
async fn shipped_pairs(gpu: Arc<Gpu>, kv: KvType) -> (Pair<GpuPair>, Pair<PairExecutor>) {
    let manifest = Manifest::parse(MANIFEST).expect("the shipped manifest");
    let (target, generator) = (
        source("target.gguf", TARGET),
        source("generator.gguf", GENERATOR),
    );
    let on_gpu = GpuModelOptions {
        kv,
        ..GpuModelOptions::default()
    };
    let on_cpu = ExecutorOptions {
        kv_type: kv,
        ..ON_CPU
    };
    let on_gpu = load_on_gpu(gpu, &manifest, &target, &generator, on_gpu).await;
    let on_cpu = load_on_cpu(&manifest, &target, &generator, on_cpu).await;
    (on_gpu.expect("it loads"), on_cpu.expect("it loads"))
}

/// With everything that a graphics card may earn, f16 keys and products of bytes among it: what
/// these round is less than what the answers hang on.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_kernels_of_graphics_cards_answer_as_the_twin_does() {
    const PROBLEMS: usize = 30;
    let options = GpuOptions {
        layout: Some(Layout {
            reduce: Reduce::Subgroup,
            halves: Halves::Native,
            products: Products::Bytes,
        }),
        ..GpuOptions::default()
    };
    let gpu = pollster::block_on(Gpu::new(options)).expect("an adapter");
    let pairs = shipped_pairs(Arc::new(gpu), KvType::F16);
    let (mut on_gpu, mut on_cpu) = pollster::block_on(pairs);
    let settings = Settings::default();
    let problems = generate(Family::Arithmetic, Split::Heldout, 7, &settings).expect("sound");
    let options = AskOptions::new(Mode::Implicit);
    let go_on = |_| ControlFlow::Continue(());
    for problem in problems.take(PROBLEMS) {
        let found = pollster::block_on(on_gpu.ask(&problem.query, &options, go_on));
        let expected = pollster::block_on(on_cpu.ask(&problem.query, &options, go_on));
        let (found, expected) = (found.expect("an answer"), expected.expect("an answer"));
        assert_eq!(found.token_ids, expected.token_ids, "{}", problem.query);
    }
}

async fn shipped_answers() {
    let (mut on_gpu, mut on_cpu) = shipped_pairs(gpu().await, KvType::F32).await;
    let question = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
    for mode in Mode::ALL {
        let options = AskOptions::new(mode);
        let go_on = |_| ControlFlow::Continue(());
        let found = on_gpu
            .ask(question, &options, go_on)
            .await
            .expect("an answer");
        let expected = on_cpu
            .ask(question, &options, go_on)
            .await
            .expect("an answer");
        assert_eq!(found.token_ids, expected.token_ids, "{mode}");
        assert!(found.ended, "{mode} ends by itself");
    }
}

/// The sentence transformer on hidden states of the target and on implicit tokens, embeddings of words,
/// and all that is told of a question's implicit tokens.
async fn looked_at() {
    let manifest = Manifest::parse(MANIFEST).expect("the shipped manifest");
    let (target, generator, sentence) = (
        source("target.gguf", TARGET),
        source("generator.gguf", GENERATOR),
        source("sentence_transformer.gguf", SENTENCE_TRANSFORMER),
    );
    let options = GpuModelOptions {
        kv: KvType::F32,
        ..GpuModelOptions::default()
    };
    let on_gpu = load_on_gpu(gpu().await, &manifest, &target, &generator, options);
    let mut on_gpu = on_gpu.await.expect("the shipped pair");
    let on_cpu = load_on_cpu(&manifest, &target, &generator, ON_CPU);
    let mut on_cpu = on_cpu.await.expect("the shipped pair");

    let question = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
    let options = InspectOptions {
        implicit_tokens: None,
        nearest: 5,
        compare: Some(Compare {
            reasoning: None,
            bank: (1..40).map(|n| format!("{n} + 4 = {}", n + 4)).collect(),
        }),
    };
    let refused = on_gpu.inspect(question, &options).await.unwrap_err();
    assert!(refused.to_string().contains("no sentence transformer"));
    // Another model's file, and one that was trained on a target of another width.
    let refused = on_gpu.executor().load_sentence_transformer(&target).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("semcot.sentence.weight"), "{refused}");
    let (narrow, its) = (
        source("tiny-target.gguf", TINY_TARGET),
        source("tiny-generator.gguf", TINY_GENERATOR),
    );
    let mut other = PairExecutor::load(&narrow, &its, ON_CPU)
        .await
        .expect("a pair");
    let refused = other.load_sentence_transformer(&sentence).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("embedding_length of the sentence transformer"),
        "{refused}"
    );

    let loaded = on_gpu.executor().load_sentence_transformer(&sentence).await;
    loaded.expect("the shipped file");
    let loaded = on_cpu.executor().load_sentence_transformer(&sentence).await;
    loaded.expect("the shipped file");

    // One step, several, and nearly as many tokens as are embedded at a time.
    let texts: Vec<String> = [1, 7, 28].map(|words| "5 + 2 = 7; ".repeat(words)).into();
    let found = on_gpu.embed(&texts).await.expect("embeddings");
    let expected = on_cpu.embed(&texts).await.expect("embeddings");
    for (found, expected) in found.iter().zip(&expected) {
        assert_near("a text's embedding", found, expected, 1e-4);
    }
    assert!(cosine(&found[0], &found[2]) < 0.999, "texts differ");

    let found = on_gpu.inspect(question, &options).await.expect("a look");
    let expected = on_cpu.inspect(question, &options).await.expect("a look");
    assert_eq!(found.implicit_tokens, manifest.implicit_tokens);
    assert_near("implicit tokens", &found.values, &expected.values, 1e-4);
    assert_eq!(found.vocabulary, expected.vocabulary);
    for (found, expected) in found.vectors.iter().zip(&expected.vectors) {
        assert!((found.norm - expected.norm).abs() < 1e-4);
        let ids = |it: &Vector| it.nearest.iter().map(|it| it.token).collect::<Vec<_>>();
        assert_eq!(ids(found), ids(expected));
        assert!(found.nearest.is_sorted_by(|a, b| a.cosine >= b.cosine));
    }
    for (index, row) in found.cosines.iter().enumerate() {
        assert!((row[index] - 1.0).abs() < 1e-6);
    }
    let (found, expected) = (found.alignment.unwrap(), expected.alignment.unwrap());
    assert_eq!(found.reasoning, expected.reasoning);
    assert!(found.reasoning.ends_with("7 + 2 = 9."));
    assert_eq!(found.rank, expected.rank);
    assert_eq!(found.ranking.len(), 40);
    assert!((found.cosine - expected.cosine).abs() < 1e-4);
    let options = AskOptions::new(Mode::Implicit);
    let again = on_gpu.ask(question, &options, |_| ControlFlow::Continue(()));
    assert_eq!(again.await.expect("an answer").answer, "9");

    for (text, tokens) in [("", 0), (&"7 ".repeat(600)[..], 600)] {
        match on_gpu.embed(&[text.to_owned()]).await.unwrap_err() {
            AskError::TextLength { tokens: found, .. } => assert!(found >= tokens),
            other => panic!("{other}"),
        }
    }
}

fn assert_near(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}[{index}]: {found} on the GPU, {expected} on the CPU"
        );
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

cases! {
    the_gpu_computes_the_states_and_logits_of_its_twin: states_and_logits();
    the_gpu_writes_the_tokens_of_its_twin_for_every_k: written_tokens();
    passes_behind_a_question_of_two_pieces_are_those_of_the_twin: passes_behind_a_long_question();
    the_shipped_pair_answers_alike_on_both: shipped_answers();
    implicit_tokens_look_alike_on_both: looked_at();
}
