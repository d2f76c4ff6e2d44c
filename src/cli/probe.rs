//! `semcot probe`: what can be read from implicit tokens, and what follows from exchanging them.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::evaluation::look::Share;
use crate::evaluation::probe::{Place, Probed, Progress, probe};
use crate::model::run::Inspect;
use crate::problems::{self, Problem, Settings, Split, generate};
use crate::reasoning::Pair;

use super::CommandError;
use super::data::{Difficulty, Family};
use super::pair::{DeviceArguments, OpenPair};

/// Does it reason? Read each step's result from each implicit token by linear probes, and give questions the implicit tokens
/// of others.
#[derive(Args)]
pub struct Arguments {
    /// Model folder (with semcot.json).
    #[arg(long)]
    model: PathBuf,
    /// Family of the problems.
    #[arg(long)]
    family: Family,
    /// Problems of the training split that the probes are fitted on.
    #[arg(long, default_value_t = 4000)]
    train: usize,
    /// Held-out problems that they are asked on, and that exchange implicit tokens.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Seed of the problems.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    difficulty: Difficulty,
    /// Number of implicit tokens (default: the pair's own).
    #[arg(long)]
    implicit_tokens: Option<u32>,
    #[command(flatten)]
    device: DeviceArguments,
    /// Write what was found to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Written<'a> {
    command: Vec<String>,
    device: &'a str,
    #[serde(flatten)]
    probed: &'a Probed,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match pollster::block_on(OpenPair::open(&arguments.model, &arguments.device))? {
        OpenPair::Gpu(mut pair) => {
            let device = pair.executor().target().gpu().info().name.clone();
            pollster::block_on(print(&mut pair, &device, arguments))
        }
        OpenPair::Cpu(mut pair) => pollster::block_on(print(&mut pair, "CPU twin", arguments)),
        OpenPair::Simd(mut pair) => pollster::block_on(print(&mut pair, "CPU", arguments)),
    }
}

async fn print<E: Inspect>(
    pair: &mut Pair<E>,
    device: &str,
    arguments: &Arguments,
) -> Result<(), CommandError>
where
    E::Error: Send + Sync,
{
    let family: problems::Family = arguments.family.into();
    let settings = arguments.difficulty.settings(family);
    let drawn = |split, count| draw(family, split, arguments.seed, &settings, count);
    let train = drawn(Split::Train, arguments.train)?;
    let heldout = drawn(Split::Heldout, arguments.count)?;
    if train.is_empty() || heldout.is_empty() {
        return Err(
            "there are no problems to probe with: --train and --count must be above 0".into(),
        );
    }
    let shows_progress = std::io::stderr().is_terminal();
    let on_progress = |progress: Progress| {
        let every_hundred =
            matches!(progress, Progress::States(it) | Progress::Swaps(it) if it % 100 == 0);
        if shows_progress && (every_hundred || matches!(progress, Progress::Probes(_))) {
            eprintln!("{progress:?}");
        }
    };
    let probed = probe(
        pair,
        &train,
        &heldout,
        arguments.implicit_tokens,
        on_progress,
    )
    .await?;
    println!("on {device}");
    print_probed(&probed);
    if let Some(path) = &arguments.json {
        let written = Written {
            command: super::command_line(),
            device,
            probed: &probed,
        };
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn draw(
    family: problems::Family,
    split: Split,
    seed: u64,
    settings: &Settings,
    count: usize,
) -> Result<Vec<Problem>, CommandError> {
    Ok(generate(family, split, seed, settings)?
        .take(count)
        .collect())
}

fn print_probed(found: &Probed) {
    let percent = |it: Share| {
        format!(
            "{:5.1} % ({:.1}–{:.1} %)",
            100.0 * it.share,
            100.0 * it.interval.low,
            100.0 * it.interval.high
        )
    };
    println!(
        "{} problems to fit probes on, {} held out",
        found.fitted_on, found.n
    );
    for probe in &found.probes {
        let what = probe
            .step
            .map_or("last result".to_owned(), |step| format!("result {step}"));
        let place = match probe.from {
            Place::ImplicitToken(number) => format!("implicit token {number}"),
            Place::AllImplicitTokens => "all implicit tokens".to_owned(),
            Place::QuestionInGenerator => "question in generator".to_owned(),
            Place::QuestionInTarget => "question in target".to_owned(),
        };
        println!(
            "{what:<12} from {place:<22} {}; by chance {}; n {}",
            percent(probe.right),
            percent(probe.chance),
            probe.n
        );
    }
    let swaps = &found.swaps;
    println!("{} pairs exchanged their implicit tokens", swaps.n);
    println!(
        "the answer follows the implicit tokens {}",
        percent(swaps.followed_vectors)
    );
    println!(
        "the answer follows the question        {}",
        percent(swaps.followed_question)
    );
    println!(
        "the answer follows neither             {}",
        percent(swaps.followed_neither)
    );
    println!(
        "a third problem's answer, by chance    {}",
        percent(swaps.third_problem)
    );
}
