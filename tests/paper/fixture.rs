//! The pairs of the reference folder, from their texts to the trained generator: losses of every epoch in all four phases and
//! the epoch that is kept, one phase handed on to the next, are those of the authors' code.

use std::fs;
use std::path::{Path, PathBuf};

use semcot::train::checkpoint;
use serde_json::{Value, json};

use super::{fresh, printed, stage};

const PHASES: [(&str, &str); 4] = [
    ("sentence_linear", "sentence-transformer/linear"),
    ("sentence_all", "sentence-transformer/all"),
    ("generator_linear", "generator/linear"),
    ("generator_all", "generator/all"),
];

/// The reference pairs; none, with a line printed, where there is no folder of them.
fn pairs() -> Vec<PathBuf> {
    let named = std::env::var_os("SEMCOT_FIXTURES").map(PathBuf::from);
    let is_named = named.is_some();
    let root = named
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    let Ok(entries) = fs::read_dir(root.join("semcot")) else {
        assert!(!is_named, "{} has no folder semcot", root.display());
        println!("paper: no reference folder here, nothing compared");
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("the entry can be read").path());
    let pairs: Vec<PathBuf> = paths
        .filter(|it| it.join("manifest.json").is_file())
        .collect();
    assert!(!pairs.is_empty(), "{} has no pairs", root.display());
    pairs
}

fn json_file(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

fn phase(manifest: &Value, name: &str) -> String {
    let phase = &manifest["phases"][name];
    let optimizer = &phase["optimiser"];
    let epochs = phase["epoch_orders"].as_array().expect("a list").len();
    format!(
        "{{ learning_rate = {:?}, weight_decay = {:?}, epochs = {epochs} }}",
        optimizer["lr"].as_f64().expect("a number"),
        optimizer["weight_decay"].as_f64().expect("a number"),
    )
}

/// The configuration of a pair: what its manifest says, and nothing else but defaults.
fn config(pair: &Path, folder: &Path, manifest: &Value) -> String {
    let settings = &manifest["settings"];
    let sentence = &settings["sentence_transformer"];
    let first = sentence["first_layer"].as_u64().expect("a number");
    let last = sentence["last_layer"].as_u64().expect("a number");
    let [linear, all, generator_linear, generator_all] =
        PHASES.map(|(name, _)| phase(manifest, name));
    format!(
        r#"
name = "fixture"
seed = 42
data_set = "fixture"
prompts = {}
batch = {}
[models]
target = '{}'
generator = '{}'
[sentence_transformer]
first_layer = {first}
num_layers = {}
embedding_size = {}
[generator]
implicit_tokens = {}
eval_implicit_tokens = {}
[data_sets.fixture]
train = "train.json"
evaluation = "eval.json"
alpha = {}
sentence_transformer = {{ linear = {linear}, all = {all} }}
generator = {{ linear = {generator_linear}, all = {generator_all} }}
[replay]
orders = '{}'
start = '{}'
"#,
        settings["prompts"]["name"],
        manifest["phases"]["generator_all"]["batch_size"],
        pair.join("target").display(),
        pair.join("generator").display(),
        last - first + 1,
        sentence["embedding"],
        settings["k_train"],
        settings["k_eval"],
        settings["alpha"],
        folder.join("orders.json").display(),
        pair.join("heads.safetensors").display(),
    )
}

/// Writes data, orders and configuration of a pair.
fn prepare(pair: &Path, folder: &Path, manifest: &Value) {
    let items = json_file(&pair.join("data.json"))["items"].clone();
    let of_part = |is_training: bool| {
        let items = items.as_array().expect("a list").iter().cloned();
        let part = items.filter(|item| (item["part"] == "train") == is_training);
        json!(part.collect::<Vec<_>>())
    };
    let mut orders = json!({ "split": manifest["settings"]["split"] });
    for (name, _) in PHASES {
        orders[name] = manifest["phases"][name]["epoch_orders"].clone();
    }
    for (file, text) in [
        ("train.json", of_part(true).to_string()),
        ("eval.json", of_part(false).to_string()),
        ("orders.json", orders.to_string()),
        ("paper.toml", config(pair, folder, manifest)),
    ] {
        fs::write(folder.join(file), text).expect("the test folder can be written");
    }
}

/// The figure of every epoch's validation.
fn figures(metrics: &Path, name: &str) -> Vec<f64> {
    let text = fs::read_to_string(metrics).expect("metrics");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    lines
        .filter_map(|line: Value| line["validation"][name].as_f64())
        .collect()
}

#[test]
fn a_run_from_a_file_repeats_the_authors_own() {
    for pair in pairs() {
        let manifest = json_file(&pair.join("manifest.json"));
        let name = manifest["pair"].as_str().expect("a name");
        let folder = fresh(&format!("fixture-{name}"));
        prepare(&pair, &folder, &manifest);
        for part in ["tokenizer", "target", "sentence-transformer", "generator"] {
            printed(stage(&folder, "run", part));
        }
        let mut compared = 0;
        for (phase, of_run) in PHASES {
            let expected = &manifest["phases"][phase];
            let of_run = folder.join("run").join(of_run);
            let lists = expected["epochs"].as_object().expect("losses by name");
            for (list, losses) in lists {
                let figure = match list.as_str() {
                    "train_loss" | "train_total" => "train_loss",
                    "train_l_ans" => "train_loss_answer",
                    "train_l_reason" => "train_loss_alignment",
                    "validation_loss" | "evaluation_total" => "loss",
                    "evaluation_l_ans" => "loss_answer",
                    "evaluation_l_reason" => "loss_alignment",
                    unknown => panic!("{name} {phase}: losses named {unknown}"),
                };
                let losses = losses.as_array().expect("a list");
                let tolerance = expected["epochs_tolerance"][list]
                    .as_f64()
                    .expect("a number");
                let found = figures(&of_run.join("metrics.jsonl"), figure);
                assert_eq!(found.len(), losses.len(), "{name} {phase} {list}");
                for (epoch, (found, loss)) in found.iter().zip(losses).enumerate() {
                    let loss = loss.as_f64().expect("a number");
                    assert!(
                        (found - loss).abs() <= tolerance,
                        "{name} {phase} {list}, epoch {epoch}: {found}, expected {loss}"
                    );
                    compared += 1;
                }
            }
            let best = checkpoint::position(&of_run.join("best.safetensors"));
            let (_, step) = best.expect("a checkpoint").best.expect("it was validated");
            let epochs = expected["epoch_orders"].as_array().expect("a list").len();
            let steps = expected["steps"].as_u64().expect("a number") as usize;
            let kept = step / (steps / epochs) - 1;
            assert_eq!(
                Some(kept as u64),
                expected["selected_epoch"].as_u64(),
                "{name} {phase}"
            );
        }
        println!("pair {name}: {compared} losses of epochs are the authors'");
        assert!(compared > 100, "{compared} losses are too few");
    }
}
