//! Training by the command: a killed stage goes on to the same bytes, and an exported pair computes what training did.
#![cfg(feature = "train")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burn::Tensor;
use burn::tensor::Device;
use semcot::evaluation::Item;
use semcot::evaluation::run::{Evaluation, Questions};
use semcot::formats::source::FileSource;
use semcot::model::run::{GeneratorInput, Inspect, Request};
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{KvType, Sampling};
use semcot::problems::{Family, Problem, Settings as ProblemSettings, Split, generate};
use semcot::reasoning::folder::Folder;
use semcot::reasoning::loading::load_on_cpu;
use semcot::reasoning::{AskOptions, Mode};
use semcot::reference::{ExecutorOptions, PairExecutor};
use semcot::train::checkpoint;
use semcot::train::config::Config;
use semcot::train::export::export;
use semcot::train::generator::GeneratorStage;
use semcot::train::gradients::{Cut, Workers};
use semcot::train::kernels::{Kernels, Reach};
use semcot::train::llama::Packing;
use semcot::train::score::MOST_ANSWER_TOKENS;
use semcot::train::sentence_transformer::{SentenceTransformer, hidden_state};
use semcot::train::stages::{Backend, Run};
use semcot::train::target::TargetStage;
use semcot::train::trainer::{Begin, Stage};
use semcot::weights::WeightType;
use serde_json::Value;

const CONFIG: &str = r#"
name = "tiny"
seed = 5
[mixture]
arithmetic = 0.5
coin = 0.5
[tokenizer]
vocab_size = 400
problems = 100
[validation]
every = 60
problems = 4
[target]
direct_share = 0.3
[target.sizes]
hidden_size = 32
num_layers = 2
num_heads = 2
num_kv_heads = 1
intermediate_size = 64
head_dim = 32
[target.schedule]
steps = 120
batch = 4
learning_rate = 1e-3
warmup_steps = 10
final_rate = 0.1
checkpoint_every = 3
[sentence_transformer]
first_layer = 1
num_layers = 1
embedding_size = 32
temperature = 0.05
directions = "both"
attention = "full"
linear_steps = 2
[sentence_transformer.schedule]
steps = 120
batch = 4
learning_rate = 1e-3
warmup_steps = 1
final_rate = 0.1
checkpoint_every = 3
[generator]
method = "semcot"
start = "random"
implicit_tokens = 3
projection_steps = 5
alpha = 0.1
alignment_batch = 2
step_supervision = 0.5
[generator.sizes]
hidden_size = 32
num_layers = 2
num_heads = 2
num_kv_heads = 1
intermediate_size = 64
[generator.schedule]
steps = 120
batch = 4
learning_rate = 1e-3
warmup_steps = 10
final_rate = 0.1
checkpoint_every = 3
[generator.schedule.optimizer]
matrices = "muon"
"#;

/// Methods in place of the generator, whose schedules change in these few steps; they share the stages of one run.
const METHODS: [(&str, &str); 2] = [
    ("icot_si", "icot_si.removal_steps = 7"),
    ("coconut", "coconut.stages = 4"),
];

fn method_config(method: &str, setting: &str, earlier: &Path) -> String {
    format!(
        r#"
extends = "tiny.toml"
name = "{method}"
earlier = '{}'
[generator]
method = "{method}"
alpha = 0.0
[generator.baseline]
optimizer_restarts = "with_schedule"
{setting}
"#,
        earlier.display()
    )
}

/// A fresh folder with the configuration in it.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    fs::write(folder.join("tiny.toml"), CONFIG).expect("the test folder can be written");
    folder
}

/// Trains on one thread, but the generator on two: either number always gives the same bytes.
fn train(folder: &Path, run: &str, stage: &str) -> Child {
    train_as(folder, run, stage, "tiny.toml")
}

fn train_as(folder: &Path, run: &str, stage: &str, config: &str) -> Child {
    let threads = if stage == "generator" { "2" } else { "1" };
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .args(["train", stage, "--resume", "--threads", threads])
        .arg("--config")
        .arg(folder.join(config))
        .arg("--run")
        .arg(folder.join(run))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}

fn finish(mut child: Child, what: &str) {
    assert!(
        child.wait().expect("the command ends").success(),
        "{what} failed"
    );
}

/// Kills the stage at its first checkpoint.
fn kill_at_first_checkpoint(folder: &Path, run: &str, stage: &str, config: &str) -> usize {
    let path = folder.join(run).join(stage).join("checkpoint.safetensors");
    let mut child = train_as(folder, run, stage, config);
    let began = Instant::now();
    while !path.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{stage} wrote no checkpoint"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("the command can be killed");
    child.wait().expect("the command ends");
    checkpoint::position(&path)
        .expect("the checkpoint is whole")
        .step
}

#[test]
fn a_killed_stage_goes_on_to_the_same_bytes() {
    let folder = folder("resume");
    finish(train(&folder, "straight", "tokenizer"), "tokenizer");
    finish(train(&folder, "killed", "tokenizer"), "tokenizer");
    for stage in ["target", "sentence-transformer", "generator"] {
        same_after_a_kill(&folder, ["straight", "killed"], stage, "tiny.toml");
    }
    for (method, setting) in METHODS {
        let config = format!("{method}.toml");
        let text = method_config(method, setting, &folder.join("straight"));
        fs::write(folder.join(&config), text).expect("the test folder can be written");
        let runs = [format!("{method}-straight"), format!("{method}-killed")];
        same_after_a_kill(&folder, [&runs[0], &runs[1]], "generator", &config);
    }
}

/// Trains a stage in two runs, one of which is killed on its way, and compares all that is left behind.
fn same_after_a_kill(folder: &Path, runs: [&str; 2], stage: &str, config: &str) {
    let [straight, killed] = runs;
    finish(train_as(folder, straight, stage, config), straight);
    let step = kill_at_first_checkpoint(folder, killed, stage, config);
    assert!(
        (1..120).contains(&step),
        "{killed}/{stage} was not killed on its way but at step {step}"
    );
    finish(train_as(folder, killed, stage, config), killed);
    for file in ["checkpoint.safetensors", "best.safetensors"] {
        let [straight, killed] = runs
            .map(|run| fs::read(folder.join(run).join(stage).join(file)).expect("a checkpoint"));
        assert!(straight == killed, "{stage}/{file} differs after a kill");
    }
    let [straight, killed] = runs.map(|run| metrics_without_times(&folder.join(run).join(stage)));
    assert_eq!(
        straight, killed,
        "{stage}/metrics.jsonl differs after a kill"
    );
}

fn metrics_without_times(stage: &Path) -> Vec<Value> {
    let text = fs::read_to_string(stage.join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("a JSON object a line");
        line["ms"] = Value::Null;
        line
    });
    lines.collect()
}

fn gradients_of_parts_add_up<S: Stage>(what: &str, mut stage: S) {
    // Of a batch of eight, rounds of three, three and two parts.
    let cut = Cut {
        threads: 3,
        rounds: 3,
    };
    let [whole, parts] = [Cut::WHOLE, cut].map(|cut| {
        Workers::here(&stage)
            .gradients(&stage, 7, cut)
            .expect("the batch can be drawn")
    });
    close(what, &[parts.loss], &[whole.loss]);
    assert_eq!(parts.terms.len(), whole.terms.len(), "{what}");
    for ((name, part), (_, whole)) in parts.terms.iter().zip(&whole.terms) {
        close(&format!("{what}: {name}"), &[*part], &[*whole]);
    }
    let values = |tensor: &Tensor<2>| tensor.clone().try_into_vec_as::<f32>().expect("f32");
    let names: Vec<String> = (stage.parameters().into_iter())
        .map(|(name, _)| name)
        .collect();
    for (i, name) in names.iter().enumerate() {
        let [part, whole] = [&parts, &whole].map(|of| {
            let gradient = of.gradients[i].as_ref();
            values(gradient.unwrap_or_else(|| panic!("{what}: no gradient of {name}")))
        });
        assert!(
            whole.iter().any(|g| g.abs() > 1e-4),
            "{what}: {name} is not trained"
        );
        close(&format!("{what}: gradient of {name}"), &part, &whole);
    }
}

#[test]
fn gradients_of_the_parts_of_a_batch_add_up_to_those_of_the_whole() {
    let folder = folder("parts");
    let mut config = Config::read(&folder.join("tiny.toml")).expect("the configuration is right");
    config.target.schedule.batch = 8;
    config.generator.schedule.batch = 8;
    config.generator.alignment_batch = 3;
    let run = Run::new(
        config.clone(),
        folder.join("run"),
        Begin::Anew,
        Backend::Flex,
    );
    run.train_tokenizer().expect("the tokenizer can be trained");
    let vocabulary = run.vocabulary().expect("trained");
    let device = Device::flex().autodiff();
    let target = TargetStage::new(&config, &vocabulary, Kernels::Fused, &device)
        .expect("the configuration is right");
    let model = target.model.clone();
    gradients_of_parts_add_up("target", target);
    let sentence =
        SentenceTransformer::new(&config.sentence_transformer, config.seed, &model, &device);
    let generator = GeneratorStage::new(&config, &vocabulary, model, Some(sentence), &device)
        .expect("the configuration is right");
    gradients_of_parts_add_up("generator", generator);
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-4,
            "{what}[{i}]: {found}, expected {expected}"
        );
    }
}

#[test]
fn an_exported_pair_computes_what_training_did() {
    let folder = folder("export");
    for stage in ["tokenizer", "target", "sentence-transformer", "generator"] {
        finish(train(&folder, "run", stage), stage);
    }
    an_exported_run_computes_what_training_did(&folder, "tiny.toml", "run");

    let again = format!(
        "extends = \"tiny.toml\"\nname = \"again\"\nearlier = '{}'\n[generator]\npasses = 3\n",
        folder.join("run").display()
    );
    fs::write(folder.join("again.toml"), again).expect("the test folder can be written");
    let trained = train_as(&folder, "again", "generator", "again.toml");
    finish(trained, "generator");
    an_exported_run_computes_what_training_did(&folder, "again.toml", "again");
}

fn an_exported_run_computes_what_training_did(folder: &Path, config: &str, run: &str) {
    let config = Config::read(&folder.join(config)).expect("the configuration is right");
    let (k, passes) = (config.generator.implicit_tokens, config.generator.passes);
    let out = folder.join(run).join("model");
    let run = Run::new(config, folder.join(run), Begin::Resume, Backend::Flex);
    export(&run, &out, WeightType::F32).expect("the run can be exported");
    let open = |name: &str| FileSource::open(&out.join(name)).expect("the file opens");
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: None,
    };

    let vocabulary = run.vocabulary().expect("trained");
    let question =
        vocabulary.question("Tom has 5 apples. He eats 2. How many apples does Tom have now?");
    let generator = run.generator(&vocabulary).expect("trained");
    let vectors = generator.source.vectors(&[&question], k);
    let values = |tensor: Tensor<2>| tensor.inner().try_into_vec_as::<f32>().expect("read back");

    let mut pair = pollster::block_on(PairExecutor::load(
        &open("target.gguf"),
        &open("generator.gguf"),
        options,
    ))
    .expect("the pair loads");
    let mut ids = question.clone();
    ids.extend(std::iter::repeat_n(vocabulary.thought, k));
    let mut target_ids = question.clone();
    target_ids.extend(std::iter::repeat_n(EMBEDDING_GIVEN, k));
    target_ids.push(vocabulary.answer);
    let request = Request {
        target_ids: target_ids.clone(),
        generator: Some(GeneratorInput {
            ids,
            first_row: question.len() as u32,
            count: k as u32,
            target_row: question.len() as u32,
            passes: passes as u32,
        }),
        max_tokens: 1,
        end_token: vocabulary.end,
        tokens_per_submit: 1,
        sampling: Sampling::default(),
    };
    let found = pair.implicit_tokens(&request).expect("the generator runs");
    let vectors_values = values(vectors.clone());
    close("implicit tokens", &found, &vectors_values);
    let found = pair
        .target()
        .last_logits(&target_ids, &vectors_values)
        .expect("the target runs");
    close(
        "logits behind implicit tokens",
        &found,
        &values(generator.answer_logits(&question, &vectors, &[])),
    );

    let file = open("sentence_transformer.gguf");
    let loaded = pair.load_sentence_transformer(&file);
    pollster::block_on(loaded).expect("the sentence transformer loads");
    let sentence = run
        .sentence_transformer(&generator.target)
        .expect("trained");
    let texts: Vec<Vec<u32>> = ["5 - 2 = 3", "12 + 4 = 16; 16 - 9 = 7; 7 + 1 = 8"]
        .map(|text| vocabulary.text(text))
        .into();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let (hidden, lengths) = hidden_state(&generator.target, 1, &texts);
    let found = pollster::block_on(pair.embed_texts(&texts)).expect("texts are embedded");
    let expected = values(sentence.embed(hidden, &lengths));
    close("embeddings of texts", &found.concat(), &expected);
    let found = pollster::block_on(pair.embed_rows(&vectors_values)).expect("rows are embedded");
    let expected = values(sentence.embed(vectors.clone(), &[k]));
    close("the implicit tokens' embedding", &found, &expected);

    let mut ids = question.clone();
    ids.push(vocabulary.answer);
    let target = &generator.target;
    let packing = Packing::whole(vec![ids.len()]);
    let hidden = target
        .decoder
        .hidden(target.embed(&ids), &packing, Reach::Causal);
    let found = pair.target().logits(&ids, &[]).expect("the target runs");
    close("logits", &found, &values(target.logits(hidden)));

    let problems: Vec<Problem> =
        generate(Family::Coin, Split::Heldout, 1, &ProblemSettings::default())
            .expect("the defaults are right")
            .take(100)
            .collect();
    let (mode, scored) = run.score(&problems).expect("trained");
    let manifest = Folder::open(&out).expect("a model folder").manifest;
    let files = (open("target.gguf"), open("generator.gguf"));
    let mut pair = pollster::block_on(load_on_cpu(&manifest, &files.0, &files.1, options))
        .expect("the pair loads");
    let items: Vec<Item> = problems.into_iter().map(Item::from).collect();
    let options = |mode| AskOptions {
        max_tokens: Some(MOST_ANSWER_TOKENS as u32),
        ..AskOptions::new(mode)
    };
    let mut exact = 0;
    let mut evaluation = Evaluation::new(&[Mode::Implicit], Questions::OfEachSeed);
    let asking = evaluation.ask(&mut pair, &items, 1, options, |asked| {
        exact += u64::from(asked.answer.text == asked.truth);
        ControlFlow::Continue(())
    });
    pollster::block_on(asking).expect("every question is answered");
    assert!(exact > 0, "a pair that answers nothing shows nothing");
    let asked = &evaluation.scores()[&mode];
    assert_eq!(scored.accuracy, asked.accuracy);
    assert_eq!(scored.breakdown, asked.breakdown);
    assert_eq!(scored.tokens, asked.tokens);
    assert_eq!(scored.target_passes, asked.target_passes);
    assert_eq!(scored.generator_passes, asked.generator_passes);

    // Training goes on from the exported file.
    let begun = |file: &str| {
        let mut config = run.config.clone();
        config.generator_from = Some(out.join(file));
        let device = Device::flex().autodiff();
        GeneratorStage::new(&config, &vocabulary, target.clone(), None, &device)
    };
    let again = begun("generator.gguf").expect("a generator");
    let found = values(again.source.vectors(&[&question], k));
    close("vectors of the file", &found, &vectors_values);
    let error = begun("target.gguf")
        .err()
        .expect("no generator")
        .to_string();
    assert!(error.contains("is no generator"), "{error}");
}
