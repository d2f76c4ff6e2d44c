//! The chain on folders of our own: a target of Qwen2's form in two files, a generator of Llama's with another tokenizer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::Tensor;
use semcot::formats::manifest::Manifest;
use semcot::formats::source::FileSource;
use semcot::model::run::{GeneratorInput, Request};
use semcot::model::step::EMBEDDING_GIVEN;
use semcot::model::{KvType, Sampling};
use semcot::problems::Split;
use semcot::reference::{ExecutorOptions, PairExecutor};
use semcot::train::published::config::{
    EvaluationSettings, GeneratorChoices, ItemSettings, PublishedConfig, SentenceChoices,
    TokenSettings,
};
use semcot::train::published::run::PublishedRun;
use semcot::train::stages::Backend;
use semcot::train::trainer::Begin;
use serde_json::Value;

use super::folders::{Shape, problems, write_data, write_model};
use super::{fresh, printed, refused, semcot, stage, started};

const EPOCHS: usize = 8;

fn config(folder: &Path) -> String {
    let phase = format!("{{ learning_rate = 1e-3, weight_decay = 1e-2, epochs = {EPOCHS} }}");
    format!(
        r#"
name = "chain"
seed = 7
data_set = "small"
prompts = "qwen"
[models]
target = '{}'
generator = '{}'
[sentence_transformer]
first_layer = 1
num_layers = 2
embedding_size = 24
[generator]
implicit_tokens = 3
eval_implicit_tokens = 2
[evaluation]
temperatures = [0.7]
[data_sets.small]
train = "train.json"
evaluation = "eval.json"
alpha = 0.5
sentence_transformer = {{ linear = {phase}, all = {phase} }}
generator = {{ linear = {phase}, all = {phase} }}
"#,
        folder.join("target").display(),
        folder.join("generator").display(),
    )
}

/// Models, data and configuration in a fresh folder.
pub fn prepared(name: &str) -> std::path::PathBuf {
    let folder = fresh(name);
    let training = problems(Split::Train, 7);
    let texts: Vec<String> = training
        .iter()
        .flat_map(|it| it.texts("Question: "))
        .collect();
    let target = Shape {
        model_type: "qwen2",
        hidden: 32,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        inner: 64,
        vocab: 330,
        tied: false,
        shards: 2,
        seed: 1,
    };
    let generator = Shape {
        model_type: "llama",
        layers: 2,
        vocab: 300,
        shards: 1,
        seed: 2,
        ..target
    };
    write_model(&folder.join("target"), &target, &texts);
    write_model(&folder.join("generator"), &generator, &texts);
    write_data(&folder.join("train.json"), &training);
    write_data(&folder.join("eval.json"), &problems(Split::Heldout, 3));
    fs::write(folder.join("paper.toml"), config(&folder)).expect("written");
    folder
}

/// Kills a stage when the file of its phase is there, and lets it go on.
fn killed_and_resumed(folder: &Path, part: &str, checkpoint: &str) {
    let path = folder.join("killed").join(checkpoint);
    let mut child = started(stage(folder, "killed", part));
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no {checkpoint}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("the command can be killed");
    let status = child.wait().expect("the command ends");
    assert!(!status.success(), "{part} was not killed on its way");
    printed(stage(folder, "killed", part));
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3f32, |most, it| most.max(it.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-4 * scale,
            "{what}[{i}]: {found}, expected {expected}"
        );
    }
}

/// What `semcot score` writes of a run.
fn scored(folder: &Path, run: &Path) -> Value {
    let json = folder.join("score.json");
    let mut score = semcot(&["score"]);
    score
        .arg("--run")
        .arg(run)
        .arg("--data")
        .arg(folder)
        .arg("--json")
        .arg(&json);
    printed(score);
    serde_json::from_slice(&fs::read(&json).expect("a score")).expect("JSON")
}

#[test]
fn published_folders_are_trained_scored_and_exported() {
    let folder = prepared("chain");
    for part in ["tokenizer", "target"] {
        let said = printed(stage(&folder, "run", part));
        assert!(said.contains("nothing to train"), "{said}");
    }
    for part in ["sentence-transformer", "generator"] {
        printed(stage(&folder, "run", part));
    }

    // A kill in either phase changes nothing of what comes out.
    killed_and_resumed(
        &folder,
        "sentence-transformer",
        "sentence-transformer/linear/checkpoint.safetensors",
    );
    killed_and_resumed(&folder, "generator", "generator/all/checkpoint.safetensors");
    for part in [
        "sentence-transformer/all",
        "generator/linear",
        "generator/all",
    ] {
        let bytes = |run: &str| {
            let path = folder.join(run).join(part).join("best.safetensors");
            fs::read(path).expect("a checkpoint")
        };
        assert!(
            bytes("run") == bytes("killed"),
            "{part} differs after a kill"
        );
    }
    let mut anew = stage(&folder, "run", "generator");
    let arguments: Vec<_> = anew
        .get_args()
        .filter(|it| *it != "--resume")
        .map(Into::into)
        .collect();
    anew = semcot(&[]);
    anew.args::<_, &std::ffi::OsString>(&arguments);
    let said = refused(anew);
    assert!(said.contains("pass --resume"), "{said}");

    let run = folder.join("run");
    let as_published = scored(&folder, &run);
    let score = &as_published["modes"]["implicit"];
    assert_eq!(score["n"], 6);
    assert_eq!(as_published["sampled"][0]["modes"]["implicit"]["n"], 6);
    assert_eq!(as_published["data_set"], "small");
    assert!(
        score["published_ms"]["mean"].as_f64() > Some(0.0),
        "{score}"
    );
    assert_eq!(score.get("ms"), None, "times of two kinds");

    let config = run.join("config.toml");
    let text = fs::read_to_string(&config).expect("the run's configuration");
    let timed = text.replace("timing = \"published\"", "timing = \"text_to_text\"");
    assert_ne!(timed, text);
    fs::write(&config, timed).expect("the test folder can be written");
    let from_text = scored(&folder, &run);
    let score = &from_text["modes"]["implicit"];
    assert!(score["ms"]["median"].as_f64() > Some(0.0), "{score}");
    assert_eq!(score.get("published_ms"), None, "times of two kinds");
    for rule in ["strict", "official", "tokens"] {
        assert_eq!(
            score[rule], as_published["modes"]["implicit"][rule],
            "{rule}"
        );
    }
    fs::write(&config, text).expect("the test folder can be written");

    let out = folder.join("model");
    let mut export = semcot(&["export", "--weights", "F32"]);
    export.arg("--run").arg(&run).arg("--out").arg(&out);
    printed(export);
    the_engine_computes_what_training_did(&folder, &out);
}

fn the_engine_computes_what_training_did(folder: &Path, out: &Path) {
    let config = PublishedConfig::read(&folder.join("paper.toml")).expect("a configuration");
    let mut run = PublishedRun::new(config, folder.join("run"), Begin::Resume, Backend::Flex);
    run.data = Some(folder.to_owned());
    let stage = run.trained().expect("trained");
    let tokenizers = run.tokenizers().expect("two tokenizers");
    let item = run.evaluation_items().expect("items").remove(0);
    let example = tokenizers.example(&item).expect("token ids");
    assert_ne!(
        example.question, example.generator_question,
        "two tokenizers"
    );
    let k = stage.settings.eval_implicit_tokens();
    let vectors = stage.vectors(std::slice::from_ref(&example), k);
    let values = |tensor: Tensor<2>| tensor.inner().try_into_vec_as::<f32>().expect("read back");

    let manifest = fs::read(out.join("semcot.json")).expect("a manifest");
    let manifest = Manifest::parse(&manifest).expect("a manifest");
    assert_eq!(manifest.implicit_tokens as usize, k);
    assert!(manifest.files.sentence_transformer.is_some());
    let open = |name: &str| FileSource::open(&out.join(name)).expect("the file opens");
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: None,
    };
    let (target, generator) = (open("target.gguf"), open("generator.gguf"));
    let mut pair = pollster::block_on(PairExecutor::load(&target, &generator, options))
        .expect("the pair loads");
    let mut ids = example.generator_question.clone();
    let first_row = ids.len() as u32 - 1;
    ids.extend(std::iter::repeat_n(tokenizers.thought, k));
    let mut target_ids = example.question.clone();
    let target_row = target_ids.len() as u32;
    target_ids.extend(std::iter::repeat_n(EMBEDDING_GIVEN, k));
    target_ids.extend(&stage.frame.prompt);
    let request = Request {
        target_ids: target_ids.clone(),
        generator: Some(GeneratorInput {
            ids,
            first_row,
            count: k as u32,
            target_row,
            passes: 1,
        }),
        max_tokens: 1,
        end_token: stage.frame.end,
        tokens_per_submit: 1,
        sampling: Sampling::default(),
    };
    let found = pair.implicit_tokens(&request).expect("the generator runs");
    close("implicit tokens", &found, &values(vectors.clone()));
    let given = values(vectors.clone());
    let found = pair.target().last_logits(&target_ids, &given);
    let expected = stage.answer_logits(&example.question, &vectors, &[]);
    close(
        "logits",
        &found.expect("the target runs"),
        &values(expected),
    );
}

#[test]
fn a_second_phase_that_is_worse_replaces_the_first_only_as_published() {
    let folder = prepared("carried");
    let text = config(&folder);
    let phase = format!("all = {{ learning_rate = 1e-3, weight_decay = 1e-2, epochs = {EPOCHS} }}");
    assert!(text.contains(&phase));
    // A rate that ruins whatever the first phase has found.
    let text = text.replace(
        &phase,
        "all = { learning_rate = 10.0, weight_decay = 0.0, epochs = 1 }",
    );
    for (best_value, is_kept) in [("restarts", false), ("carried", true)] {
        let text = text.replace(
            "seed = 7",
            &format!("seed = 7\nbest_value = \"{best_value}\""),
        );
        fs::write(folder.join("paper.toml"), text).expect("written");
        printed(stage(&folder, best_value, "sentence-transformer"));
        let chosen = |phase: &str| {
            let path = folder
                .join(best_value)
                .join("sentence-transformer")
                .join(phase);
            let bytes = fs::read(path.join("best.safetensors")).expect("a checkpoint");
            let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("tensors");
            let bias = tensors.tensor("linear.bias");
            bias.expect("the linear layer").data().to_vec()
        };
        assert_eq!(chosen("all") == chosen("linear"), is_kept, "{best_value}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let folder = prepared("refused");
    let text = config(&folder);
    let said_with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(folder.join("paper.toml"), text.replace(from, to)).expect("written");
        refused(stage(&folder, "run", "sentence-transformer"))
    };
    for (from, to, expected) in [
        (
            "num_layers = 2",
            "num_layers = 3",
            "layers 1..4 are asked for",
        ),
        (
            "data_set = \"small\"",
            "data_set = \"large\"",
            "\"large\" is not one of small",
        ),
        ("prompts = \"qwen\"", "prompts = \"gwen\"", "gwen"),
        ("/target'", "/nowhere'", "there is no folder"),
        ("\"train.json\"", "\"eval.jsn\"", "eval.jsn"),
        ("alpha = 0.5", "alpha = 1.5", "1.5 is not from 0 to 1"),
    ] {
        let said = said_with(from, to);
        assert!(said.contains(expected), "{said}, expected {expected}");
    }

    fs::write(folder.join("paper.toml"), &text).expect("written");
    let mut other = stage(&folder, "run", "target");
    other.args(["--data-set", "none"]);
    assert!(refused(other).contains("not one of small"));
    let shard = folder.join("target/model-00002-of-00002.safetensors");
    fs::remove_file(&shard).expect("removed");
    let said = refused(stage(&folder, "run", "target"));
    assert!(said.contains("model-00002-of-00002.safetensors"), "{said}");
}

#[test]
fn the_published_configurations_say_what_is_published() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for name in ["small", "mistral", "qwen"] {
        let path = configs.join(format!("paper-{name}.toml"));
        let config = PublishedConfig::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((config.batch, config.seed), (4, 42));
        assert_eq!(config.items, ItemSettings::default());
        assert_eq!(config.tokens, TokenSettings::default());
        assert_eq!(config.sentence_transformer, SentenceChoices::default());
        assert_eq!(config.generator, GeneratorChoices::default());
        assert_eq!(config.evaluation, EvaluationSettings::default());
        for set in [
            "gsm8k",
            "svamp",
            "multiarith",
            "commonsense_qa",
            "coin_flip",
        ] {
            let of_set = PublishedConfig {
                data_set: set.to_owned(),
                ..config.clone()
            };
            of_set.check().unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
