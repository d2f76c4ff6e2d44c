//! `semcot generate` and `semcot tokenize` as a person runs them, on the tiny pair's target.

#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn semcot(command: &str, arguments: &[&str]) -> Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny-target.gguf");
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .arg(command)
        .arg("--model")
        .arg(model)
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn json(command: &str, arguments: &[&str]) -> Value {
    let output = semcot(command, &[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("JSON is printed")
}

#[test]
fn tokenize_prints_ids_and_finds_control_tokens_only_when_asked() {
    assert_eq!(
        json("tokenize", &["CAB"])["ids"],
        serde_json::json!([2, 43])
    );
    let special = json("tokenize", &["--special", "CAB<answer>"]);
    assert_eq!(special["ids"], serde_json::json!([2, 43, 46]));
}

#[test]
fn generate_writes_the_same_text_for_the_same_seed_and_another_for_another() {
    let run = |seed: &str| {
        let options = ["--device", "cpu", "--ids", "3,17,40", "--max-tokens", "24"];
        let sampling = ["--ignore-eos", "--temperature", "1", "--seed", seed];
        json("generate", &[&options[..], &sampling].concat())
    };
    let first = run("1");
    assert_eq!(first["ids"].as_array().unwrap().len(), 24);
    assert!(!first["text"].as_str().unwrap().is_empty());
    assert_eq!(run("1"), first);
    assert_ne!(run("2"), first);
}

#[test]
fn a_prompt_of_text_is_the_prompt_of_its_ids() {
    let options = ["--device", "cpu", "--max-tokens", "5"];
    let by_text = json("generate", &[&options[..], &["CAB"]].concat());
    let by_ids = json("generate", &[&options[..], &["--ids", "2,43"]].concat());
    assert_eq!(by_text, by_ids);
}

#[test]
fn what_cannot_be_generated_is_named_in_one_line() {
    for (arguments, named) in [
        (["--ids", "1", "--top-p", "2"], "top-p is 2"),
        (["--ids", "1", "--max-tokens", "90"], "room for 64"),
        (["--ids", "99", "--max-tokens", "2"], "token 99"),
    ] {
        let output = semcot("generate", &[&arguments[..], &["--device", "cpu"]].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(named) && error.lines().count() == 1,
            "{error}"
        );
    }
}
