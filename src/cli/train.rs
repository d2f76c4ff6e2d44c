//! `semcot train STAGE`: one stage of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CommandError;
use crate::train::config::Config;
use crate::train::stages::{Backend, Run, default_folder};
use crate::train::trainer::Begin;

/// Train one stage of a model pair. Stages are run in the order in which they are listed here.
#[derive(Args)]
pub struct Train {
    /// What to train.
    stage: Stage,
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The folder of the run; by default runs/NAME with the name of the configuration.
    #[arg(long)]
    run: Option<PathBuf>,
    /// The folder with the public sets that the configuration names.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Go on from the last checkpoint.
    #[arg(long)]
    resume: bool,
    /// What to compute on.
    #[arg(long, value_enum, default_value = "flex")]
    backend: BackendName,
    /// Threads that share a batch, by default one a processor. The same number gives the same bits.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stage {
    Tokenizer,
    Target,
    SentenceTransformer,
    /// Or the method in its place that the configuration names.
    Generator,
}

/// What to compute on.
#[derive(Clone, Copy, ValueEnum)]
pub enum BackendName {
    /// The CPU.
    Flex,
    /// A GPU.
    #[cfg(feature = "train-wgpu")]
    Wgpu,
}

impl BackendName {
    /// The backend of that name.
    pub fn backend(self) -> Backend {
        match self {
            BackendName::Flex => Backend::Flex,
            #[cfg(feature = "train-wgpu")]
            BackendName::Wgpu => Backend::Wgpu,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Train) -> Result<(), CommandError> {
    let mut config = Config::read(&arguments.config)?;
    config.read_written(arguments.data.as_deref())?;
    if let Some(written) = &config.written_problems {
        println!("{}", written.counts());
    }
    let folder = arguments
        .run
        .clone()
        .unwrap_or_else(|| default_folder(&config));
    let begin = if arguments.resume {
        Begin::Resume
    } else {
        Begin::Anew
    };
    let mut run = Run::new(config, folder, begin, arguments.backend.backend());
    run.threads = match arguments.threads {
        Some(threads) => threads.get(),
        None => run.default_threads(),
    };
    run.keep_configuration()?;
    match arguments.stage {
        Stage::Tokenizer => println!("{} tokens", run.train_tokenizer()?),
        Stage::Target => run.train_target()?,
        Stage::SentenceTransformer => run.train_sentence_transformer()?,
        Stage::Generator => run.train_generator()?,
    }
    Ok(())
}
