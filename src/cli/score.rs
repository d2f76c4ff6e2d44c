//! `semcot score`: held-out accuracy of a run's generator or control, on the training backend.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::data::{Difficulty, Family};
use super::train::BackendName;
use crate::evaluation::Accuracy;
use crate::problems::{Problem, Split, generate};
use crate::train::config::{Config, Method};
use crate::train::stages::{CONFIG_FILE, Run};
use crate::train::trainer::Begin;

/// Measure a run's generator, or its control, on held-out problems without exporting it.
#[derive(Args)]
pub struct Score {
    /// The folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// What the problems are about.
    #[arg(long)]
    family: Family,
    /// How many problems.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Seed of the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    difficulty: Difficulty,
    /// What to compute on.
    #[arg(long, value_enum, default_value = "flex")]
    backend: BackendName,
    /// Write the score to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Written {
    command: Vec<String>,
    method: Method,
    modes: BTreeMap<&'static str, Accuracy>,
}

/// Runs the command.
pub fn run(arguments: &Score) -> Result<(), CommandError> {
    let config = Config::read(&arguments.run.join(CONFIG_FILE))?;
    let method = config.generator.method;
    let family = arguments.family.into();
    let settings = arguments.difficulty.settings(family);
    let problems: Vec<Problem> = generate(family, Split::Heldout, arguments.seed, &settings)?
        .take(arguments.count)
        .collect();
    let run = Run::new(
        config,
        arguments.run.clone(),
        Begin::Resume,
        arguments.backend.backend(),
    );
    let accuracy = run.score(&problems)?.accuracy();
    println!(
        "{:.1} % of {} (95 %: {:.1}–{:.1} %)",
        100.0 * accuracy.strict,
        accuracy.n,
        100.0 * accuracy.strict_interval.low,
        100.0 * accuracy.strict_interval.high,
    );
    if let Some(path) = &arguments.json {
        let written = Written {
            command: std::env::args().skip(1).collect(),
            method,
            modes: BTreeMap::from([("implicit", accuracy)]),
        };
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
