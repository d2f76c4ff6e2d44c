//! `semcot ask`: one question, in one mode or all, as text or JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::model::run::Execute;
use crate::reasoning::{Answer, AskOptions, Mode, Pair, Piece};

use super::CommandError;
use super::pair::{DeviceArguments, OpenPair};

/// Ask a pair one question.
#[derive(Args)]
pub struct Arguments {
    /// Model folder (with semcot.json).
    #[arg(long)]
    model: PathBuf,
    /// implicit, explicit, direct, or all.
    #[arg(long, default_value = "implicit")]
    mode: ModeChoice,
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
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// The question.
    question: String,
}

/// A mode, or all of them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeChoice {
    Implicit,
    Explicit,
    Direct,
    All,
}

impl ModeChoice {
    fn modes(self) -> &'static [Mode] {
        match self {
            ModeChoice::Implicit => &[Mode::Implicit],
            ModeChoice::Explicit => &[Mode::Explicit],
            ModeChoice::Direct => &[Mode::Direct],
            ModeChoice::All => &Mode::ALL,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed {
    modes: BTreeMap<Mode, Answer>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match pollster::block_on(OpenPair::open(&arguments.model, &arguments.device))? {
        OpenPair::Gpu(mut pair) => pollster::block_on(ask(&mut pair, arguments)),
        OpenPair::Cpu(mut pair) => pollster::block_on(ask(&mut pair, arguments)),
        OpenPair::Simd(mut pair) => pollster::block_on(ask(&mut pair, arguments)),
    }
}

async fn ask<E: Execute>(pair: &mut Pair<E>, arguments: &Arguments) -> Result<(), CommandError>
where
    E::Error: Send + Sync,
{
    let modes = arguments.mode.modes();
    let options = |mode| AskOptions {
        implicit_tokens: arguments.implicit_tokens,
        max_tokens: arguments.max_tokens,
        tokens_per_submit: arguments.tokens_per_submit,
        ..AskOptions::new(mode)
    };
    let silent = |_| ControlFlow::Continue(());
    // Unmeasured first: pipelines are compiled and caches filled, so that modes compare fairly.
    for &mode in modes {
        let once = AskOptions {
            max_tokens: Some(1),
            ..options(mode)
        };
        pair.ask(&arguments.question, &once, silent).await?;
    }
    let mut answers = BTreeMap::new();
    for &mode in modes {
        if !arguments.json {
            println!("{mode}");
        }
        let answer = pair
            .ask(&arguments.question, &options(mode), |piece| {
                if !arguments.json {
                    print_piece(&piece);
                }
                ControlFlow::Continue(())
            })
            .await?;
        if !arguments.json {
            print_summary(&answer);
        }
        answers.insert(mode, answer);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&Printed { modes: answers })?);
    }
    Ok(())
}

fn print_piece(piece: &Piece) {
    match piece {
        Piece::ImplicitTokens { count } => println!("  [{count} implicit tokens]"),
        // The summary shows the answer itself.
        Piece::Text { answer: true, .. } => {}
        Piece::Text { text, .. } => {
            print!("{text}");
            // A terminal that went away ends the run at the next line, not here.
            let _ = std::io::stdout().flush();
        }
    }
}

fn print_summary(answer: &Answer) {
    println!(
        "\n  answer: {}   {:.1} ms, {} tokens, {} target passes, {} generator passes\n",
        if answer.answer.is_empty() {
            "(none)"
        } else {
            &answer.answer
        },
        answer.ms.total,
        answer.tokens,
        answer.target_passes,
        answer.generator_passes,
    );
}

#[cfg(test)]
mod tests {
    use super::ModeChoice;
    use crate::reasoning::Mode;

    #[test]
    fn all_means_every_mode() {
        assert_eq!(ModeChoice::All.modes(), Mode::ALL);
    }
}
