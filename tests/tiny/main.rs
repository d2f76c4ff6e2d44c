//! A tiny pair of ours, committed with what the CPU twin made of it, so that a machine without the
//! reference folder notices when a result changes. The twin's own arithmetic is checked against
//! values of others in `tests/fixtures`; here it guards against change, and serves as a small real
//! pair for tests of the latent path.
//!
//! `tests/data/tiny-target.gguf` and `tiny-generator.gguf` are random weights from a fixed seed;
//! `tiny.json` holds the requests and the twin's results. All three are written by
//! `cargo test --test tiny -- --ignored`, which is needed only when the format changes.

#![cfg(not(target_arch = "wasm32"))]

mod build;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use semcot::formats::gguf::Header;
use semcot::formats::source::{ByteSource, FileSource, MemorySource, SourceError};
use semcot::model::run::{Execute, GeneratorInput, Report, Request};
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{KvType, Model, Sampling, read_weights};
use semcot::reference::{ExecutorOptions, PairExecutor};
use semcot::tokenizer::Tokenizer;
use semcot::weights::WeightType;
use serde::{Deserialize, Serialize};

/// f32 results of f64 sums differ between machines by the last bits of `exp` and of the order of
/// sums: below 1e-6 here, where a wrong step changes logits by more than 1e-2.
const TOLERANCE: f64 = 1e-5;

/// The question of the implicit request, and its number of implicit tokens.
const QUESTION: [u32; 5] = [3, 17, 40, 8, 22];
const IMPLICIT_TOKENS: u32 = 3;
const MAX_TOKENS: u32 = 12;

/// What the twin gave, with f32 keys and values.
#[derive(Debug, Deserialize, Serialize)]
struct Expected {
    /// Logits behind the question alone.
    last_logits: Vec<f32>,
    /// `[IMPLICIT_TOKENS, hidden_size of the target]`.
    implicit_tokens: Vec<f32>,
    /// Tokens written behind question, implicit tokens and answer prompt.
    written: Vec<u32>,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn pair() -> PairExecutor {
    let target = FileSource::open(&data("tiny-target.gguf")).unwrap();
    let generator = FileSource::open(&data("tiny-generator.gguf")).unwrap();
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: None,
    };
    pollster::block_on(PairExecutor::load(&target, &generator, options)).unwrap()
}

fn implicit_request() -> Request {
    let thoughts = std::iter::repeat_n(build::THOUGHT_TOKEN, IMPLICIT_TOKENS as usize);
    let marks = std::iter::repeat_n(EMBEDDING_GIVEN, IMPLICIT_TOKENS as usize);
    let question = QUESTION.into_iter();
    Request {
        generator: Some(GeneratorInput {
            ids: question.clone().chain(thoughts).collect(),
            first_row: QUESTION.len() as u32,
            count: IMPLICIT_TOKENS,
            target_row: QUESTION.len() as u32,
            passes: 1,
        }),
        target_ids: question.chain(marks).chain([build::ANSWER_TOKEN]).collect(),
        max_tokens: MAX_TOKENS,
        end_token: u32::MAX,
        tokens_per_submit: 5,
        sampling: Sampling::default(),
    }
}

fn run(pair: &mut PairExecutor, request: &Request) -> Report {
    let mut go_on = |_: &[u32]| ControlFlow::Continue(());
    pollster::block_on(pair.run(request, &mut go_on)).unwrap()
}

fn results(pair: &mut PairExecutor) -> Expected {
    let request = implicit_request();
    Expected {
        last_logits: pair.target().last_logits(&QUESTION, &[]).unwrap(),
        implicit_tokens: pair.implicit_tokens(&request).unwrap(),
        written: run(pair, &request).token_ids,
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
    differences.fold(0.0, |max, it| if it <= max { max } else { it })
}

#[test]
fn the_tiny_pair_gives_what_it_gave() {
    let expected = std::fs::read(data("tiny.json")).unwrap();
    let expected: Expected = serde_json::from_slice(&expected).unwrap();
    let found = results(&mut pair());
    let logits = largest_difference(&found.last_logits, &expected.last_logits);
    let rows = largest_difference(&found.implicit_tokens, &expected.implicit_tokens);
    println!("logits within {logits:.1e}, implicit tokens within {rows:.1e}");
    assert!(logits <= TOLERANCE && rows <= TOLERANCE);
    assert_eq!(found.written, expected.written);
}

#[test]
fn the_committed_files_are_those_that_the_seed_makes() {
    for (name, file) in build::files() {
        assert_eq!(std::fs::read(data(name)).unwrap(), file, "{name}");
    }
}

#[test]
fn a_run_reads_the_rows_that_the_generator_made() {
    let mut pair = pair();
    let request = implicit_request();
    let given = pair.implicit_tokens(&request).unwrap();
    let logits = pair
        .target()
        .last_logits(&request.target_ids, &given)
        .unwrap();
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = token;
        }
    }
    let report = run(&mut pair, &request);
    assert_eq!(report.token_ids[0] as usize, best);
    assert_eq!(report.token_ids.len(), MAX_TOKENS as usize);
    assert_eq!(
        (report.target_passes, report.generator_passes),
        (MAX_TOKENS, 1)
    );

    let changed: Vec<f32> = given.iter().map(|it| it + 0.5).collect();
    let others = pair
        .target()
        .last_logits(&request.target_ids, &changed)
        .unwrap();
    assert!(
        largest_difference(&logits, &others) > 1e-2,
        "the rows make no difference"
    );
}

#[test]
fn implicit_tokens_are_projected_hidden_states_of_the_thoughts() {
    let file = std::fs::read(data("tiny-generator.gguf")).unwrap();
    let header = Header::parse(&file).unwrap();
    let values = |name: &str| {
        let tensor = header.tensor(name).unwrap();
        let raw = &file[tensor.offset as usize..][..tensor.size_bytes as usize];
        WeightType::of_tensor(tensor).unwrap().dequantize(raw)
    };
    let weight = values("semcot.projection.weight");
    let bias = values("semcot.projection.bias");

    let mut pair = pair();
    let request = implicit_request();
    let input = request.generator.as_ref().unwrap();
    let generator = pair.generator().unwrap();
    let width = generator.model().config.hidden_size;
    let hidden = generator.hidden_states(&input.ids, &[]).unwrap();
    let thoughts = &hidden[QUESTION.len() * width..];
    let mut expected = Vec::new();
    for thought in thoughts.chunks_exact(width) {
        for (row, bias) in weight.chunks_exact(width).zip(&bias) {
            let products = row
                .iter()
                .zip(thought)
                .map(|(&w, &x)| f64::from(w) * f64::from(x));
            expected.push((products.sum::<f64>() + f64::from(*bias)) as f32);
        }
    }
    let found = pair.implicit_tokens(&request).unwrap();
    assert!(largest_difference(&found, &expected) <= TOLERANCE);
}

#[test]
fn weights_are_read_from_front_to_back_and_the_same_in_chunks_of_any_size() {
    let source = ForwardOnly {
        file: MemorySource::new("tiny", std::fs::read(data("tiny-target.gguf")).unwrap()),
        end: Cell::new(0),
    };
    let model = pollster::block_on(Model::open(&source)).unwrap();
    let read = |chunk_bytes| {
        source.end.set(0);
        let list = &model.weights.list;
        let mut weights: Vec<_> = list
            .iter()
            .map(|it| vec![f32::NAN; it.rows * it.cols])
            .collect();
        let reading = read_weights(&source, &model, chunk_bytes, |chunk| {
            let weight = model.weights.get(chunk.weight);
            let values = weight.weight_type.dequantize(&chunk.raw);
            assert_eq!(values.len(), chunk.rows * weight.cols);
            let first = chunk.first_row * weight.cols;
            weights[chunk.weight.0][first..first + values.len()].copy_from_slice(&values);
        });
        pollster::block_on(reading).unwrap();
        weights
    };
    let whole = read(1 << 20);
    assert!(
        whole.iter().flatten().all(|it| it.is_finite()),
        "a row is missing"
    );
    assert_eq!(read(1), whole);
    assert_eq!(read(1000), whole);
}

/// A source that can only be read forwards.
struct ForwardOnly {
    file: MemorySource,
    end: Cell<u64>,
}

impl ByteSource for ForwardOnly {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.file.size_bytes()
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        assert!(offset >= self.end.get(), "reads byte {offset} again");
        self.end.set(offset + len as u64);
        self.file.read(offset, len).await
    }
}

#[test]
fn each_token_decoded_is_the_one_that_reading_anew_would_choose() {
    let mut pair = pair();
    let written = run(&mut pair, &implicit_request()).token_ids;
    let given = pair.implicit_tokens(&implicit_request()).unwrap();
    let mut ids = implicit_request().target_ids;
    for token in written {
        let logits = pair.target().last_logits(&ids, &given).unwrap();
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(logits[token as usize], largest);
        ids.push(token);
    }
}

#[test]
fn a_run_stops_at_the_end_token_and_when_the_caller_says_so() {
    let mut pair = pair();
    let all = run(&mut pair, &implicit_request()).token_ids;
    let mut request = implicit_request();
    request.end_token = all[4];
    let first = all.iter().position(|&it| it == all[4]).unwrap();
    assert_eq!(run(&mut pair, &request).token_ids, all[..=first]);

    let request = implicit_request();
    let mut stop = |_: &[u32]| ControlFlow::Break(());
    let report = pollster::block_on(pair.run(&request, &mut stop)).unwrap();
    assert_eq!(report.token_ids, all[..request.tokens_per_submit as usize]);
}

#[test]
fn a_request_that_does_not_fit_is_refused_by_name() {
    let mut pair = pair();
    type Breaks = fn(&mut Request);
    let refusals: [(&str, Breaks); 8] = [
        ("request_empty", |it| it.max_tokens = 0),
        ("request_empty", |it| it.target_ids.clear()),
        ("request_too_long", |it| it.max_tokens = u32::MAX),
        ("request_token", |it| {
            it.target_ids[0] = build::VOCAB_SIZE as u32
        }),
        ("request_given", |it| it.generator = None),
        ("request_given", |it| it.target_ids[0] = EMBEDDING_GIVEN),
        ("request_rows", |it| {
            it.generator.as_mut().unwrap().first_row += 1
        }),
        ("request_rows", |it| {
            it.generator.as_mut().unwrap().target_row = u32::MAX
        }),
    ];
    for (code, breaks) in refusals {
        let mut request = implicit_request();
        breaks(&mut request);
        let mut go_on = |_: &[u32]| ControlFlow::Continue(());
        let refusal = pollster::block_on(pair.run(&request, &mut go_on)).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
    }
}

#[test]
fn the_tokenizer_is_read_from_the_file() {
    let pair = &mut pair();
    let tokenizer = Tokenizer::from_vocabulary(pair.target().model().vocabulary().unwrap());
    let tokenizer = tokenizer.unwrap();
    assert_eq!(
        tokenizer.encode_prompt("CAB<answer>"),
        [2, 43, build::ANSWER_TOKEN]
    );
}

#[test]
fn two_models_that_do_not_meet_are_refused() {
    let target = || FileSource::open(&data("tiny-target.gguf")).unwrap();
    let options = ExecutorOptions::default();
    let pair = pollster::block_on(PairExecutor::load(&target(), &target(), options));
    assert_eq!(pair.err().unwrap().code(), "model_missing_tensor");
}

#[test]
#[ignore = "writes tests/data; run when the format changes"]
fn write_the_tiny_pair() {
    for (name, file) in build::files() {
        std::fs::write(data(name), file).unwrap();
    }
    let json = serde_json::to_string(&results(&mut pair())).unwrap();
    std::fs::write(data("tiny.json"), json + "\n").unwrap();
}
