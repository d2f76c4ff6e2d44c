//! `semcot convert`: a Hugging Face folder becomes GGUF files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CommandError;
use crate::convert::{ConvertOptions, convert};
use crate::weights::WeightType;

/// Turn a Hugging Face folder into GGUF files.
#[derive(Args)]
pub struct Arguments {
    /// A folder with config.json, safetensors files, and tokenizer.model or tokenizer.json.
    source: PathBuf,
    /// The folder to write to; made where it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Type of the matrices.
    #[arg(long, default_value = "Q8_0")]
    quant: Quant,
    /// Most bytes of weights a file; more become several files, NAME-00001-of-0000N.gguf.
    #[arg(long)]
    shard_bytes: Option<u64>,
    /// Name of the files, without .gguf.
    #[arg(long, default_value = "model")]
    name: String,
}

/// A type of weights, by ggml's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "verbatim")]
#[allow(non_camel_case_types)]
enum Quant {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_K,
    Q6_K,
}

impl From<Quant> for WeightType {
    fn from(quant: Quant) -> Self {
        match quant {
            Quant::F32 => Self::F32,
            Quant::F16 => Self::F16,
            Quant::BF16 => Self::BF16,
            Quant::Q8_0 => Self::Q8_0,
            Quant::Q4_0 => Self::Q4_0,
            Quant::Q4_K => Self::Q4_K,
            Quant::Q6_K => Self::Q6_K,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let options = ConvertOptions {
        weight_type: arguments.quant.into(),
        shard_bytes: arguments.shard_bytes,
        stem: arguments.name.clone(),
    };
    let converted = convert(&arguments.source, &arguments.out, &options)?;
    for file in &converted.files {
        println!("{}", file.display());
    }
    println!(
        "{} tensors, {:.1} MB of weights",
        converted.tensors,
        converted.size_bytes as f64 / 1e6
    );
    if let Some(reason) = &converted.without_tokenizer {
        eprintln!("no tokenizer was written: {reason}");
    }
    Ok(())
}
