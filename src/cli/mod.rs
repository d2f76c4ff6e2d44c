//! The command: one file a subcommand, each with its arguments, one call into the library, and what is printed.

mod ask;
mod bench;
mod convert;
mod data;
mod eval;
#[cfg(feature = "train")]
mod export;
mod generate;
mod inspect;
mod kernels;
mod logits;
mod look;
mod pair;
mod probe;
mod report;
#[cfg(feature = "train")]
mod research;
#[cfg(feature = "train")]
mod score;
mod tokenize;
#[cfg(feature = "train")]
mod train;

use clap::{Parser, Subcommand};

/// What followed the program's name: written into every file of results, so that it can be made again.
fn command_line() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// Implicit reasoning with small language models.
#[derive(Parser)]
#[command(name = "semcot", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Ask(ask::Arguments),
    Bench(bench::Arguments),
    Convert(convert::Arguments),
    Data(data::Data),
    Eval(eval::Arguments),
    Generate(generate::Arguments),
    Inspect(inspect::Arguments),
    Kernels(kernels::Arguments),
    Logits(logits::Logits),
    Look(look::Arguments),
    Probe(probe::Arguments),
    Report(report::Arguments),
    Tokenize(tokenize::Arguments),
    #[cfg(feature = "train")]
    Train(train::Train),
    #[cfg(feature = "train")]
    Export(export::Export),
    #[cfg(feature = "train")]
    Score(score::Score),
    #[cfg(feature = "train")]
    Research(research::Research),
}

/// What a subcommand can end with besides success: a message for the person at the terminal.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// Parses the process's arguments and runs the subcommand.
pub fn run() -> Result<(), CommandError> {
    match Arguments::parse().command {
        Command::Ask(arguments) => ask::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Data(data) => data::run(&data),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Kernels(arguments) => kernels::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Logits(logits) => logits::run(&logits),
        Command::Look(arguments) => look::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Tokenize(arguments) => tokenize::run(&arguments),
        #[cfg(feature = "train")]
        Command::Train(train) => train::run(&train),
        #[cfg(feature = "train")]
        Command::Export(export) => export::run(&export),
        #[cfg(feature = "train")]
        Command::Score(score) => score::run(&score),
        #[cfg(feature = "train")]
        Command::Research(research) => research::run(&research),
    }
}
