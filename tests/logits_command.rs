//! `semcot logits` as a person runs it.

#![cfg(not(target_arch = "wasm32"))]

use std::process::{Command, Output};

use serde_json::Value;

const MODEL: &str = "tests/data/tiny-target.gguf";

/// f32 on both devices: sums in f32 against sums in f64.
const TOLERANCE: f64 = 5e-4;

fn logits(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .args(["logits", "--model", MODEL, "--json"])
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn printed(arguments: &[&str]) -> Value {
    let output = logits(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn values(printed: &Value) -> Vec<f64> {
    let rows = printed["logits"].as_array().expect("rows");
    let rows = rows.iter().map(|row| row.as_array().expect("a row"));
    rows.flatten()
        .map(|value| value.as_f64().expect("a number"))
        .collect()
}

#[test]
fn both_devices_print_the_same_logits_at_the_same_positions() {
    for all in [&[] as &[&str], &["--all"]] {
        let on = |device| {
            let same = ["--ids", "3,17,40,8,22", "--kv", "f32", "--device", device];
            printed(&[&same, all].concat())
        };
        let (gpu, cpu) = (on("gpu"), on("cpu"));
        assert_eq!(gpu["positions"], cpu["positions"]);
        assert_eq!(gpu["vocab_size"], cpu["vocab_size"]);
        let (gpu, cpu) = (values(&gpu), values(&cpu));
        assert_eq!(gpu.len(), cpu.len());
        assert!(!gpu.is_empty(), "there were no logits");
        for (gpu, cpu) in gpu.iter().zip(&cpu) {
            assert!((gpu - cpu).abs() <= TOLERANCE, "{gpu} {cpu}");
        }
    }
}

#[test]
fn an_id_outside_the_vocabulary_is_refused_on_both_devices() {
    for device in ["gpu", "cpu"] {
        let output = logits(&["--ids", "3,100000", "--device", device]);
        assert!(!output.status.success(), "{device}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("100000"), "{device}: {errors}");
    }
}
