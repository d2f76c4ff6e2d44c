//! `semcot logits`: the raw logits of a model behind a list of token ids, for comparing engines.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::pair::{Device, DeviceArguments};
use crate::cpu::{CpuModel, CpuModelOptions, CpuPair, NoPause};
use crate::formats::gguf::open_files;
use crate::formats::safetensors::SafetensorsFile;
use crate::formats::source::ByteSource;
use crate::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions};
use crate::model::{Head, Model, insert_given};
use crate::reference::{Executor, ExecutorOptions};
use crate::tokenizer::Tokenizer;

/// Without `--json`, this many of the largest logits of a position are printed.
const PRINTED_LOGITS: usize = 5;

/// Print a model's logits behind a list of token ids.
#[derive(Args)]
pub struct Logits {
    /// A GGUF file.
    #[arg(long)]
    model: PathBuf,
    /// Token ids, separated by commas; fed as they are, without a begin token.
    #[arg(long, value_delimiter = ',', required = true)]
    ids: Vec<u32>,
    /// Logits at every position instead of the last.
    #[arg(long)]
    all: bool,
    /// Insert rows of a tensor [rows, hidden size] as input embeddings before a position:
    /// POSITION:FILE.safetensors:TENSOR.
    #[arg(long)]
    splice: Option<Splice>,
    #[command(flatten)]
    device: DeviceArguments,
    /// Print JSON: {"vocab_size", "positions", "logits": one list a position}.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Splice {
    position: usize,
    file: PathBuf,
    tensor: String,
}

impl FromStr for Splice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not POSITION:FILE.safetensors:TENSOR");
        let (position, rest) = text.split_once(':').ok_or_else(wrong)?;
        // A Windows path may hold a colon; a tensor name does not.
        let (file, tensor) = rest.rsplit_once(':').ok_or_else(wrong)?;
        Ok(Self {
            position: position.parse().map_err(|_| wrong())?,
            file: file.into(),
            tensor: tensor.to_owned(),
        })
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    vocab_size: usize,
    /// Position of each row of logits in the sequence, spliced rows counted.
    positions: Vec<usize>,
    logits: Vec<&'a [f32]>,
}

/// Runs the command.
pub fn run(arguments: &Logits) -> Result<(), CommandError> {
    let mut ids = arguments.ids.clone();
    let given = match &arguments.splice {
        Some(splice) => splice.insert(&mut ids)?,
        None => Vec::new(),
    };
    let source = pollster::block_on(open_files(&arguments.model))?;
    check_tokenizer(&source)?;
    let (vocab_size, logits) = match arguments.device.device {
        Device::Cpu => on_cpu(arguments, &source, &ids, &given.concat())?,
        Device::Simd => pollster::block_on(on_simd(arguments, &source, &ids, &given))?,
        Device::Gpu => pollster::block_on(on_gpu(arguments, &source, &ids, &given))?,
    };
    let rows = logits.len() / vocab_size;
    let printed = Printed {
        vocab_size,
        positions: (ids.len() - rows..ids.len()).collect(),
        logits: logits.chunks_exact(vocab_size).collect(),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&printed)?);
    } else {
        print_largest(&printed);
    }
    Ok(())
}

/// Ids mean nothing where the tokenizer lies.
fn check_tokenizer(source: &impl ByteSource) -> Result<(), CommandError> {
    let model = pollster::block_on(Model::open(source))?;
    if model.metadata.get("tokenizer.ggml.model").is_none() {
        // Ids need none.
        return Ok(());
    }
    let tokenizer = Tokenizer::from_vocabulary(model.vocabulary()?);
    tokenizer.map_err(|error| format!("{}: {error}", model.file))?;
    Ok(())
}

/// The size of the vocabulary, and logits of the CPU twin.
fn on_cpu(
    arguments: &Logits,
    source: &impl ByteSource,
    ids: &[u32],
    given: &[f32],
) -> Result<(usize, Vec<f32>), CommandError> {
    let options = ExecutorOptions {
        kv_type: arguments.device.kv.into(),
        positions: Some(ids.len()),
    };
    let mut executor = pollster::block_on(Executor::load(source, options))?;
    let logits = if arguments.all {
        executor.logits(ids, given)?
    } else {
        executor.last_logits(ids, given)?
    };
    Ok((executor.model().config.vocab_size, logits))
}

/// The size of the vocabulary, and logits of what browsers without WebGPU get.
async fn on_simd(
    arguments: &Logits,
    source: &impl ByteSource,
    ids: &[u32],
    given: &[Vec<f32>],
) -> Result<(usize, Vec<f32>), CommandError> {
    let model = Model::open(source).await?;
    let vocab_size = model.config.vocab_size;
    let options = CpuModelOptions {
        kv: arguments.device.kv.into(),
        positions: Some(ids.len()),
    };
    let model = CpuModel::load(model, source, options).await?;
    let mut pair = CpuPair::new(model, None, NoPause)?;
    let logits = pair.forward(ids, given, head(arguments).into()).await?;
    Ok((vocab_size, logits.expect("nothing stops it")))
}

/// The size of the vocabulary, and logits of the GPU.
async fn on_gpu(
    arguments: &Logits,
    source: &impl ByteSource,
    ids: &[u32],
    given: &[Vec<f32>],
) -> Result<(usize, Vec<f32>), CommandError> {
    let gpu = Arc::new(Gpu::new(GpuOptions::default()).await?);
    let model = Model::open(source).await?;
    let options = GpuModelOptions {
        kv: arguments.device.kv.into(),
        context_tokens: Some(ids.len()),
    };
    let model = GpuModel::load(gpu, model, source, options).await?;
    let logits = model.forward(ids, given, head(arguments).into()).await?;
    Ok((model.config().vocab_size, logits))
}

fn head(arguments: &Logits) -> Head {
    if arguments.all {
        Head::AllLogits
    } else {
        Head::LastLogits
    }
}

impl Splice {
    /// Marks the inserted rows in `ids` and gives them.
    fn insert(&self, ids: &mut Vec<u32>) -> Result<Vec<Vec<f32>>, CommandError> {
        let rows = SafetensorsFile::open(&self.file)?.values(&self.tensor)?;
        let [count, width] = rows.shape[..] else {
            let message = format!(
                "tensor {} has shape {:?}, expected [rows, hidden size]",
                self.tensor, rows.shape
            );
            return Err(message.into());
        };
        insert_given(ids, self.position, count).map_err(|error| format!("--splice: {error}"))?;
        let row = |index: usize| rows.values[index * width..][..width].to_vec();
        Ok((0..count).map(row).collect())
    }
}

fn print_largest(printed: &Printed) {
    for (position, row) in printed.positions.iter().zip(&printed.logits) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        let largest: Vec<String> = order
            .iter()
            .take(PRINTED_LOGITS)
            .map(|&id| format!("{id}: {:.4}", row[id]))
            .collect();
        println!("position {position}: {}", largest.join("  "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_splice_is_read_with_colons_in_its_path() {
        let splice: Splice = "3:C:/x.safetensors:rows".parse().unwrap();
        assert_eq!(splice.position, 3);
        assert_eq!(splice.file, PathBuf::from("C:/x.safetensors"));
        assert_eq!(splice.tensor, "rows");
        assert!("3:x".parse::<Splice>().is_err());
        assert!("x:y:z".parse::<Splice>().is_err());
    }
}
