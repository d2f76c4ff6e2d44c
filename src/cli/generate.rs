//! `semcot generate`: text from one GGUF model, whatever it is for.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::CommandError;
use super::pair::{Device, DeviceArguments};
use crate::cpu::{CpuModel, CpuModelOptions, CpuPair, NoPause};
use crate::formats::gguf::open_files;
use crate::gpu::{Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair};
use crate::model::run::Execute;
use crate::model::{GenerateOptions, Generated, Model, Sampling, generate};
use crate::reference::{ExecutorOptions, PairExecutor};
use crate::tokenizer::Tokenizer;

/// Write text behind a prompt with any GGUF model.
#[derive(Args)]
pub struct Arguments {
    /// A GGUF file.
    #[arg(long)]
    model: PathBuf,
    /// The prompt as token ids, separated by commas; fed as they are, without a begin token.
    #[arg(
        long,
        value_delimiter = ',',
        conflicts_with = "text",
        required_unless_present = "text"
    )]
    ids: Vec<u32>,
    /// Find control tokens in the prompt's text.
    #[arg(long)]
    special: bool,
    /// Most tokens to write.
    #[arg(long, default_value_t = 128)]
    max_tokens: u32,
    /// Go on behind the end token.
    #[arg(long)]
    ignore_eos: bool,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Stop where this text would stand; may be given several times.
    #[arg(long = "stop", value_name = "TEXT")]
    stop_strings: Vec<String>,
    /// Tokens decoded a submit (default: from the device's measured read-back).
    #[arg(long)]
    tokens_per_submit: Option<u32>,
    #[command(flatten)]
    device: DeviceArguments,
    /// Print {"ids": the tokens written, "text"} instead of the text.
    #[arg(long)]
    json: bool,
    /// The prompt as text; a begin token comes before it where the model's metadata asks for one.
    text: Option<String>,
}

/// How tokens are chosen.
#[derive(Args)]
struct SamplingArguments {
    /// Logits are divided by this; 0 chooses the largest.
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Choose among so many of the largest logits; 0 among all.
    #[arg(long, default_value_t = 0)]
    top_k: u32,
    /// Choose among the likeliest tokens that hold this share of the probability together.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,
    /// Choose among tokens of at least this probability, in parts of the largest.
    #[arg(long, default_value_t = 0.0)]
    min_p: f32,
    /// Weaken the logits of the last 64 tokens by this.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,
    /// The same seed gives the same text on one device.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl From<&SamplingArguments> for Sampling {
    fn from(arguments: &SamplingArguments) -> Self {
        Self {
            temperature: arguments.temperature,
            top_k: arguments.top_k,
            top_p: arguments.top_p,
            min_p: arguments.min_p,
            repetition_penalty: arguments.repetition_penalty,
            seed: arguments.seed,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    ids: &'a [u32],
    text: &'a str,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let generated = pollster::block_on(open_and_generate(arguments))?;
    if arguments.json {
        let printed = Printed {
            ids: &generated.ids,
            text: &generated.text,
        };
        println!("{}", serde_json::to_string(&printed)?);
    } else {
        println!();
    }
    Ok(())
}

async fn open_and_generate(arguments: &Arguments) -> Result<Generated, CommandError> {
    let source = open_files(&arguments.model).await?;
    let mut model = Model::open(&source).await?;
    // A generator of implicit tokens is a plain model here.
    model.generator = None;
    let tokenizer = Tokenizer::from_vocabulary(model.vocabulary()?)?;
    let prompt = prompt(arguments, &tokenizer);
    // Where the context is shorter, the request is refused with both numbers.
    let positions = Some(prompt.len() + arguments.max_tokens as usize);
    let kv = arguments.device.kv.into();
    match arguments.device.device {
        Device::Cpu => {
            let options = ExecutorOptions {
                kv_type: kv,
                positions,
            };
            let mut executor = PairExecutor::load_target(&source, options).await?;
            write(&mut executor, &tokenizer, &prompt, arguments).await
        }
        Device::Simd => {
            let options = CpuModelOptions { kv, positions };
            let model = CpuModel::load(model, &source, options).await?;
            let mut executor = CpuPair::new(model, None, NoPause)?;
            write(&mut executor, &tokenizer, &prompt, arguments).await
        }
        Device::Gpu => {
            let gpu = Arc::new(Gpu::new(GpuOptions::default()).await?);
            let options = GpuModelOptions {
                kv,
                context_tokens: positions,
            };
            let model = GpuModel::load(gpu, model, &source, options).await?;
            let mut executor = GpuPair::new(model, None).await?;
            write(&mut executor, &tokenizer, &prompt, arguments).await
        }
    }
}

fn prompt(arguments: &Arguments, tokenizer: &Tokenizer) -> Vec<u32> {
    let Some(text) = &arguments.text else {
        return arguments.ids.clone();
    };
    let ids = match arguments.special {
        true => tokenizer.encode_prompt(text),
        false => tokenizer.encode_text(text),
    };
    tokenizer.begin_token().into_iter().chain(ids).collect()
}

async fn write<E: Execute>(
    executor: &mut E,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    arguments: &Arguments,
) -> Result<Generated, CommandError>
where
    E::Error: Send + Sync,
{
    let options = GenerateOptions {
        max_tokens: arguments.max_tokens,
        ignores_end: arguments.ignore_eos,
        stop_strings: arguments.stop_strings.clone(),
        sampling: (&arguments.sampling).into(),
        tokens_per_submit: arguments.tokens_per_submit,
    };
    let on_text = |text: &str| {
        if !arguments.json {
            print!("{text}");
            // A terminal that went away ends the run at the end of the text, not here.
            let _ = std::io::stdout().flush();
        }
        ControlFlow::Continue(())
    };
    Ok(generate(executor, tokenizer, prompt, &options, on_text).await?)
}
