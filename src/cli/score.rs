//! `semcot score`: held-out accuracy and cost of a run's generator, or of the method in its place, on the training
//! backend.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CommandError;
use super::data::{Difficulty, Family};
use super::train::BackendName;
use crate::train::config::Config;
use crate::train::published::config::PublishedConfig;
use crate::train::published::run::PublishedRun;
use crate::train::research::held_out;
use crate::train::score::ScoreFile;
use crate::train::stages::{CONFIG_FILE, Run};
use crate::train::trainer::Begin;

/// Measure a run's generator, or the method in its place, on held-out problems without exporting it.
#[derive(Args)]
pub struct Score {
    /// The folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// What the problems are about. A published run is asked the evaluation items of its data set instead, by both rules,
    /// with the most likely tokens and at each of its temperatures.
    #[arg(long)]
    family: Option<Family>,
    /// The folder with the data set of a published run.
    #[arg(long)]
    data: Option<PathBuf>,
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

/// Runs the command.
pub fn run(arguments: &Score) -> Result<(), CommandError> {
    let path = arguments.run.join(CONFIG_FILE);
    let command = super::command_line();
    if PublishedConfig::is_in(&path)? {
        return score_published(arguments, &path, command);
    }
    let config = Config::read(&path)?;
    let Some(family) = arguments.family.map(Into::into) else {
        return Err("say with --family what the problems are about".into());
    };
    let settings = arguments.difficulty.settings(family);
    let problems = held_out(family, &settings, arguments.seed, arguments.count)?;
    let run = Run::new(
        config,
        arguments.run.clone(),
        Begin::Resume,
        arguments.backend.backend(),
    );
    let file = ScoreFile::new(command, &run.config, family, run.score(&problems)?);
    println!("{}", file.summary());
    if let Some(path) = &arguments.json {
        file.write(path)?;
    }
    Ok(())
}

fn score_published(
    arguments: &Score,
    config: &Path,
    command: Vec<String>,
) -> Result<(), CommandError> {
    let config = PublishedConfig::read(config)?;
    let backend = arguments.backend.backend();
    let mut run = PublishedRun::new(config, arguments.run.clone(), Begin::Resume, backend);
    run.data.clone_from(&arguments.data);
    let score = run.score(command)?;
    println!("{}", score.summary());
    if let Some(path) = &arguments.json {
        score.write(path)?;
    }
    Ok(())
}
