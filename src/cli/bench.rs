//! `semcot bench`: how long prefill and decode take on the GPU, and what they submit, model by model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::pair::Kv;
use crate::evaluation::bench::{Bench, BenchOptions, bench};
use crate::formats::source::{ByteSource, FileSource};
use crate::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, KernelVariant, ReadBack};
use crate::model::Model;
use crate::reasoning::folder::Folder;

/// Time prefill and decode of models on the GPU.
#[derive(Args)]
pub struct Arguments {
    /// Model folders (target and generator each by itself) and GGUF files.
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// Length of the prompt.
    #[arg(long, default_value_t = BenchOptions::default().prompt_tokens)]
    prompt_tokens: u32,
    /// Tokens to write.
    #[arg(long, default_value_t = BenchOptions::default().decode_tokens)]
    decode_tokens: u32,
    /// Measured runs, after one that is not.
    #[arg(long, default_value_t = BenchOptions::default().repeats)]
    repeats: u32,
    /// Tokens decoded a submit (default: from the device's measured read-back).
    #[arg(long)]
    tokens_per_submit: Option<u32>,
    /// How keys and values are kept.
    #[arg(long, default_value = "f16")]
    kv: Kv,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed {
    adapter: String,
    kernels: KernelVariant,
    models: Vec<Measured>,
}

/// One model.
#[derive(Serialize)]
struct Measured {
    file: String,
    parameters: u64,
    bytes: u64,
    layers: usize,
    decode_dispatches_per_layer: u32,
    #[serde(flatten)]
    bench: Bench,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    pollster::block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> Result<(), CommandError> {
    let gpu = Arc::new(Gpu::new(GpuOptions::default()).await?);
    let mut printed = Printed {
        adapter: gpu.info().name.clone(),
        kernels: gpu.kernel_variant(),
        models: Vec::new(),
    };
    if !arguments.json {
        println!("adapter {}", printed.adapter);
        println!("kernels {}", printed.kernels);
    }
    for path in &arguments.models {
        for source in files(path)? {
            let measured = measure_file(gpu.clone(), &source, arguments).await?;
            if !arguments.json {
                print(&measured);
            }
            printed.models.push(measured);
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&printed)?);
    }
    Ok(())
}

fn files(path: &Path) -> Result<Vec<FileSource>, CommandError> {
    if !path.is_dir() {
        return Ok(vec![FileSource::open(path)?]);
    }
    let folder = Folder::open(path)?;
    Ok(vec![folder.target()?, folder.generator()?])
}

async fn measure_file(
    gpu: Arc<Gpu>,
    source: &FileSource,
    arguments: &Arguments,
) -> Result<Measured, CommandError> {
    let mut model = Model::open(source).await?;
    // A generator writes no tokens; measured as a plain model, it shows what its size costs.
    model.generator = None;
    let options = GpuModelOptions {
        kv: arguments.kv.into(),
        ..GpuModelOptions::default()
    };
    let model = GpuModel::load(gpu, model, source, options).await?;
    let mut executor = GpuPair::new(model, None, ReadBack::Await).await?;
    let options = BenchOptions {
        prompt_tokens: arguments.prompt_tokens,
        decode_tokens: arguments.decode_tokens,
        repeats: arguments.repeats,
        tokens_per_submit: arguments.tokens_per_submit,
    };
    let vocab_size = executor.target().config().vocab_size as u32;
    let bench = bench(&mut executor, vocab_size, &options).await?;
    let target = executor.target();
    Ok(Measured {
        file: source.name().to_owned(),
        parameters: target.model().parameters(),
        bytes: target.size_bytes(),
        layers: target.config().num_layers,
        decode_dispatches_per_layer: target.decode_dispatches().1,
        bench,
    })
}

fn print(measured: &Measured) {
    let bench = &measured.bench;
    println!(
        "\n{}: {} parameters, {} layers, {} bytes on the device",
        measured.file, measured.parameters, measured.layers, measured.bytes
    );
    println!(
        "  prefill  {:>8.3} ms a token   {} tokens in {:.2} ms ({:.2} to {:.2}), {} dispatches",
        bench.prefill_ms_per_token,
        bench.prompt_tokens,
        bench.prefill_ms.median,
        bench.prefill_ms.min,
        bench.prefill_ms.max,
        bench.prefill_dispatches,
    );
    println!(
        "  decode   {:>8.3} ms a token   {} tokens in {:.2} ms ({:.2} to {:.2}), {} dispatches a token, {} of them a layer",
        bench.decode_ms_per_token,
        bench.decode_tokens - 1,
        bench.decode_ms.median,
        bench.decode_ms.min,
        bench.decode_ms.max,
        bench.decode_dispatches_per_token,
        measured.decode_dispatches_per_layer,
    );
    println!(
        "  an answer: {} submits, {} read-backs, {} bytes read back, K {}",
        bench.submits, bench.read_backs, bench.bytes_read_back, bench.tokens_per_submit
    );
}
