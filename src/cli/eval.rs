//! `semcot eval`: accuracy and cost of a pair over many questions, on the engine itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::evaluation::run::{Asked, Evaluation, Questions, Score};
use crate::evaluation::{Item, read_items, sweep};
use crate::formats::manifest;
use crate::model::run::Execute;
use crate::problems::{self, Split, generate};
use crate::reasoning::{AskOptions, Mode, Pair};

use super::CommandError;
use super::data::{Difficulty, Family};
use super::pair::{DeviceArguments, OpenPair, update_manifest};

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
    /// Seed of the problems drawn, and of the tokens where they are sampled.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, from --seed on: mean and standard deviation over them are given too.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    #[command(flatten)]
    difficulty: Difficulty,
    /// A file of questions with answers instead: lines of `semcot data`, the sets of the method's authors, GSM8K, SVAMP,
    /// MultiArith or coin_flip as published; the form is seen from the contents.
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
    /// Besides greedily, answer as the published evaluation does: at temperatures 0.1, 0.3, 0.5, 0.7 and 0.9, each token
    /// drawn from those of the 50 likeliest that hold 0.9 of the probability, answers of at most 30 tokens.
    #[arg(long)]
    sweep: bool,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sampled: Vec<Sampled>,
}

/// The same at one temperature of the sweep.
#[derive(Serialize)]
struct Sampled {
    temperature: f32,
    top_k: u32,
    top_p: f32,
    /// Of an answer without written reasoning.
    max_tokens: u32,
    modes: BTreeMap<Mode, Score>,
}

/// Largest file of questions: the public sets are of a few megabytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    if arguments.data.is_some() && arguments.seeds > 1 && !arguments.sweep {
        return Err("greedy answers to the questions of a file are the same with every seed: leave out --seeds, or sample with --sweep".into());
    }
    let asked = AskedItems::of(arguments)?;
    match pollster::block_on(OpenPair::open(&arguments.model, &arguments.device))? {
        OpenPair::Gpu(mut pair) => {
            let device = pair.executor().target().gpu().info().name.clone();
            pollster::block_on(score(&mut pair, &asked, &device, arguments))
        }
        OpenPair::Cpu(mut pair) => {
            pollster::block_on(score(&mut pair, &asked, "CPU twin", arguments))
        }
        OpenPair::Simd(mut pair) => pollster::block_on(score(&mut pair, &asked, "CPU", arguments)),
    }
}

/// What is asked.
enum AskedItems {
    /// The same with every seed.
    File(Vec<Item>),
    /// Drawn anew for every seed.
    Drawn(Vec<(u64, Vec<Item>)>),
}

impl AskedItems {
    fn of(arguments: &Arguments) -> Result<Self, CommandError> {
        let asked = match &arguments.data {
            Some(path) => Self::File(file_items(path, arguments.count)?),
            None => {
                let drawn = seeds(arguments).map(|seed| Ok((seed, drawn_items(arguments, seed)?)));
                Self::Drawn(drawn.collect::<Result<_, CommandError>>()?)
            }
        };
        match asked.with_seed(arguments.seed).is_empty() {
            true => Err("there are no questions to ask".into()),
            false => Ok(asked),
        }
    }

    fn with_seed(&self, seed: u64) -> &[Item] {
        match self {
            Self::File(items) => items,
            Self::Drawn(drawn) => {
                let found = drawn.iter().find(|(of, _)| *of == seed);
                found.map_or(&[], |(_, items)| items)
            }
        }
    }

    fn questions(&self) -> Questions {
        match self {
            Self::File(_) => Questions::Same,
            Self::Drawn(_) => Questions::OfEachSeed,
        }
    }
}

fn seeds(arguments: &Arguments) -> impl Iterator<Item = u64> + use<> {
    let (first, count) = (arguments.seed, arguments.seeds);
    (0..count).map(move |index| first.wrapping_add(index))
}

fn file_items(path: &Path, most: Option<usize>) -> Result<Vec<Item>, CommandError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::metadata(path)
        .map_err(|error| named(&error))?
        .len();
    if bytes > MAX_FILE_BYTES {
        let message = format!(
            "{bytes} bytes, and more than {MAX_FILE_BYTES} are not read; is it a file of questions?"
        );
        return Err(named(&message).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    let mut items = read_items(&text).map_err(|error| named(&error))?;
    items.truncate(most.unwrap_or(usize::MAX));
    Ok(items)
}

fn drawn_items(arguments: &Arguments, seed: u64) -> Result<Vec<Item>, CommandError> {
    let family: problems::Family = arguments
        .family
        .ok_or("name a --family or a --data file")?
        .into();
    let settings = arguments.difficulty.settings(family);
    let problems = generate(family, Split::Heldout, seed, &settings)?;
    Ok(problems
        .take(arguments.count.unwrap_or(DEFAULT_COUNT))
        .map(Item::from)
        .collect())
}

async fn score<E: Execute>(
    pair: &mut Pair<E>,
    asked: &AskedItems,
    device: &str,
    arguments: &Arguments,
) -> Result<(), CommandError>
where
    E::Error: Send + Sync,
{
    let options = |mode| AskOptions {
        implicit_tokens: arguments.implicit_tokens,
        max_tokens: arguments.max_tokens,
        tokens_per_submit: arguments.tokens_per_submit,
        ..AskOptions::new(mode)
    };
    let on_asked = |asked: &Asked| {
        if arguments.show_wrong && !asked.strict {
            println!(
                "{} {:?} for {:?}: {}",
                asked.answer.mode, asked.answer.answer, asked.truth, asked.question
            );
        }
        ControlFlow::Continue(())
    };
    let mut greedy = Evaluation::new(&arguments.modes, asked.questions());
    // The greedy answers to a file are the same with every seed.
    let greedy_seeds = match asked {
        AskedItems::File(_) => 1,
        AskedItems::Drawn(drawn) => drawn.len(),
    };
    for seed in seeds(arguments).take(greedy_seeds) {
        let items = asked.with_seed(seed);
        greedy.ask(pair, items, seed, options, on_asked).await?;
    }
    let scores = greedy.scores();
    println!("on {device}");
    print_scores("greedy", &scores);

    let mut sampled = Vec::new();
    let temperatures = sweep::TEMPERATURES.iter().filter(|_| arguments.sweep);
    for &temperature in temperatures {
        let options = |mode| AskOptions {
            max_tokens: arguments.max_tokens.or(sweep::max_tokens(mode)),
            sampling: sweep::sampling(temperature, 0),
            ..options(mode)
        };
        let mut evaluation = Evaluation::new(&arguments.modes, asked.questions());
        for seed in seeds(arguments) {
            let items = asked.with_seed(seed);
            evaluation.ask(pair, items, seed, options, on_asked).await?;
        }
        let modes = evaluation.scores();
        print_scores(&format!("temperature {temperature}"), &modes);
        sampled.push(Sampled {
            temperature,
            top_k: sweep::TOP_K,
            top_p: sweep::TOP_P,
            max_tokens: arguments.max_tokens.unwrap_or(sweep::MAX_TOKENS),
            modes,
        });
    }
    if let (true, Some(family)) = (arguments.record, arguments.family) {
        record(&arguments.model, family.into(), &scores)?;
    }
    if let Some(path) = &arguments.json {
        let written = Written {
            command: super::command_line(),
            device,
            modes: scores,
            sampled,
        };
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn print_scores(heading: &str, scores: &BTreeMap<Mode, Score>) {
    println!("{heading}");
    println!(
        "mode      n      strict  95 %            official  95 %            tokens  passes  ms (median; generator, prefill, decode)"
    );
    let phase = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
    for (mode, score) in scores {
        let accuracy = &score.accuracy;
        println!(
            "{:<9} {:<6} {:>5.1} %  {:>5.1}–{:>5.1} %   {:>5.1} %   {:>5.1}–{:>5.1} %   {:>6.1}  {:>6.1}  {:.2}; {}, {}, {}",
            mode.name(),
            accuracy.n,
            100.0 * accuracy.strict,
            100.0 * accuracy.strict_interval.low,
            100.0 * accuracy.strict_interval.high,
            100.0 * accuracy.official,
            100.0 * accuracy.official_interval.low,
            100.0 * accuracy.official_interval.high,
            score.tokens,
            score.target_passes,
            score.ms.median,
            phase(score.ms.generator),
            phase(score.ms.prefill),
            phase(score.ms.decode),
        );
        if let Some(found) = &score.over_seeds {
            println!(
                "          {} seeds: strict {:.1} ± {:.1} %, official {:.1} ± {:.1} %",
                found.seeds.len(),
                100.0 * found.strict.mean,
                100.0 * found.strict.sd,
                100.0 * found.official.mean,
                100.0 * found.official.sd,
            );
        }
    }
}

/// Writes the accuracies of a family into the manifest of a model folder.
fn record(
    folder: &Path,
    family: problems::Family,
    scores: &BTreeMap<Mode, Score>,
) -> Result<(), CommandError> {
    update_manifest(folder, |manifest| {
        for (mode, score) in scores {
            manifest.record(manifest::Accuracy {
                family: family.name().to_owned(),
                mode: mode.name().to_owned(),
                n: u32::try_from(score.accuracy.n)?,
                strict: score.accuracy.strict,
                more: serde_json::Map::new(),
            });
        }
        Ok(())
    })
}
