//! `semcot data` as a person runs it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn semcot(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semcot"));
    command.arg("data").args(arguments);
    command
}

fn lines(arguments: &[&str]) -> Vec<serde_json::Value> {
    let output = semcot(arguments).output().expect("the command runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

#[test]
fn every_line_is_a_problem_with_all_its_fields() {
    for family in ["arithmetic", "coin"] {
        let problems = lines(&[
            "--family", family, "--split", "heldout", "--seed", "5", "--count", "20",
        ]);
        assert_eq!(problems.len(), 20);
        for problem in &problems {
            for field in ["query", "reasoning", "condensed_reasoning", "answer"] {
                assert!(
                    problem[field].as_str().is_some_and(|text| !text.is_empty()),
                    "{problem}"
                );
            }
            assert_eq!(problem["family"], family);
            assert!(
                problem["steps"]
                    .as_u64()
                    .is_some_and(|steps| (2..=8).contains(&steps))
            );
        }
        assert_eq!(
            problems,
            lines(&[
                "--family", family, "--split", "heldout", "--seed", "5", "--count", "20"
            ])
        );
    }
}

#[test]
fn steps_and_values_follow_the_options() {
    let arguments = [
        "--family",
        "arithmetic",
        "--count",
        "50",
        "--min-steps",
        "6",
        "--max-steps",
        "6",
        "--max-value",
        "99",
    ];
    assert!(
        lines(&arguments)
            .iter()
            .all(|problem| problem["steps"] == 6)
    );
    assert!(
        lines(&["--family", "coin", "--min-steps", "9"])
            .iter()
            .all(|problem| problem["steps"] == 9)
    );
    assert!(
        lines(&["--family", "coin", "--max-steps", "1"])
            .iter()
            .all(|problem| problem["steps"] == 1)
    );
}

#[test]
fn impossible_options_are_refused_with_the_reason() {
    let output = semcot(&["--family", "arithmetic", "--max-value", "1"])
        .output()
        .expect("the command runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("max_value is 1"));
}

#[test]
fn a_reader_that_stops_early_ends_the_command_quietly() {
    let mut command = semcot(&["--family", "coin", "--count", "200000"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    reader.read_line(&mut first).expect("a line");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
