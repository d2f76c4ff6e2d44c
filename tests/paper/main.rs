//! The published configuration from a configuration file, by the command: published folders in, a scored and exported pair
//! out.
//!
//! `fixture` holds it against what the authors' code gives, where reference values are at hand; `chain` runs it on folders
//! of its own, small and random but of the published form, and holds the exported pair against training.

#![cfg(feature = "train")]

mod chain;
mod fixture;
mod folders;
mod hub;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A fresh folder.
fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("paper")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    folder
}

fn semcot(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semcot"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A stage of the run `run`, with configuration and data of `folder`, on one thread.
fn stage(folder: &Path, run: &str, stage: &str) -> Command {
    let mut command = semcot(&["train", stage, "--resume", "--threads", "1"]);
    command
        .arg("--config")
        .arg(folder.join("paper.toml"))
        .arg("--run")
        .arg(folder.join(run))
        .arg("--data")
        .arg(folder);
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the command starts")
}

/// What the command printed; it must have ended well.
fn printed(command: Command) -> String {
    let output = output(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What the command said as it failed.
fn refused(command: Command) -> String {
    let output = output(command);
    assert!(!output.status.success(), "the command ended well");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn started(mut command: Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts")
}
