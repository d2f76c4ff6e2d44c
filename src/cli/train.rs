//! `semcot train STAGE`: one stage of a run.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CommandError;
use crate::train::config::Config;
use crate::train::published::config::PublishedConfig;
use crate::train::published::run::{self as published, PublishedRun};
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
    /// The folder of the run; by default runs/NAME with the name of the configuration, runs/NAME-SET where it is a
    /// published one.
    #[arg(long)]
    run: Option<PathBuf>,
    /// The folder with the public sets that the configuration names.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Which data set of a published configuration, in place of the one that it names.
    #[arg(long)]
    data_set: Option<String>,
    /// Go on from the last checkpoint.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    computing: Computing,
}

/// What a training computes on.
#[derive(Args)]
pub struct Computing {
    /// What to compute on.
    #[arg(long, value_enum, default_value = "flex")]
    pub backend: BackendName,
    /// Devices of the backend that share each batch.
    #[arg(long, default_value = "1")]
    pub devices: NonZeroUsize,
    /// Threads that share a batch, for each device; by default one a processor on the CPU, one on a GPU. The same number gives
    /// the same bits.
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
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
    /// A GPU of NVIDIA's, by CUDA.
    #[cfg(feature = "train-cuda")]
    Cuda,
}

impl BackendName {
    /// The backend of that name.
    pub fn backend(self) -> Backend {
        match self {
            BackendName::Flex => Backend::Flex,
            #[cfg(feature = "train-wgpu")]
            BackendName::Wgpu => Backend::Wgpu,
            #[cfg(feature = "train-cuda")]
            BackendName::Cuda => Backend::Cuda,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Train) -> Result<(), CommandError> {
    if PublishedConfig::is_in(&arguments.config)? {
        return run_published(arguments);
    }
    if arguments.data_set.is_some() {
        let config = arguments.config.display();
        return Err(format!("--data-set: {config} names no models, so it has no data sets").into());
    }
    let mut config = Config::read(&arguments.config)?;
    config.read_written(arguments.data.as_deref())?;
    if let Some(written) = &config.written_problems {
        println!("{}", written.counts());
    }
    let folder = arguments
        .run
        .clone()
        .unwrap_or_else(|| default_folder(&config));
    let mut run = Run::new(config, folder, arguments.begin(), arguments.backend());
    run.threads = arguments.threads();
    run.share_among(arguments.computing.devices)?;
    run.keep_configuration()?;
    match arguments.stage {
        Stage::Tokenizer => println!("{} tokens", run.train_tokenizer()?),
        Stage::Target => run.train_target()?,
        Stage::SentenceTransformer => run.train_sentence_transformer()?,
        Stage::Generator => run.train_generator()?,
    }
    Ok(())
}

impl Train {
    fn begin(&self) -> Begin {
        match self.resume {
            true => Begin::Resume,
            false => Begin::Anew,
        }
    }

    fn backend(&self) -> Backend {
        self.computing.backend.backend()
    }

    fn threads(&self) -> usize {
        let default = || self.backend().default_threads();
        self.computing
            .threads
            .map_or_else(default, NonZeroUsize::get)
    }
}

/// A stage of a published run. Its tokenizers and its target are read, not trained.
fn run_published(arguments: &Train) -> Result<(), CommandError> {
    let mut config = PublishedConfig::read(&arguments.config)?;
    if let Some(name) = &arguments.data_set {
        config.data_set.clone_from(name);
        config.check()?;
    }
    let folder = arguments.run.clone();
    let folder = folder.unwrap_or_else(|| published::default_folder(&config));
    let mut run = PublishedRun::new(config, folder, arguments.begin(), arguments.backend());
    run.data.clone_from(&arguments.data);
    run.threads = arguments.threads();
    run.share_among(arguments.computing.devices)?;
    run.keep_configuration()?;
    match arguments.stage {
        Stage::Tokenizer => {
            let [target, generator] = run.tokenizers()?.sizes();
            println!(
                "nothing to train: {target} tokens of the target, {generator} of the generator"
            );
        }
        Stage::Target => {
            let target = run.target()?;
            let sizes = target.decoder.sizes;
            println!(
                "nothing to train: the target has {} layers of width {}",
                sizes.num_layers, sizes.hidden_size
            );
        }
        Stage::SentenceTransformer => run.train_sentence_transformer()?,
        Stage::Generator => run.train_generator()?,
    }
    Ok(())
}
