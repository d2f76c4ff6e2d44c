//! `semcot look`: the implicit tokens of a question, or what looking at those of many shows.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::evaluation::look::{Looked, Share, look};
use crate::formats::manifest;
use crate::model::run::Inspect;
use crate::problems::{self, Problem, Settings, Split, generate};
use crate::reasoning::inspect::Compare;
use crate::reasoning::{InspectOptions, Inspection, Pair};

use super::CommandError;
use super::data::Family;
use super::pair::{DeviceArguments, OpenPair, update_manifest};

/// Look inside the implicit tokens: nearest words, and the reasoning that they read most like.
#[derive(Args)]
pub struct Arguments {
    /// Model folder (with semcot.json and a sentence transformer).
    #[arg(long)]
    model: PathBuf,
    /// Family of the reasonings that are compared with; without a question, of the problems too.
    #[arg(long)]
    family: Family,
    /// Held-out problems to look at, where no question is given.
    #[arg(long, default_value_t = 500)]
    count: usize,
    /// Reasonings of other held-out problems to compare with.
    #[arg(long, default_value_t = 99)]
    bank: usize,
    /// Seed of the problems.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of implicit tokens (default: the pair's own).
    #[arg(long)]
    implicit_tokens: Option<u32>,
    /// Words shown for each vector.
    #[arg(long, default_value_t = 5)]
    nearest: u32,
    #[command(flatten)]
    device: DeviceArguments,
    /// Write what was found over many questions to this file as JSON.
    #[arg(long, conflicts_with = "question")]
    json: Option<PathBuf>,
    /// Put how often the own reasoning comes first into the folder's semcot.json, where the page shows it.
    #[arg(long, conflicts_with_all = ["question", "implicit_tokens"])]
    record: bool,
    /// A question; absent: many.
    question: Option<String>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Written<'a> {
    command: Vec<String>,
    device: &'a str,
    #[serde(flatten)]
    looked: &'a Looked,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let opened = OpenPair::open_with_sentence_transformer(&arguments.model, &arguments.device);
    match pollster::block_on(opened)? {
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
    let drawn = generate(family, Split::Heldout, arguments.seed, &Settings::default())?;
    let count = match arguments.question {
        Some(_) => 0,
        None => arguments.count,
    };
    let problems: Vec<Problem> = drawn.take(count + arguments.bank).collect();
    let (asked, others) = problems.split_at(count);
    if let Some(question) = &arguments.question {
        let options = InspectOptions {
            implicit_tokens: arguments.implicit_tokens,
            nearest: arguments.nearest,
            compare: Some(Compare {
                reasoning: None,
                bank: others.iter().map(|it| it.reasoning.clone()).collect(),
            }),
        };
        print_one(&pair.inspect(question, &options).await?);
        return Ok(());
    }
    let go_on = |_| ControlFlow::Continue(());
    let looked = look(pair, asked, others, arguments.implicit_tokens, go_on).await?;
    println!("on {device}");
    print_many(&looked);
    if arguments.record {
        record(&arguments.model, family, &looked)?;
    }
    if let Some(path) = &arguments.json {
        let written = Written {
            command: super::command_line(),
            device,
            looked: &looked,
        };
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Writes what was found of a family into the manifest of a model folder.
fn record(folder: &Path, family: problems::Family, found: &Looked) -> Result<(), CommandError> {
    update_manifest(folder, |manifest| {
        manifest.record_alignment(manifest::Alignment {
            family: family.name().to_owned(),
            n: u32::try_from(found.n)?,
            bank: u32::try_from(found.bank)?,
            own_first: found.own_first.share,
        });
        Ok(())
    })
}

fn print_one(found: &Inspection) {
    for (index, vector) in found.vectors.iter().enumerate() {
        let words = vector.nearest.iter();
        let words: Vec<_> = words
            .map(|it| format!("{:?} {:.2}", it.text, it.cosine))
            .collect();
        println!(
            "vector {}: length {:.2}; {}",
            index + 1,
            vector.norm,
            words.join(", ")
        );
    }
    if let Some(scale) = found.vocabulary {
        println!(
            "embeddings: length {:.2}; a random direction's nearest word has {:.2}",
            scale.median_norm, scale.chance_cosine
        );
    }
    println!("cosines between vectors:");
    for row in &found.cosines {
        let row: Vec<_> = row.iter().map(|it| format!("{it:5.2}")).collect();
        println!("  {}", row.join(" "));
    }
    let Some(alignment) = &found.alignment else {
        return;
    };
    let all = alignment.ranking.len();
    println!(
        "its own reasoning is number {} of {all} by likeness:",
        alignment.rank
    );
    let shown = alignment.ranking.iter().enumerate();
    for (index, it) in shown.filter(|(index, it)| *index < 5 || it.own) {
        let mark = if it.own { "*" } else { " " };
        println!("{mark}{:4}  {:.3}  {}", index + 1, it.cosine, it.text);
    }
}

fn print_many(found: &Looked) {
    let percent = |it: Share| {
        format!(
            "{:.1} % ({:.1}–{:.1} %)",
            100.0 * it.share,
            100.0 * it.interval.low,
            100.0 * it.interval.high
        )
    };
    println!(
        "{} questions, each beside {} other reasonings",
        found.n, found.bank
    );
    println!("own reasoning first       {}", percent(found.own_first));
    println!(
        "own among the first five  {}",
        percent(found.own_among_five)
    );
    println!("median place              {}", found.median_rank);
    println!(
        "median cosine             {:.3}, best other {:.3}",
        found.own_cosine, found.best_other_cosine
    );
    println!("answer among nearest      {}", percent(found.answer_near));
    println!(
        "another's answer          {}",
        percent(found.other_answer_near)
    );
    println!(
        "nearest word's cosine     {:.3}, by chance {:.3}",
        found.nearest_cosine, found.chance_cosine
    );
    println!(
        "length                    {:.2}, of embeddings {:.2}",
        found.norm, found.embedding_norm
    );
    println!("cosine between vectors    {:.3}", found.vector_cosine);
}
