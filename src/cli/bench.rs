//! `semcot bench`: how long prefill and decode take on the GPU, and what they submit, model by model;
//! and how fast matrices of each weight type are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::pair::Kv;
use crate::evaluation::bench::{Bench, BenchOptions, bench};
use crate::formats::gguf::{SplitSource, open_files};
use crate::formats::source::{ByteSource, FileSource};
use crate::gpu::{
    Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, KernelVariant, MATRIX_BYTES,
};
use crate::model::{Bandwidth, Model, Throughput};
use crate::reasoning::folder::Folder;
use crate::weights::WeightType;

/// Time prefill and decode of models on the GPU.
#[derive(Args)]
pub struct Arguments {
    /// Model folders (target and generator each by itself) and GGUF files.
    #[arg(required_unless_present = "matvec")]
    models: Vec<PathBuf>,
    /// Measure products of a matrix of each weight type with a vector, beside a plain copy of as many
    /// bytes; BYTES of each matrix, 64 MiB unless told.
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_MATRIX_BYTES)]
    matvec: Option<u64>,
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

/// [`MATRIX_BYTES`] as clap wants it.
const DEFAULT_MATRIX_BYTES: &str = "67108864";
const _: () = assert!(MATRIX_BYTES == 67_108_864);

/// What `--json` prints.
#[derive(Serialize)]
struct Printed {
    adapter: String,
    kernels: KernelVariant,
    models: Vec<Measured>,
    matvec: Vec<Throughput>,
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
    /// Only where matrices were measured.
    bandwidth: Option<Bandwidth>,
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
        matvec: Vec::new(),
    };
    if !arguments.json {
        println!("adapter {}", printed.adapter);
        println!("kernels {}", printed.kernels);
    }
    if let Some(bytes) = arguments.matvec {
        if !arguments.json {
            println!("\nmatvec, and a copy of as many bytes");
        }
        for &weight_type in WeightType::ALL {
            let measured = gpu.matvec_throughput(weight_type, bytes);
            let measured = measured.await?;
            if !arguments.json {
                print_throughput(&measured);
            }
            printed.matvec.push(measured);
        }
    }
    for path in &arguments.models {
        for source in files(path).await? {
            let measured = measure_file(gpu.clone(), &source, arguments, &printed.matvec).await?;
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

async fn files(path: &Path) -> Result<Vec<SplitSource<FileSource>>, CommandError> {
    if !path.is_dir() {
        let source = open_files(path).await;
        return Ok(vec![
            source.map_err(|error| format!("{}: {error}", path.display()))?,
        ]);
    }
    let folder = Folder::open(path)?;
    Ok(vec![folder.target().await?, folder.generator().await?])
}

async fn measure_file(
    gpu: Arc<Gpu>,
    source: &SplitSource<FileSource>,
    arguments: &Arguments,
    matvec: &[Throughput],
) -> Result<Measured, CommandError> {
    let mut model = Model::open(source).await?;
    // A generator writes no tokens; measured as a plain model, it shows what its size costs.
    model.generator = None;
    let options = GpuModelOptions {
        kv: arguments.kv.into(),
        ..GpuModelOptions::default()
    };
    let model = GpuModel::load(gpu, model, source, options).await?;
    let mut executor = GpuPair::new(model, None).await?;
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
        bandwidth: Bandwidth::of(target.pass_bytes(), matvec),
    })
}

fn print_throughput(measured: &Throughput) {
    println!(
        "  {:<7} {:>6} x {}, {:>6.1} MB  {:>9.3} ms  {:>8.2} GB/s, copy {:>8.2} GB/s, ratio {:.3}",
        measured.weight_type,
        measured.rows,
        measured.cols,
        measured.bytes as f64 / 1e6,
        measured.matvec_ms,
        measured.matvec_gb_per_s,
        measured.copy_gb_per_s,
        measured.ratio,
    );
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
    if let Some(bandwidth) = measured.bandwidth {
        println!(
            "  at least {:>8.3} ms a token   {} bytes of weights at {:.2} GB/s",
            bandwidth.floor_ms_per_token, bandwidth.pass_bytes, bandwidth.gb_per_s,
        );
    }
    println!(
        "  an answer: {} submits, {} read-backs, {} bytes read back, K {}",
        bench.submits, bench.read_backs, bench.bytes_read_back, bench.tokens_per_submit
    );
}
