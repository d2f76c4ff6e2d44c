//! `semcot eval` as a person runs it, on the shipped pair by the CPU engine: seeds, sampled answers, files of questions.

#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn eval(arguments: &[&str]) -> Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mini");
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .args(["eval", "--device", "simd", "--model"])
        .arg(model)
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn scores(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scores.json");
    let output = eval(&[arguments, &["--json", path.to_str().expect("a path")]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&fs::read(&path).expect("written")).expect("JSON")
}

/// Questions of one kind in a file, the second of which the pair gets right by either rule.
fn question_file(folder: &Path) -> String {
    let path = folder.join("questions.json");
    let coin = |name: &str, answer: &str| {
        json!({
            "question": format!("A coin is heads up. {name} flips the coin. Is the coin still heads up?"),
            "answer": answer,
        })
    };
    let examples = [coin("Maria", "yes"), coin("Tom", "no"), coin("Ida", "no")];
    fs::write(&path, json!({ "examples": examples }).to_string()).expect("written");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn further_seeds_draw_further_problems_and_give_mean_and_deviation() {
    let options = [
        "--family",
        "arithmetic",
        "--modes",
        "implicit,direct",
        "--count",
        "12",
    ];
    let both = scores(&[&options[..], &["--seeds", "2"]].concat());
    let direct = &both["modes"]["direct"];
    assert_eq!(direct["n"], 24);
    assert_eq!(direct["over_seeds"]["seeds"], json!([1, 2]));
    let of_seed = |seed: &str| {
        let one = scores(&[&options[..], &["--seed", seed]].concat());
        assert_eq!(one["modes"]["direct"].get("over_seeds"), None);
        one["modes"]["direct"]["strict"].as_f64().expect("a share")
    };
    let values = [of_seed("1"), of_seed("2")];
    assert_eq!(direct["over_seeds"]["strict"]["values"], json!(values));
    let mean = (values[0] + values[1]) / 2.0;
    assert!((direct["strict"].as_f64().expect("a share") - mean).abs() < 1e-12);
    for phase in ["generator", "prefill", "decode", "median"] {
        assert!(
            both["modes"]["implicit"]["ms"][phase].as_f64() > Some(0.0),
            "{phase}: {both}"
        );
    }
}

#[test]
fn the_sweep_samples_at_the_published_temperatures_beside_greedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = question_file(folder.path());
    let options = [
        "--data",
        &file,
        "--modes",
        "direct,explicit",
        "--sweep",
        "--seeds",
        "3",
    ];
    let found = scores(&options);
    // Greedy answers are the same with every seed: asked once.
    assert_eq!(found["modes"]["direct"]["n"], 3);
    assert_eq!(found["modes"]["direct"].get("over_seeds"), None);
    assert_eq!(found["modes"]["explicit"]["strict"], 2.0 / 3.0);
    let sampled = found["sampled"].as_array().expect("a list");
    let temperatures: Vec<f64> = sampled
        .iter()
        .filter_map(|it| it["temperature"].as_f64())
        .collect();
    let expected = [0.1, 0.3, 0.5, 0.7, 0.9];
    assert!(
        temperatures
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-6),
        "{temperatures:?}"
    );
    assert_eq!(temperatures.len(), 5);
    for at in sampled {
        assert_eq!((&at["top_k"], &at["max_tokens"]), (&json!(50), &json!(30)));
        let explicit = &at["modes"]["explicit"];
        // Questions asked again are no further questions.
        assert_eq!(explicit["n"], 3);
        assert_eq!(explicit["over_seeds"]["seeds"], json!([1, 2, 3]));
        // Written reasoning is longer than the limit of an answer, and not cut off by it.
        assert!(
            explicit["tokens"].as_f64() > Some(30.0) || explicit["strict"] == 2.0 / 3.0,
            "{explicit}"
        );
    }
    let without_times = |found: &Value| -> Vec<Value> {
        let scores = found["sampled"].as_array().expect("a list").iter();
        scores
            .map(|it| it["modes"]["direct"]["over_seeds"].clone())
            .collect()
    };
    assert_eq!(
        without_times(&scores(&options)),
        without_times(&found),
        "a seed decides every token"
    );
}

#[test]
fn what_cannot_be_evaluated_is_named_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let questions = question_file(folder.path());
    let broken = put(
        "broken.json",
        b"[{\"query\": \"a\", \"answer\": \"1\"},\n{\"query\": 7}]",
    );
    let binary = put("binary.json", &[0xff, 0xfe, 0x00]);
    let table = put("table.csv", b"Question,Answer\nHow many?,7\n");
    let missing = folder.path().join("missing.json");
    let missing = missing.to_str().expect("a path");
    for (arguments, expected) in [
        (
            &["--data", questions.as_str(), "--seeds", "2"][..],
            "the same with every seed",
        ),
        (&["--data", &broken], "broken.json: item 2 has no question"),
        (
            &["--data", &binary],
            "binary.json: stream did not contain valid UTF-8",
        ),
        (&["--data", &table], "table.csv: line 1, column 1: not JSON"),
        (&["--data", missing], "missing.json: No such file"),
        (&["--family", "coin", "--count", "0"], "no questions to ask"),
        (
            &["--family", "coin", "--count", "1", "--max-tokens", "0"],
            "the number of tokens to write is 0",
        ),
    ] {
        let output = eval(arguments);
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(
            error.contains(expected) && error.lines().count() == 1,
            "{error}, expected {expected}"
        );
    }
}
