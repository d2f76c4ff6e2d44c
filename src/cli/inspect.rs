//! `semcot inspect`: what a model file holds, and what it would take of a GPU's memory. The whole
//! file is read and checked, weights and tokenizer too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::pair::Kv;
use crate::formats::gguf::{Array, Header, Value, open_files, read_header};
use crate::gpu::{GpuModelOptions, Memory, least_limits};
use crate::model::{Model, read_weights};
use crate::tokenizer::Tokenizer;

/// Context that is reckoned with where none is given.
const DEFAULT_CONTEXT: usize = 4096;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 4 << 20;

/// Characters of a value that are printed.
const PRINTED_CHARACTERS: usize = 60;

/// Show what a model file holds, and check all of it.
#[derive(Args)]
pub struct Arguments {
    /// A GGUF file; of a split one, any of its files.
    file: PathBuf,
    /// Positions that memory is reckoned for; 4096 where not given, or what the model was made for.
    #[arg(long)]
    context: Option<usize>,
    /// How keys and values would be kept.
    #[arg(long, default_value = "f16")]
    kv: Kv,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inspected {
    version: u32,
    parameters: u64,
    metadata: Vec<(String, String)>,
    tensors: Vec<Tensor>,
    types: BTreeMap<&'static str, Share>,
    tokenizer: Option<TokenizerSummary>,
    gpu_memory: GpuMemory,
    gpu_limits: GpuLimits,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    r#type: &'static str,
    dims: Vec<u64>,
    bytes: u64,
}

/// What one type of weights makes up.
#[derive(Default, Serialize)]
struct Share {
    tensors: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct TokenizerSummary {
    model: String,
    pre: String,
    tokens: usize,
    merges: usize,
    bos_id: Option<u32>,
    eos_id: Option<u32>,
    adds_bos: bool,
}

/// Bytes.
#[derive(Serialize)]
struct GpuMemory {
    context: usize,
    weights: u64,
    kv_cache: u64,
    activations: u64,
    total: u64,
}

/// The smallest limits of an adapter that allow the model, by WebGPU's names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GpuLimits {
    max_buffer_size: u64,
    max_storage_buffer_binding_size: u64,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let inspected = pollster::block_on(inspect(arguments))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&inspected)?);
    } else {
        print(&inspected);
    }
    Ok(())
}

async fn inspect(arguments: &Arguments) -> Result<Inspected, CommandError> {
    let named = |error: &dyn std::error::Error| format!("{}: {error}", arguments.file.display());
    let source = open_files(&arguments.file).await;
    let source = source.map_err(|error| named(&error))?;
    let model = Model::open(&source).await?;
    read_weights(&source, &model, CHUNK_BYTES, |_| ()).await?;
    let header = read_header(&source).await;
    let header = header.map_err(|error| named(&error))?;
    let tokenizer = match model.metadata.get("tokenizer.ggml.model") {
        None => None,
        Some(_) => Some(tokenizer(&model).map_err(|error| named(&*error))?),
    };
    let default = DEFAULT_CONTEXT.min(model.config.context_length);
    let context = arguments.context.unwrap_or(default);
    if !(1..=model.config.context_length).contains(&context) {
        let most = model.config.context_length;
        return Err(format!("--context is {context}: the model has 1 to {most}").into());
    }
    let memory = Memory::of(&model, context, arguments.kv.into());
    let [max_buffer_size, max_storage_buffer_binding_size] = least_limits(
        &model,
        GpuModelOptions {
            kv: arguments.kv.into(),
            context_tokens: Some(context),
        },
    );
    Ok(Inspected {
        version: header.version,
        parameters: model.parameters(),
        metadata: metadata(&header),
        types: types(&header),
        tensors: tensors(&header),
        tokenizer,
        gpu_memory: GpuMemory {
            context,
            weights: memory.weights,
            kv_cache: memory.kv_cache,
            activations: memory.activations,
            total: memory.total(),
        },
        gpu_limits: GpuLimits {
            max_buffer_size,
            max_storage_buffer_binding_size,
        },
    })
}

fn tokenizer(model: &Model) -> Result<TokenizerSummary, Box<dyn std::error::Error>> {
    let tables = model.vocabulary().map_err(|error| error.fault)?;
    let summary = TokenizerSummary {
        model: tables.model.clone(),
        pre: tables.pre.clone(),
        tokens: tables.tokens.len(),
        merges: tables.merges.len(),
        bos_id: tables.bos_id,
        eos_id: tables.eos_id,
        adds_bos: tables.add_bos,
    };
    Tokenizer::from_vocabulary(tables)?;
    Ok(summary)
}

fn metadata(header: &Header) -> Vec<(String, String)> {
    let entries = header.metadata.iter();
    entries
        .map(|(key, value)| (key.to_owned(), shown(value)))
        .collect()
}

/// A value in a line: texts shortened, arrays by their length.
fn shown(value: &Value) -> String {
    match value {
        Value::U8(it) => it.to_string(),
        Value::I8(it) => it.to_string(),
        Value::U16(it) => it.to_string(),
        Value::I16(it) => it.to_string(),
        Value::U32(it) => it.to_string(),
        Value::I32(it) => it.to_string(),
        Value::F32(it) => it.to_string(),
        Value::Bool(it) => it.to_string(),
        Value::U64(it) => it.to_string(),
        Value::I64(it) => it.to_string(),
        Value::F64(it) => it.to_string(),
        Value::String(it) => {
            let short: String = it.chars().take(PRINTED_CHARACTERS).collect();
            let more = if short.len() < it.len() { "…" } else { "" };
            format!("{short:?}{more}")
        }
        Value::Array(it) => match it {
            Array::String(all) => format!("{} strings", all.len()),
            other => format!("{} values", other.len()),
        },
    }
}

fn types(header: &Header) -> BTreeMap<&'static str, Share> {
    let mut types: BTreeMap<_, Share> = BTreeMap::new();
    for tensor in &header.tensors {
        let share = types.entry(tensor.tensor_type.name).or_default();
        share.tensors += 1;
        share.bytes += tensor.size_bytes;
    }
    types
}

fn tensors(header: &Header) -> Vec<Tensor> {
    let tensors = header.tensors.iter().map(|it| Tensor {
        name: it.name.clone(),
        r#type: it.tensor_type.name,
        dims: it.dims.clone(),
        bytes: it.size_bytes,
    });
    tensors.collect()
}

fn print(inspected: &Inspected) {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    println!(
        "GGUF version {}, {} parameters",
        inspected.version, inspected.parameters
    );
    println!("\nmetadata");
    for (key, value) in &inspected.metadata {
        println!("  {key} = {value}");
    }
    println!("\ntensors");
    for tensor in &inspected.tensors {
        println!("  {} {:?} {}", tensor.name, tensor.dims, tensor.r#type);
    }
    println!("\ntypes");
    for (name, share) in &inspected.types {
        let size = megabytes(share.bytes);
        println!("  {name}: {} tensors, {size}", share.tensors);
    }
    match &inspected.tokenizer {
        None => println!("\nno tokenizer"),
        Some(it) => println!(
            "\ntokenizer {} {}: {} tokens, {} merges, begin {:?}{}, end {:?}",
            it.model,
            it.pre,
            it.tokens,
            it.merges,
            it.bos_id,
            if it.adds_bos { " (added)" } else { "" },
            it.eos_id
        ),
    }
    let memory = &inspected.gpu_memory;
    println!(
        "\nGPU memory for a context of {}: {} (weights {}, keys and values {}, activations {})",
        memory.context,
        megabytes(memory.total),
        megabytes(memory.weights),
        megabytes(memory.kv_cache),
        megabytes(memory.activations)
    );
    let limits = &inspected.gpu_limits;
    println!(
        "runs on adapters with a maxBufferSize of {} or more, a maxStorageBufferBindingSize of {} or more",
        limits.max_buffer_size, limits.max_storage_buffer_binding_size
    );
}
