//! `semcot tokenize`: the ids of a text, for comparing tokenizers.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::CommandError;
use crate::formats::gguf::{open_files, read_header};
use crate::model::read_vocabulary;
use crate::reasoning::folder::Folder;
use crate::tokenizer::Tokenizer;

/// Print the token ids of a text.
#[derive(Args)]
pub struct Arguments {
    /// A GGUF file, of a split one any of its files, or a model folder; only the tokenizer is read.
    #[arg(long, required_unless_present = "tokenizer")]
    model: Option<PathBuf>,
    /// A Hugging Face tokenizer.json instead.
    #[arg(long, conflicts_with = "model")]
    tokenizer: Option<PathBuf>,
    /// Find control tokens in the text.
    #[arg(long)]
    special: bool,
    /// Add the begin and end tokens that the metadata asks for.
    #[arg(long)]
    sequence: bool,
    /// Print {"ids": [...]}.
    #[arg(long)]
    json: bool,
    /// The text.
    text: String,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed {
    ids: Vec<u32>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let tokenizer = open(arguments)?;
    let mut ids = match arguments.special {
        true => tokenizer.encode_prompt(&arguments.text),
        false => tokenizer.encode_text(&arguments.text),
    };
    if arguments.sequence {
        ids = tokenizer.as_sequence(&ids);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&Printed { ids })?);
        return Ok(());
    }
    for id in ids {
        println!("{id}\t{:?}", tokenizer.decode_with_specials(&[id]));
    }
    Ok(())
}

fn open(arguments: &Arguments) -> Result<Tokenizer, CommandError> {
    let in_file = |path: &Path, error: &dyn std::error::Error| -> CommandError {
        format!("{}: {error}", path.display()).into()
    };
    if let Some(path) = &arguments.tokenizer {
        let json = std::fs::read(path).map_err(|error| in_file(path, &error))?;
        return Tokenizer::from_json(&json).map_err(|error| in_file(path, &error));
    }
    let path = arguments.model.as_ref().ok_or("no --model is named")?;
    let path = &model_file(path)?;
    let header = pollster::block_on(async { read_header(&open_files(path).await?).await });
    let header = header.map_err(|error| in_file(path, &error))?;
    let tables = read_vocabulary(&header.metadata, None).map_err(|error| in_file(path, &error))?;
    Tokenizer::from_vocabulary(tables).map_err(|error| in_file(path, &error))
}

/// The file itself, or the target of a model folder.
fn model_file(path: &Path) -> Result<PathBuf, CommandError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    Ok(path.join(Folder::open(path)?.manifest.files.target.path))
}
