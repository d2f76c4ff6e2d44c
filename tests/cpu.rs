//! The engine of browsers without WebGPU against its twin: products of every weight type, and the
//! whole way of a question. Natively and, by wasm SIMD, in a browser (`npm test -- --only wasm`).
//!
//! Not for whole models of every architecture: those are `tests/fixtures`.

mod cases;

use std::cell::Cell;
use std::ops::ControlFlow;

use cases::cases;
use semcot::cpu::{CpuModel, CpuModelOptions, CpuPair, Matrix, NoPause, Pause, Scratch, product};
use semcot::formats::manifest::Manifest;
use semcot::formats::source::MemorySource;
use semcot::model::run::{Execute, GeneratorInput, Inspect, Request};
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{Head, KvType, Model, RequestError, Sampling};
use semcot::reasoning::loading::{load_on_cpu, load_on_simd};
use semcot::reasoning::{AskOptions, Mode};
use semcot::reference::{Executor, ExecutorOptions, PairExecutor};
use semcot::weights::WeightType;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

const TINY_TARGET: &[u8] = include_bytes!("data/tiny-target.gguf");
const TINY_GENERATOR: &[u8] = include_bytes!("data/tiny-generator.gguf");
const MANIFEST: &[u8] = include_bytes!("../models/mini/semcot.json");
const TARGET: &[u8] = include_bytes!("../models/mini/target.gguf");
const SENTENCE_TRANSFORMER: &[u8] = include_bytes!("../models/mini/sentence_transformer.gguf");
const GENERATOR: &[u8] = include_bytes!("../models/mini/generator.gguf");

/// A product may differ from f64 by the rounding of activations, at most 2^-16 of the largest one
/// (here 1) for each weight, in the worst of signs: 2^-16 times the sum of |w| in its row, and for
/// sums in f32 a few times 2^-24 of the sum of |w x|.
const ROUNDING: f64 = 1.0 / (1 << 16) as f64 + 8.0 / (1 << 24) as f64;

fn source(name: &str, bytes: &[u8]) -> MemorySource {
    MemorySource::new(name, bytes.to_vec())
}

/// Values between -1 and 1 that follow no pattern.
fn scattered(seed: u32, len: usize) -> Vec<f32> {
    let value = |it: u32| (it.wrapping_mul(2_654_435_761) ^ seed).wrapping_mul(0x9e37_79b9) >> 8;
    let values = (1..=len as u32).map(|it| value(it) as f32 / (1 << 23) as f32 - 1.0);
    values.collect()
}

async fn products() {
    let mut scratch = Scratch::default();
    for &weight_type in WeightType::ALL {
        // Groups of four rows, and a rest; for floats a rest of columns too.
        let cols = if weight_type.block_len() == 1 {
            45
        } else {
            512
        };
        for (rows, x_rows) in [(1, 1), (6, 1), (8, 3), (7, 4), (5, 9)] {
            let raw = weight_type.quantize(&scattered(7, rows * cols), cols);
            let weights = weight_type.dequantize(&raw);
            let mut matrix = Matrix::new(weight_type, rows, cols);
            let (first, rest) = raw.split_at(weight_type.row_bytes(cols) * (rows / 2));
            matrix.set_rows(0, first);
            matrix.set_rows(rows / 2, rest);
            let expected_bytes = Matrix::bytes_of(weight_type, rows, cols);
            assert_eq!(
                matrix.size_bytes(),
                expected_bytes,
                "{}",
                weight_type.name()
            );
            let mut row = vec![0.0; cols];
            matrix.row(rows - 1, &mut row);
            assert_eq!(row, weights[(rows - 1) * cols..], "{}", weight_type.name());

            let x = scattered(11, x_rows * cols);
            let mut found = vec![f32::NAN; x_rows * rows];
            product(&matrix, &x, &mut found, &mut scratch);
            for (index, &found) in found.iter().enumerate() {
                let (x_row, row) = (index / rows, index % rows);
                let weights = weights[row * cols..][..cols]
                    .iter()
                    .map(|&it| f64::from(it));
                let x = x[x_row * cols..][..cols].iter().map(|&it| f64::from(it));
                let expected: f64 = weights.clone().zip(x).map(|(w, x)| w * x).sum();
                let bound = ROUNDING * weights.map(f64::abs).sum::<f64>();
                let difference = (f64::from(found) - expected).abs();
                assert!(
                    difference <= bound,
                    "{} {rows} x {cols}, [{x_row}, {row}]: {found}, expected {expected}",
                    weight_type.name()
                );
            }
        }
    }
}

async fn extreme_activations() {
    let mut matrix = Matrix::new(WeightType::Q8_0, 4, 32);
    // Every level -128, which only a file made by others holds: the largest integer sums there are.
    let block: Vec<u8> = [0, 0x3c].into_iter().chain([0x80; 32]).collect();
    matrix.set_rows(0, &block.repeat(4));
    for (value, expected) in [(1e30, -128.0 * 32.0 * 1e30), (1e-30, -128.0 * 32.0 * 1e-30)] {
        let mut found = [0.0; 4];
        product(&matrix, &[value; 32], &mut found, &mut Scratch::default());
        let relative = found.map(|it| (it / expected as f32 - 1.0).abs());
        assert!(relative.iter().all(|&it| it < 1e-5), "{found:?}");
    }
    let mut found = [1.0; 4];
    product(&matrix, &[0.0; 32], &mut found, &mut Scratch::default());
    assert_eq!(found, [0.0; 4]);
}

const KV: CpuModelOptions = CpuModelOptions {
    kv: KvType::F32,
    positions: None,
};
const TWIN_KV: ExecutorOptions = ExecutorOptions {
    kv_type: KvType::F32,
    positions: None,
};

async fn model(bytes: &[u8]) -> CpuModel {
    let source = source("model.gguf", bytes);
    let model = Model::open(&source).await.expect("a model");
    CpuModel::load(model, &source, KV)
        .await
        .expect("its weights")
}

async fn tiny_pair<P: Pause>(pause: P) -> CpuPair<P> {
    let generator = model(TINY_GENERATOR).await;
    CpuPair::new(model(TINY_TARGET).await, Some(generator), pause).expect("a pair")
}

fn question(len: usize, vocabulary: u32) -> Vec<u32> {
    (0..len as u32)
        .map(|it| (it * 7 + 3) % vocabulary)
        .collect()
}

/// Found: below 1e-3, of logits up to 20, as activations are rounded to 16 bits; without a row of the
/// cache they are off by 11.
const TOLERANCE: f32 = 2e-3;

async fn states_in_pieces() {
    let mut pair = CpuPair::new(model(TARGET).await, None, NoPause).expect("a model");
    let twin_source = source("target.gguf", TARGET);
    let mut twin = Executor::load(&twin_source, TWIN_KV)
        .await
        .expect("a model");
    for len in [1, 5, 64, 65, 130] {
        let ids = question(len, 200);
        let found = pair.forward(&ids, &[], Head::AllLogits.into()).await;
        let found = found.expect("a pass").expect("nothing stops it");
        let expected = twin.logits(&ids, &[]).expect("a pass");
        assert_eq!(found.len(), expected.len());
        let pairs = found.iter().zip(&expected);
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest <= TOLERANCE, "{len} tokens: {largest}");
        let last = pair.forward(&ids, &[], Head::LastLogits.into()).await;
        let last = last.expect("a pass").expect("nothing stops it");
        assert_eq!(last, found[found.len() - last.len()..], "{len} tokens");
    }
}

/// A request of the tiny pair with implicit tokens.
fn request(question: Vec<u32>, sampling: Sampling, tokens_per_submit: u32, passes: u32) -> Request {
    let (count, thought_token) = (3, 47);
    let marked = |mark| question.iter().copied().chain(std::iter::repeat_n(mark, 3));
    Request {
        generator: Some(GeneratorInput {
            ids: marked(thought_token).collect(),
            first_row: question.len() as u32,
            count,
            target_row: question.len() as u32,
            passes,
        }),
        target_ids: marked(EMBEDDING_GIVEN).chain([46]).collect(),
        max_tokens: 12,
        end_token: u32::MAX,
        tokens_per_submit,
        sampling,
    }
}

async fn written_tokens() {
    let mut pair = tiny_pair(NoPause).await;
    let mut twin = PairExecutor::load(
        &source("tiny-target.gguf", TINY_TARGET),
        &source("tiny-generator.gguf", TINY_GENERATOR),
        TWIN_KV,
    )
    .await
    .expect("a pair");
    let drawn = Sampling {
        temperature: 0.8,
        top_k: 20,
        top_p: 0.9,
        repetition_penalty: 1.1,
        seed: 5,
        ..Sampling::default()
    };
    for sampling in [Sampling::default(), drawn] {
        for (len, tokens_per_submit, passes) in [(1, 1, 1), (5, 4, 1), (30, 1, 1), (30, 4, 3)] {
            let request = request(question(len, 40), sampling, tokens_per_submit, passes);
            let mut parts = Vec::new();
            let mut listen = |ids: &[u32]| {
                parts.push(ids.to_vec());
                ControlFlow::Continue(())
            };
            let found = pair.run(&request, &mut listen).await.expect("a run");
            let mut go_on = |_: &[u32]| ControlFlow::Continue(());
            let expected = twin.run(&request, &mut go_on).await.expect("a run");
            assert_eq!(found.token_ids, expected.token_ids, "{len} {sampling:?}");
            assert_eq!(parts.concat(), found.token_ids);
            assert_eq!(parts.len(), 12 / tokens_per_submit as usize);
            assert_eq!(found.target_passes, 12);
            assert_eq!(found.generator_passes, passes);
            assert_eq!(expected.generator_passes, passes);
            let found = Inspect::implicit_tokens(&mut pair, &request).await;
            let expected = Inspect::implicit_tokens(&mut twin, &request).await;
            let (found, expected) = (found.expect("a run"), expected.expect("a run"));
            let pairs = found.iter().zip(&expected);
            let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest <= TOLERANCE, "{passes} passes: {largest}");
        }
    }
}

async fn passes_that_cannot_be_are_refused() {
    let mut pair = tiny_pair(NoPause).await;
    let request = |passes| request(question(5, 40), Sampling::default(), 4, passes);
    for passes in [0, 17] {
        let refused = Inspect::implicit_tokens(&mut pair, &request(passes)).await;
        let error = refused.expect_err("so many passes").to_string();
        let expected = format!("the number of the generator's passes is {passes}, ");
        assert!(error.starts_with(&expected), "{error}");
    }
    let mut not_the_last_rows = request(2);
    if let Some(input) = &mut not_the_last_rows.generator {
        input.first_row -= 1;
    }
    let refused = Inspect::implicit_tokens(&mut pair, &not_the_last_rows).await;
    let error = refused.expect_err("rows that others follow");
    assert_eq!(error.code(), "request_option");
}

async fn listeners_end_runs() {
    let mut pair = tiny_pair(NoPause).await;
    let request = request(question(5, 40), Sampling::default(), 4, 1);
    let mut stop = |_: &[u32]| ControlFlow::Break(());
    let report = pair.run(&request, &mut stop).await.expect("a run");
    assert_eq!(report.token_ids.len(), 4);
}

/// Says to stop whenever it is asked, as often as the clock is looked at, and counts.
struct Stop<'a>(&'a Cell<u32>);

impl Pause for Stop<'_> {
    const BETWEEN_MS: f64 = 0.0;

    async fn pause(&mut self) -> ControlFlow<()> {
        self.0.set(self.0.get() + 1);
        ControlFlow::Break(())
    }
}

async fn pauses_end_runs() {
    let asked = Cell::new(0);
    let generator = model(GENERATOR).await;
    let target = model(TARGET).await;
    let mut pair = CpuPair::new(target, Some(generator), Stop(&asked)).expect("a pair");
    let request = Request {
        generator: None,
        target_ids: question(200, 100),
        max_tokens: 50,
        end_token: u32::MAX,
        tokens_per_submit: 1,
        sampling: Sampling::default(),
    };
    let mut go_on = |_: &[u32]| ControlFlow::Continue(());
    for run in 1..=3 {
        let report = pair.run(&request, &mut go_on).await.expect("a run");
        assert!(report.token_ids.len() < 50);
        assert_eq!(asked.get(), run, "a run ends at its first pause");
    }
}

async fn shipped_answers() {
    let manifest = Manifest::parse(MANIFEST).expect("the shipped manifest");
    let target = source("target.gguf", TARGET);
    let generator = source("generator.gguf", GENERATOR);
    let mut pair = load_on_simd(&manifest, &target, &generator, KV, NoPause)
        .await
        .expect("the shipped pair");
    let mut twin = load_on_cpu(&manifest, &target, &generator, TWIN_KV)
        .await
        .expect("the shipped pair");
    let story = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples.";
    let end = "How many apples does Maria have now?";
    let short = format!("{story} {end}");
    // Its prompts are longer than a piece.
    let long = format!("{story} {story} {story} {story} {end}");
    let questions = [&short, &long];
    for (question, mode) in questions
        .into_iter()
        .flat_map(|it| Mode::ALL.map(|mode| (it, mode)))
    {
        let options = AskOptions::new(mode);
        let go_on = |_| ControlFlow::Continue(());
        let found = pair
            .ask(question, &options, go_on)
            .await
            .expect("an answer");
        let expected = twin
            .ask(question, &options, go_on)
            .await
            .expect("an answer");
        assert_eq!(found.token_ids, expected.token_ids, "{mode}");
        assert!(found.ended || question == &long, "{mode} ends by itself");
    }
}

async fn looked_inside() {
    let sentence = source("sentence_transformer.gguf", SENTENCE_TRANSFORMER);
    let generator = model(GENERATOR).await;
    let target = model(TARGET).await;
    let mut pair = CpuPair::new(target, Some(generator), NoPause).expect("a pair");
    let none = pair.embed_texts(&[&[1, 2]]).await.unwrap_err();
    assert_eq!(none, RequestError::NoSentenceTransformer);
    let (target, generator) = (
        source("target.gguf", TARGET),
        source("generator.gguf", GENERATOR),
    );
    let mut twin = PairExecutor::load(&target, &generator, TWIN_KV)
        .await
        .expect("a pair");
    pair.load_sentence_transformer(&sentence)
        .await
        .expect("its weights");
    twin.load_sentence_transformer(&sentence)
        .await
        .expect("its weights");

    // The second is longer than what passes through a causal model at a time.
    let texts = [question(9, 200), question(90, 200)];
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let found = pair.embed_texts(&texts).await.expect("embeddings").concat();
    let expected = twin.embed_texts(&texts).await.expect("embeddings").concat();
    assert_near(&found, &expected, "texts");
    let rows = pair.embeddings(texts[0]).await.expect("rows");
    let expected = twin.embeddings(texts[0]).await.expect("rows");
    assert_eq!(rows, expected);
    let found = pair.embed_rows(&rows).await.expect("an embedding");
    let expected = twin.embed_rows(&rows).await.expect("an embedding");
    assert_near(&found, &expected, "rows");
}

async fn throughputs() {
    let mut pair = CpuPair::new(model(TARGET).await, None, NoPause).expect("a model");
    for &weight_type in WeightType::ALL {
        let measured = pair.matvec_throughput(weight_type, 1).await;
        let measured = measured.expect("the smallest matrix");
        assert_eq!(measured.weight_type, weight_type.name());
        let bytes = Matrix::bytes_of(weight_type, measured.rows, measured.cols);
        assert_eq!(measured.bytes, bytes, "{measured:?}");
        assert!(measured.matvec_ms > 0.0, "{measured:?}");
        let ratio = measured.matvec_gb_per_s / measured.copy_gb_per_s;
        assert!((measured.ratio / ratio - 1.0).abs() < 1e-9, "{measured:?}");
    }
    let large = pair.matvec_throughput(WeightType::Q8_0, 1 << 20).await;
    let large = large.expect("a matrix");
    let share = large.bytes as f64 / f64::from(1 << 20);
    assert!((0.9..=1.0).contains(&share), "{large:?}");

    let asked = Cell::new(0);
    let mut pair = CpuPair::new(model(TARGET).await, None, Stop(&asked)).expect("a model");
    let stopped = pair.matvec_throughput(WeightType::Q4_0, 1 << 24).await;
    assert_eq!(stopped, Err(RequestError::Stopped));
}

/// A pass reads every weight but the rows of the table that it does not look up.
async fn bytes_of_a_pass() {
    let tied = model(TARGET).await;
    assert_eq!(tied.pass_bytes(), tied.size_bytes());
    let weights = &tied.model().weights;
    assert_eq!(weights.main_type(), WeightType::Q8_0);
    let mut untied = weights.clone();
    let read = untied.of_a_pass().count();
    let table = untied.embedding.expect("a target has a table");
    untied.output = semcot::model::step::WeightId(table.0 + 1);
    let left_out: Vec<_> = weights.of_a_pass().filter(|&it| it == table).collect();
    assert_eq!((left_out.len(), untied.of_a_pass().count()), (1, read - 1));
}

fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let pairs = found.iter().zip(expected);
    let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest <= TOLERANCE, "{what}: {largest}");
}

cases! {
    products_of_every_type_are_those_of_f64_but_for_rounding: products();
    the_largest_integer_sums_and_tiny_values_do_not_wrap: extreme_activations();
    prompts_in_pieces_give_the_logits_of_the_twin: states_in_pieces();
    the_tokens_are_those_of_the_twin_greedy_and_drawn: written_tokens();
    a_listener_ends_a_run_between_tokens: listeners_end_runs();
    passes_of_the_generator_that_cannot_be_are_refused: passes_that_cannot_be_are_refused();
    a_pause_ends_a_run_in_the_middle: pauses_end_runs();
    the_shipped_pair_answers_as_on_the_twin: shipped_answers();
    texts_and_rows_are_embedded_as_by_the_twin: looked_inside();
    every_weight_type_has_a_throughput_beside_a_copy_and_a_pause_ends_it: throughputs();
    a_pass_reads_every_weight_but_a_table_of_its_own: bytes_of_a_pass();
}
