//! The command: one file a subcommand, each with its arguments, one call into the library, and what is printed.

mod data;
mod logits;

use clap::{Parser, Subcommand};

/// Implicit reasoning with small language models.
#[derive(Parser)]
#[command(name = "semcot", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Data(data::Data),
    Logits(logits::Logits),
}

/// What a subcommand can end with besides success: a message for the person at the terminal.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// Parses the process's arguments and runs the subcommand.
pub fn run() -> Result<(), CommandError> {
    match Arguments::parse().command {
        Command::Data(data) => data::run(&data),
        Command::Logits(logits) => logits::run(&logits),
    }
}
