//! `semcot eval`: accuracy and cost of a pair over many questions, on the engine itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::evaluation::run::{Score, evaluate};
use crate::evaluation::{Item, read_items};
use crate::formats::manifest::{self, Manifest};
use crate::model::run::Execute;
use crate::problems::{self, Split, generate};
use crate::reasoning::{AskOptions, Mode, Pair};

use super::CommandError;
use super::data::{Difficulty, Family};
use super::pair::{DeviceArguments, OpenPair};

/// Measure a pair's accuracy and cost.
#[derive(Args)]
pub struct Arguments {
    /// Model folder (with semcot.json).
    #[arg(long)]
    model: PathBuf,
    /// Draw held-out problems of a built-in family.
    #[arg(long, required_unless_present = "data", conflicts_with = "data")]
    family: Option<Family>,
    /// How many problems to draw, or how many items of the file to take at most.
    #[arg(long)]
    count: Option<usize>,
    /// Seed of the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    difficulty: Difficulty,
    /// A file of questions with answers instead: JSON lines or a JSON array.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Modes, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "implicit,explicit,direct"
    )]
    modes: Vec<Mode>,
    /// Number of implicit tokens (default: the pair's own).
    #[arg(long)]
    implicit_tokens: Option<u32>,
    /// Most tokens to write (default: the pair's own).
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Tokens decoded a submit (default: from the device's measured read-back).
    #[arg(long)]
    tokens_per_submit: Option<u32>,
    #[command(flatten)]
    device: DeviceArguments,
    /// Write the scores to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Put the accuracies into the folder's semcot.json, where the page shows them. For a family as it is by default.
    #[arg(long, requires = "family", conflicts_with_all = ["max_value", "min_steps", "max_steps"])]
    record: bool,
    /// Print every wrong answer.
    #[arg(long)]
    show_wrong: bool,
}

/// Problems drawn where `--count` is absent.
const DEFAULT_COUNT: usize = 1000;

/// What `--json` writes.
#[derive(Serialize)]
struct Written<'a> {
    command: Vec<String>,
    device: &'a str,
    modes: BTreeMap<Mode, Score>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let items = items(arguments)?;
    if items.is_empty() {
        return Err("there are no questions to ask".into());
    }
    match pollster::block_on(OpenPair::open(&arguments.model, &arguments.device))? {
        OpenPair::Gpu(mut pair) => {
            let device = pair.executor().target().gpu().info().name.clone();
            pollster::block_on(score(&mut pair, &items, &device, arguments))
        }
        OpenPair::Cpu(mut pair) => {
            pollster::block_on(score(&mut pair, &items, "CPU twin", arguments))
        }
        OpenPair::Simd(mut pair) => pollster::block_on(score(&mut pair, &items, "CPU", arguments)),
    }
}

fn items(arguments: &Arguments) -> Result<Vec<Item>, CommandError> {
    if let Some(path) = &arguments.data {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        let mut items = read_items(&text).map_err(|error| named(&error))?;
        items.truncate(arguments.count.unwrap_or(usize::MAX));
        return Ok(items);
    }
    let family: problems::Family = arguments
        .family
        .ok_or("name a --family or a --data file")?
        .into();
    let settings = arguments.difficulty.settings(family);
    let problems = generate(family, Split::Heldout, arguments.seed, &settings)?;
    Ok(problems
        .take(arguments.count.unwrap_or(DEFAULT_COUNT))
        .map(Item::from)
        .collect())
}

async fn score<E: Execute>(
    pair: &mut Pair<E>,
    items: &[Item],
    device: &str,
    arguments: &Arguments,
) -> Result<(), CommandError>
where
    E::Error: Send + Sync,
{
    let options = AskOptions {
        implicit_tokens: arguments.implicit_tokens,
        max_tokens: arguments.max_tokens,
        tokens_per_submit: arguments.tokens_per_submit,
        ..AskOptions::new(Mode::Implicit)
    };
    let scores = evaluate(pair, items, &arguments.modes, &options, |asked| {
        if arguments.show_wrong && !asked.strict {
            println!(
                "{} {:?} for {:?}: {}",
                asked.answer.mode, asked.answer.answer, asked.truth, asked.question
            );
        }
        ControlFlow::Continue(())
    })
    .await?;
    println!("on {device}");
    println!("mode      n      strict  95 %            official  tokens  ms (median)");
    for (mode, score) in &scores {
        println!(
            "{:<9} {:<6} {:>5.1} %  {:>5.1}–{:>5.1} %   {:>5.1} %   {:>6.1}  {:>8.2}",
            mode.name(),
            score.accuracy.n,
            100.0 * score.accuracy.strict,
            100.0 * score.accuracy.strict_interval.low,
            100.0 * score.accuracy.strict_interval.high,
            100.0 * score.accuracy.official,
            score.tokens,
            score.ms.median,
        );
    }
    if let (true, Some(family)) = (arguments.record, arguments.family) {
        record(&arguments.model, family.into(), &scores)?;
    }
    if let Some(path) = &arguments.json {
        let written = Written {
            command: std::env::args().skip(1).collect(),
            device,
            modes: scores,
        };
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Writes the accuracies of a family into the manifest of a model folder.
fn record(
    folder: &Path,
    family: problems::Family,
    scores: &BTreeMap<Mode, Score>,
) -> Result<(), CommandError> {
    let path = folder.join(manifest::FILE_NAME);
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(&path).map_err(|error| named(&error))?;
    let mut manifest = Manifest::parse(&bytes)?;
    for (mode, score) in scores {
        manifest.record(manifest::Accuracy {
            family: family.name().to_owned(),
            mode: mode.name().to_owned(),
            n: u32::try_from(score.accuracy.n)?,
            strict: score.accuracy.strict,
            more: serde_json::Map::new(),
        });
    }
    std::fs::write(&path, manifest.to_json()).map_err(|error| named(&error))?;
    Ok(())
}
