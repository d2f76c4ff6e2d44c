//! Every method of the comparison on a tiny setting: it trains, is measured, and a list of them is gone on with.
#![cfg(feature = "train")]

mod numbers;
mod supervision;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use semcot::problems::{Family, Split, generate};
use semcot::reasoning::Mode;
use semcot::train::baseline_stage::{BaselineStage, baseline_of};
use semcot::train::checkpoint;
use semcot::train::config::Config;
use semcot::train::generator::GeneratorStage;
use semcot::train::gradients::Part;
use semcot::train::research::Research;
use semcot::train::stages::{Backend, GENERATOR, Run, TARGET};
use semcot::train::trainer::{Begin, Stage, StageFiles};
use serde_json::Value;

const BASE: &str = r#"
name = "base"
seed = 3
[mixture]
arithmetic = 0.5
coin = 0.5
[tokenizer]
vocab_size = 400
problems = 100
[validation]
every = 1000
problems = 2
[target]
direct_share = 0.5
[target.sizes]
hidden_size = 32
num_layers = 2
num_heads = 2
num_kv_heads = 1
intermediate_size = 64
[target.schedule]
steps = 100
batch = 8
learning_rate = 3e-3
warmup_steps = 10
final_rate = 0.5
checkpoint_every = 100
[sentence_transformer]
first_layer = 1
num_layers = 1
embedding_size = 32
temperature = 0.05
directions = "both"
attention = "full"
linear_steps = 2
[sentence_transformer.schedule]
steps = 10
batch = 8
learning_rate = 1e-3
warmup_steps = 1
final_rate = 0.1
checkpoint_every = 10
[generator]
method = "semcot"
start = "target"
implicit_tokens = 3
projection_steps = 10
alpha = 0.1
alignment_batch = 4
step_supervision = 0.0
[generator.sizes]
hidden_size = 32
num_layers = 2
num_heads = 2
num_kv_heads = 1
intermediate_size = 64
[generator.schedule]
steps = 40
batch = 8
learning_rate = 3e-3
warmup_steps = 4
final_rate = 0.5
checkpoint_every = 40
"#;

/// What a method writes, and the passes that it takes besides those that write.
struct Method {
    name: &'static str,
    settings: &'static str,
    mode: Mode,
    further_target_passes: f64,
    generator_passes: f64,
}

const fn method(name: &'static str, settings: &'static str) -> Method {
    Method {
        name,
        settings,
        mode: Mode::Implicit,
        further_target_passes: 0.0,
        generator_passes: 0.0,
    }
}

const fn methods() -> [Method; 20] {
    [
        Method {
            generator_passes: 1.0,
            ..method("semcot", "alpha = 0.1")
        },
        Method {
            generator_passes: 1.0,
            ..method(
                "semcot",
                "alpha = 0.1\nalignment_space = \"hidden_state\"\nprojection_steps = 0",
            )
        },
        Method {
            generator_passes: 1.0,
            ..method("semcot", "alpha = 0.1\nalignment_of = \"steps\"")
        },
        Method {
            generator_passes: 1.0,
            ..method(
                "semcot",
                "alpha = 0.1\nalignment_space = \"embeddings\"\nstep_supervision = 0.5",
            )
        },
        Method {
            generator_passes: 1.0,
            ..method(
                "semcot",
                "alpha = 0.0\nstep_supervision = 0.5\nstep_supervision_of = \"all\"",
            )
        },
        Method {
            generator_passes: 1.0,
            ..method(
                "semcot",
                "alpha = 0.0\nstep_supervision = 0.5\nstep_supervision_by = \"generator\"",
            )
        },
        Method {
            generator_passes: 1.0,
            ..method("semcot", "alpha = 0.1\nalignment_projection = \"own\"")
        },
        Method {
            generator_passes: 1.0,
            ..method("semcot", "alpha = 0.1\nreplaced_until = 30")
        },
        Method {
            generator_passes: 2.0,
            ..method("semcot", "alpha = 0.1\npasses = 2")
        },
        Method {
            generator_passes: 1.0,
            ..method("lora_generator", "alpha = 0.1")
        },
        Method {
            generator_passes: 1.0,
            ..method(
                "softcot",
                "[generator.baseline.softcot]\ninstruction = \"published\"",
            )
        },
        method("pause", "[generator.baseline]\nadded_rows = \"last\""),
        method(
            "icot_si",
            "[generator.baseline]\nicot_si.removal_steps = 2\nicot_si.positions = \"kept\"",
        ),
        Method {
            further_target_passes: 3.0,
            ..method("coconut", "")
        },
        Method {
            further_target_passes: 3.0,
            ..method(
                "coconut",
                "[generator.baseline]\ncoconut.newest_thought = \"hidden\"\noptimizer_restarts = \"with_schedule\"",
            )
        },
        Method {
            further_target_passes: 3.0,
            ..method("codi", "")
        },
        Method {
            mode: Mode::Direct,
            ..method("direct", "[generator.baseline]\ntuning = \"whole\"")
        },
        Method {
            mode: Mode::Explicit,
            ..method("explicit", "")
        },
        method("constant_vectors", ""),
        method("constant_vectors_and_target", ""),
    ]
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    fs::write(folder.join("base.toml"), BASE).expect("the test folder can be written");
    folder
}

fn config(folder: &Path, name: &str, method: &Method) -> Config {
    let alpha = if method.settings.contains("alpha") {
        ""
    } else {
        "alpha = 0.0"
    };
    let text = format!(
        "extends = \"base.toml\"\nname = \"{name}\"\n[generator]\nmethod = \"{}\"\n{alpha}\n{}\n",
        method.name, method.settings
    );
    let path = folder.join(format!("{name}.toml"));
    fs::write(&path, text).expect("the test folder can be written");
    Config::read(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// The mean loss over the problems of a run's last steps: of what it begins with, and of what it came to. The problems of
/// other steps are others, and a schedule may make them harder.
fn losses(run: &Run) -> [f32; 2] {
    let device = Backend::Flex.device();
    let vocabulary = run.vocabulary().expect("the tokenizer is trained");
    let target = run.target(&vocabulary).expect("the target is trained");
    match baseline_of(&run.config, &vocabulary, &target, &device) {
        Some(baseline) => {
            let stage = BaselineStage::new(&run.config, &vocabulary, baseline);
            before_and_after(run, stage.expect("the problems can be drawn"))
        }
        None => {
            let sentence = (run.config.needs_sentence_transformer())
                .then(|| run.sentence_transformer(&target).expect("it is trained"));
            let stage = GeneratorStage::new(&run.config, &vocabulary, target, sentence, &device);
            before_and_after(run, stage.expect("the problems can be drawn"))
        }
    }
}

fn before_and_after<S: Stage>(run: &Run, mut stage: S) -> [f32; 2] {
    let steps = run.config.generator.schedule.steps;
    let mean = |stage: &S| {
        let loss = |step| {
            let loss = stage.loss(step, Part::WHOLE).expect("the loss is computed");
            loss.total.into_scalar::<f32>()
        };
        (steps - 4..steps).map(loss).sum::<f32>() / 4.0
    };
    let before = mean(&stage);
    numbers::check(&run.config.name, &stage);
    let path = StageFiles::new(&run.folder, GENERATOR).checkpoint();
    let device = Backend::Flex.device();
    checkpoint::load(&path, stage.parameters(), None, &device).expect("the last weights");
    [before, mean(&stage)]
}

#[test]
fn every_method_trains_and_is_measured() {
    let folder = folder("methods");
    let earlier = folder.join("earlier");
    let base = Config::read(&folder.join("base.toml")).expect("the configuration is right");
    let run = Run::new(base, earlier.clone(), Begin::Anew, Backend::Flex);
    run.keep_configuration()
        .expect("the test folder can be written");
    run.train_tokenizer().expect("the tokenizer trains");
    run.train_target().expect("the target trains");
    run.train_sentence_transformer()
        .expect("the sentence transformer trains");
    let problems: Vec<_> = [Family::Arithmetic, Family::Coin]
        .into_iter()
        .flat_map(|family| {
            let problems = generate(family, Split::Heldout, 1, &run.config.problems);
            problems.expect("the defaults are right").take(10)
        })
        .collect();
    for (i, method) in methods().iter().enumerate() {
        let name = format!("{}-{i}", method.name);
        let mut config = config(&folder, &name, method);
        config.earlier = Some(earlier.clone());
        let run = Run::new(config, folder.join(&name), Begin::Anew, Backend::Flex);
        run.keep_configuration()
            .expect("the test folder can be written");
        run.train_generator()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let [before, after] = losses(&run);
        assert!(
            after < before,
            "{name}: the loss went from {before} to {after}"
        );

        let (mode, score) = run
            .score(&problems)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(mode, method.mode, "{name}");
        assert_eq!(score.accuracy.n, 20, "{name}");
        assert!(score.tokens >= 1.0, "{name}: {score:?}");
        let further = score.target_passes - score.tokens;
        assert!(
            (further - method.further_target_passes).abs() < 1e-9,
            "{name}: {score:?}"
        );
        assert_eq!(score.generator_passes, method.generator_passes, "{name}");
    }
}

#[test]
fn a_list_of_configurations_is_trained_once_and_measured_with_every_seed() {
    let folder = folder("research");
    let mut configs: Vec<Config> = ["direct", "explicit"]
        .map(|name| config(&folder, name, &method(name, "")))
        .into();
    for config in &mut configs {
        config.target.schedule.steps = 2;
        config.generator.schedule.steps = 2;
    }
    // The target as it stands.
    configs[1].generator.schedule.steps = 0;
    let mut list = Research {
        configs,
        seeds: vec![1, 2],
        runs: folder.join("runs"),
        backend: Backend::Flex,
        threads: None,
        devices: NonZeroUsize::MIN,
        count: 3,
    };
    let said = |list: &Research| {
        let mut lines = Vec::new();
        let done = list.run(|line| lines.push(line.to_owned()));
        done.map(|()| lines).map_err(|error| error.to_string())
    };
    let first = said(&list).expect("the list is done");
    assert_eq!(
        first.iter().filter(|line| line.contains("tokens")).count(),
        8,
        "{first:?}"
    );
    for seed in [1, 2] {
        let target = StageFiles::new(&folder.join(format!("runs/earlier-seed{seed}")), TARGET);
        assert!(target.best().exists());
        let path = folder.join(format!("runs/explicit-seed{seed}/coin.json"));
        let text = fs::read(path).expect("a score");
        let score: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(score["method"], "explicit");
        assert_eq!(score["modes"]["explicit"]["n"], 3);
    }
    // What is there is not measured again.
    let again = said(&list).expect("the list is done");
    assert!(
        again.iter().all(|line| !line.contains("tokens")),
        "{again:?}"
    );
    // A target whose weights alone are there, as where they come from elsewhere, is not trained again.
    let target = StageFiles::new(&folder.join("runs/earlier-seed1"), TARGET);
    fs::remove_file(target.checkpoint()).expect("there was a checkpoint");
    let before = fs::read(target.best()).expect("the target's weights");
    fs::remove_dir_all(folder.join("runs/direct-seed1")).expect("a run");
    let with_given = said(&list).expect("the list is done");
    assert!(
        !with_given.contains(&"seed 1: target".to_owned()),
        "{with_given:?}"
    );
    assert!(with_given.contains(&"seed 2: target".to_owned()));
    assert_eq!(
        before,
        fs::read(target.best()).expect("the target's weights")
    );
    assert!(folder.join("runs/direct-seed1/coin.json").exists());
    // Nor is it taken for something else.
    list.configs[0].generator.schedule.learning_rate = 1.0;
    let message = said(&list).expect_err("another configuration");
    assert!(message.contains("another configuration"), "{message}");
    list.configs[0].target.direct_share = 0.9;
    let message = said(&list).expect_err("another target");
    assert!(message.contains("`target`"), "{message}");
    list.configs[1].name = "direct".into();
    let message = said(&list).expect_err("one name twice");
    assert!(message.contains("\"direct\" is taken"), "{message}");
}

#[test]
fn the_configurations_of_the_research_are_right_and_share_their_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let base = Config::read(&folder.join("d64.toml")).unwrap_or_else(|error| panic!("{error}"));
    let mut count = 0;
    let entries = ["research", "variants"]
        .into_iter()
        .flat_map(|it| fs::read_dir(folder.join(it)).expect("the folder is there"));
    for entry in entries {
        let path = entry.expect("a file").path();
        let config = Config::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            path.file_stem().and_then(|it| it.to_str()),
            Some(config.name.as_str())
        );
        config
            .check_earlier(&base, "d64")
            .unwrap_or_else(|error| panic!("{error}"));
        let budget = (
            config.generator.schedule.steps,
            config.generator.schedule.batch,
        );
        assert!(
            budget == (8000, 32) || config.name == "explicit",
            "{}",
            config.name
        );
        count += 1;
    }
    assert!(count >= 25, "{count}");
    for name in ["mini", "pause", "direct"] {
        let path = folder.join(format!("{name}.toml"));
        Config::read(&path).unwrap_or_else(|error| panic!("{error}"));
    }
    // The larger pair goes on from what is committed.
    let kept = folder.join("../checkpoints/base/config.toml");
    let kept = Config::read(&kept).unwrap_or_else(|error| panic!("{error}"));
    for name in ["base", "base-further", "base-passes"] {
        let path = folder.join(format!("{name}.toml"));
        let config = Config::read(&path).unwrap_or_else(|error| panic!("{error}"));
        (config.check_earlier(&kept, "checkpoints/base")).unwrap_or_else(|error| panic!("{error}"));
    }
}
