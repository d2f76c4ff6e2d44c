//! `semcot report` as a person runs it, on small files of every kind (`tests/data/report/`), against the page and a chart
//! that it wrote before (`expected/` there). To write these anew: `SEMCOT_WRITE_EXPECTED=1 cargo test --test report_command`.

#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// In the order of the tables.
const FILES: [&str; 12] = [
    "tiny.json",
    "tiny-5.json",
    "tiny-k1.json",
    "tiny-k2.json",
    "small-seed1.json",
    "small-seed2.json",
    "pause.json",
    "alpha0.json",
    "alpha0.5.json",
    "look.json",
    "probe.json",
    "target.jsonl",
];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report")
}

fn report(runs: &[PathBuf], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_semcot"))
        .arg("report")
        .args(runs)
        .arg("--out")
        .arg(out)
        .output()
        .expect("the command runs")
}

fn written(runs: &[PathBuf]) -> (tempfile::TempDir, String) {
    let out = tempfile::tempdir().expect("a folder");
    let output = report(runs, out.path());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let page = fs::read_to_string(out.path().join("README.md")).expect("a page");
    (out, page)
}

#[test]
fn every_kind_of_file_becomes_the_expected_page_and_charts() {
    let runs: Vec<PathBuf> = FILES.iter().map(|it| data().join(it)).collect();
    let (out, page) = written(&runs);
    let chart = fs::read_to_string(out.path().join("figures/alpha.svg")).expect("a chart");
    let expected = data().join("expected");
    if std::env::var_os("SEMCOT_WRITE_EXPECTED").is_some() {
        fs::write(expected.join("README.md"), &page).expect("written");
        fs::write(expected.join("alpha.svg"), &chart).expect("written");
    }
    let read = |name: &str| fs::read_to_string(expected.join(name)).expect("an expected file");
    assert_eq!(page, read("README.md"));
    assert_eq!(chart, read("alpha.svg"));
    // All charts that the page names are there, and no others.
    let mut named: Vec<&str> = page
        .split("(figures/")
        .skip(1)
        .filter_map(|it| it.split(')').next())
        .collect();
    named.sort_unstable();
    let entries = fs::read_dir(out.path().join("figures")).expect("charts");
    let mut found: Vec<String> = entries
        .map(|it| {
            it.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    assert_eq!(named, found);
    assert!(found.len() >= 8, "{found:?}");

    let (again, _) = written(&runs);
    for name in &found {
        let bytes = |folder: &Path| fs::read(folder.join("figures").join(name)).expect("a chart");
        assert_eq!(
            bytes(out.path()),
            bytes(again.path()),
            "{name} is not the same twice"
        );
    }
}

#[test]
fn a_report_is_written_anew_and_a_page_of_somebody_else_is_not_replaced() {
    let runs = [data().join("tiny.json")];
    let (out, page) = written(&runs);
    assert!(report(&runs, out.path()).status.success());
    fs::write(out.path().join("README.md"), "# My results\n").expect("written");
    let refused = report(&runs, out.path());
    let error = String::from_utf8(refused.stderr).expect("text");
    assert!(error.contains("README.md is not a report"), "{error}");
    assert_ne!(page, "# My results\n");
    assert_eq!(
        fs::read_to_string(out.path().join("README.md")).expect("a page"),
        "# My results\n"
    );
}

#[test]
fn what_is_no_report_ends_in_one_line_that_names_it_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let tiny = fs::read_to_string(data().join("tiny.json")).expect("a file");
    let cut = put("cut.json", &tiny[..tiny.len() / 2]);
    let other = put("semcot.json", "{\"format\": 1}");
    let twice = [
        data().join("small-seed1.json"),
        put(
            "copy.json",
            &fs::read_to_string(data().join("small-seed1.json")).expect("a file"),
        ),
    ];
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("made");
    for (runs, expected) in [
        (vec![cut], "cut.json: EOF"),
        (
            vec![data().join("tiny.json"), other],
            "semcot.json: neither an evaluation",
        ),
        (twice.to_vec(), "copy.json both hold small, semcot on coin"),
        (vec![empty], "empty: a folder without reports"),
        (
            vec![folder.path().join("nothing.json")],
            "nothing.json: No such file",
        ),
    ] {
        let out = folder.path().join("out");
        let output = report(&runs, &out);
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(expected) && error.lines().count() == 1,
            "{error}, expected {expected}"
        );
        assert!(!out.exists(), "something was written");
    }
}
