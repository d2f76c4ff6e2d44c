//! `semcot research`: a list of configurations trained and measured one after the other, with several seeds.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::CommandError;
use super::train::Computing;
use crate::train::config::Config;
use crate::train::error::TrainError;
use crate::train::research::Research as List;

/// Train and measure a list of configurations with several seeds, going on from what is there.
#[derive(Args)]
pub struct Research {
    /// The configuration files. Tokenizer, target and sentence transformer are trained once a seed for all of them.
    #[arg(required = true)]
    configs: Vec<PathBuf>,
    /// Seeds, separated by commas, in place of those in the files.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,
    /// The folder for everything.
    #[arg(long, default_value = "runs/research")]
    runs: PathBuf,
    /// The folder of the problems that people wrote, where a configuration names any.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Held-out problems of each family.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    #[command(flatten)]
    computing: Computing,
}

/// Runs the command.
pub fn run(arguments: &Research) -> Result<(), CommandError> {
    let configs = arguments.configs.iter().map(|path| {
        let mut config = Config::read(path)?;
        config.read_written(arguments.data.as_deref())?;
        Ok(config)
    });
    let list = List {
        configs: configs.collect::<Result<_, TrainError>>()?,
        seeds: arguments.seeds.clone(),
        runs: arguments.runs.clone(),
        backend: arguments.computing.backend.backend(),
        threads: arguments.computing.threads.map(NonZeroUsize::get),
        devices: arguments.computing.devices,
        count: arguments.count,
    };
    Ok(list.run(|line| println!("{line}"))?)
}
