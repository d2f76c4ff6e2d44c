//! `semcot kernels` as a person runs it.

#![cfg(not(target_arch = "wasm32"))]

use std::process::{Command, Output};

use semcot::gpu::KERNELS;
use semcot::weights::WeightType;

fn kernels(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .arg("kernels")
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn printed(arguments: &[&str]) -> String {
    let output = kernels(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_list_names_every_kernel_and_each_can_be_dumped() {
    let list = printed(&["--list"]);
    assert_eq!(list.lines().count(), KERNELS.len());
    for (kernel, line) in KERNELS.iter().zip(list.lines()) {
        assert!(line.starts_with(kernel.name), "{line}");
        let dumped = printed(&["--dump", kernel.name, "--weights", "f32"]);
        assert!(dumped.contains(&format!("fn {}(", kernel.entry_point)));
    }
}

#[test]
fn a_dump_has_the_parts_that_were_asked_for() {
    for weight_type in WeightType::ALL {
        let part = format!("shaders/weights/{}.wgsl", weight_type.name().to_lowercase());
        let part = std::fs::read_to_string(part).expect("the type has its part");
        let dumped = printed(&[
            "--dump",
            "matvec",
            "--weights",
            weight_type.name(),
            "--reduce",
            "subgroup",
        ]);
        assert!(dumped.contains(&part), "{}", weight_type.name());
        assert!(dumped.contains("subgroupAdd"));
    }
    let attend = printed(&["--dump", "attend", "--kv", "f32"]);
    assert!(attend.contains("alias KvQuad = vec4f;"));
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    for (arguments, expected) in [
        (&["--dump", "matvac"] as &[&str], "matmul_columns"),
        (&["--dump", "matvec"], "needs --weights, one of F32"),
        (&["--dump", "matvec", "--weights", "Q9"], "there are F32"),
        (
            &["--dump", "attend_rows", "--reduce", "subgroup"],
            "--reduce subgroup",
        ),
        (&[], "--list"),
    ] {
        let output = kernels(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}
