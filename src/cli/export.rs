//! `semcot export`: the model folder of a finished run.

use std::path::PathBuf;

use clap::Args;

use super::CommandError;
use crate::train::config::Config;
use crate::train::export::export;
use crate::train::published::config::PublishedConfig;
use crate::train::published::run::PublishedRun;
use crate::train::stages::{Backend, CONFIG_FILE, Run};
use crate::train::trainer::Begin;
use crate::weights::WeightType;

/// Write the model folder of a finished run: GGUF files and semcot.json.
#[derive(Args)]
pub struct Export {
    /// The folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// The folder to write.
    #[arg(long)]
    out: PathBuf,
    /// Type of the matrices; norms and biases stay F32.
    #[arg(long, default_value = "Q8_0")]
    weights: String,
}

/// Runs the command.
pub fn run(arguments: &Export) -> Result<(), CommandError> {
    let weight_type = WeightType::from_name(&arguments.weights).ok_or_else(|| {
        let names: Vec<_> = WeightType::ALL.iter().map(|it| it.name()).collect();
        format!(
            "--weights {} is not one of {}",
            arguments.weights,
            names.join(", ")
        )
    })?;
    let path = arguments.run.join(CONFIG_FILE);
    let (folder, begin, backend) = (arguments.run.clone(), Begin::Resume, Backend::Flex);
    let manifest = match PublishedConfig::is_in(&path)? {
        true => PublishedRun::new(PublishedConfig::read(&path)?, folder, begin, backend)
            .export(&arguments.out, weight_type)?,
        false => {
            let run = Run::new(Config::read(&path)?, folder, begin, backend);
            export(&run, &arguments.out, weight_type)?
        }
    };
    let files = &manifest.files;
    let entries = [
        Some(&files.target),
        Some(&files.generator),
        files.sentence_transformer.as_ref(),
    ];
    for file in entries.into_iter().flatten() {
        println!(
            "{} {} bytes, SHA-256 {}",
            file.path, file.bytes, file.sha256
        );
    }
    Ok(())
}
