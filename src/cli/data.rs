//! `semcot data`: prints word problems as JSON lines.

use std::io::{BufWriter, ErrorKind, Write};

use clap::{Args, ValueEnum};

use super::CommandError;
use crate::problems::{self, Settings, Split};

/// Print word problems with their reasoning and answers, one JSON object a line.
#[derive(Args)]
pub struct Data {
    /// What the problems are about.
    #[arg(long)]
    family: Family,
    /// Which of the disjoint sets they come from.
    #[arg(long, default_value = "train")]
    split: SplitName,
    /// The same seed prints the same problems.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many problems.
    #[arg(long, default_value_t = 10)]
    count: usize,
    #[command(flatten)]
    difficulty: Difficulty,
}

/// How hard the problems are, for the commands that draw some.
#[derive(Args)]
pub struct Difficulty {
    /// Arithmetic and everyday: the greatest value, at the start and after every step [default: 20].
    #[arg(long)]
    max_value: Option<u32>,
    /// The fewest steps, or people who have the coin [default: 2].
    #[arg(long)]
    min_steps: Option<u32>,
    /// The most steps [default: 4], or people who have the coin [default: 8].
    #[arg(long)]
    max_steps: Option<u32>,
}

impl Difficulty {
    /// The settings for problems of `family`: defaults where nothing was said.
    pub fn settings(&self, family: problems::Family) -> Settings {
        let mut settings = Settings::default();
        settings.max_value = self.max_value.unwrap_or(settings.max_value);
        let (min, max) = match family {
            problems::Family::Arithmetic | problems::Family::Everyday => {
                (&mut settings.min_steps, &mut settings.max_steps)
            }
            problems::Family::Coin => (&mut settings.min_people, &mut settings.max_people),
        };
        *max = self
            .max_steps
            .unwrap_or((*max).max(self.min_steps.unwrap_or(0)));
        *min = self.min_steps.unwrap_or((*min).min(*max));
        settings
    }
}

/// A family as a word on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum Family {
    /// Additions and subtractions told as a story.
    Arithmetic,
    /// People flip a coin or do not.
    Coin,
    /// Problems as people write them: groups, parts, comparisons and shares too.
    Everyday,
}

impl From<Family> for problems::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Arithmetic => Self::Arithmetic,
            Family::Coin => Self::Coin,
            Family::Everyday => Self::Everyday,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum SplitName {
    Train,
    Validation,
    Heldout,
}

/// Runs the subcommand.
pub fn run(data: &Data) -> Result<(), CommandError> {
    let family = data.family.into();
    let settings = data.difficulty.settings(family);
    let split = match data.split {
        SplitName::Train => Split::Train,
        SplitName::Validation => Split::Validation,
        SplitName::Heldout => Split::Heldout,
    };

    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut print = || -> Result<(), CommandError> {
        for problem in problems::generate(family, split, data.seed, &settings)?.take(data.count) {
            serde_json::to_writer(&mut out, &problem)?;
            writeln!(out)?;
        }
        Ok(out.flush()?)
    };
    match print() {
        // Whoever reads has had enough, as in `semcot data … | head`: no failure of ours.
        Err(error) if is_broken_pipe(&*error) => Ok(()),
        result => result,
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let kind = match error.downcast_ref::<std::io::Error>() {
        Some(error) => Some(error.kind()),
        None => error
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind),
    };
    kind == Some(ErrorKind::BrokenPipe)
}
