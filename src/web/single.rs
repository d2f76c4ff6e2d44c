//! One GGUF file by itself: without prompts it cannot be asked, but it can go on with a text, and be
//! measured.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::device::{self, Device, Executor, Load, Variant};
use super::engine::tell;
use super::error::{self, JsResult};
use super::forward;
use super::info::ModelInfo;
use super::source::{self, JsByteSource};
use crate::evaluation::bench::{Bench, BenchOptions, bench};
use crate::model::run::{Execute, Milliseconds};
use crate::model::{Bandwidth, EndedBy, GenerateOptions, Model, Sampling, Throughput, generate};
use crate::tokenizer::Tokenizer;
use crate::weights::WeightType;

/// A model on the device of this module.
#[wasm_bindgen]
pub struct SingleModel {
    executor: Executor,
    /// Or why there is none: a model without one can still be measured.
    tokenizer: Result<Tokenizer, String>,
}

/// A prompt and `GenerateOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenerateRequest {
    text: Option<String>,
    ids: Option<Vec<u32>>,
    #[serde(default)]
    special: bool,
    max_tokens: Option<u32>,
    /// As many as there is room for, where no number is given.
    #[serde(default)]
    fill_context: bool,
    #[serde(default)]
    ignore_end: bool,
    #[serde(default)]
    stop: Vec<String>,
    temperature: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    seed: Option<u64>,
    tokens_per_submit: Option<u32>,
}

/// What was written, for JavaScript.
#[derive(Serialize)]
struct Written<'a> {
    ids: &'a [u32],
    text: &'a str,
    ended_by: EndedBy,
    prompt_tokens: usize,
    target_passes: u32,
    submits: u32,
    read_backs: u32,
    ms: Milliseconds,
}

/// `BenchOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BenchRequest {
    prompt_tokens: Option<u32>,
    decode_tokens: Option<u32>,
    repeats: Option<u32>,
    tokens_per_submit: Option<u32>,
    /// Bytes of a matrix of each weight type; absent: none is measured.
    matvec_bytes: Option<u64>,
    /// The types to measure, as GGUF names them; all where absent.
    weight_types: Option<Vec<String>>,
}

/// What a bench gives to JavaScript.
#[derive(Serialize)]
struct Measured<'a> {
    file: &'a str,
    decode_dispatches_per_layer: u32,
    #[serde(flatten)]
    bench: Bench,
    matvec: Vec<Throughput>,
    /// What these leave of a token's time; absent where none was measured.
    bandwidth: Option<Bandwidth>,
}

/// What is loaded.
#[derive(Serialize)]
struct Info<'a> {
    name: &'a str,
    tokens_per_submit: u32,
    context_length: u32,
    kernels: Variant,
    models: Vec<ModelInfo<'a>>,
    /// How messages of a chat become a prompt.
    chat_template: Option<&'a str>,
    special_tokens: SpecialTokens<'a>,
}

/// Texts of the tokens that chat templates name.
#[derive(Default, Serialize)]
struct SpecialTokens<'a> {
    begin: Option<&'a str>,
    end: Option<&'a str>,
    /// Whether `generate` puts the begin token before a text.
    adds_begin: bool,
}

#[wasm_bindgen]
impl SingleModel {
    /// Puts a GGUF file on the device, or a split one's files in their order; `on_progress`
    /// and `pause` as for a pair.
    pub async fn load(
        files: Vec<JsByteSource>,
        options: JsValue,
        on_progress: js_sys::Function,
        pause: js_sys::Function,
    ) -> JsResult<SingleModel> {
        let options: Load = error::options(options)?;
        let device = Device::open(&options, pause).await?;
        let source = source::open(files, &mut 0, Some(&on_progress)).await?;
        let mut model = Model::open(&source).await.map_err(error::from_model)?;
        // A generator writes no tokens; measured as a plain model, it shows what its size costs.
        model.generator = None;
        let tables = model.vocabulary().map_err(|error| error.to_string());
        let tokenizer =
            tables.and_then(|it| Tokenizer::from_vocabulary(it).map_err(|error| error.to_string()));
        let executor = device.load_single(model, &source, &options).await?;
        Ok(SingleModel {
            executor,
            tokenizer,
        })
    }

    /// What is loaded.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub fn info(&self) -> JsValue {
        error::plain(&Info {
            name: &device::target(&self.executor).file,
            tokens_per_submit: self.executor.default_tokens_per_submit(),
            context_length: self.executor.context_length(),
            kernels: device::kernels(&self.executor),
            models: device::models(&self.executor),
            chat_template: device::target(&self.executor).chat_template(),
            special_tokens: self.special_tokens(),
        })
    }

    /// Writes text behind a prompt. `on_text` gets each part of it, and ends the run by returning
    /// false.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn generate(
        &mut self,
        options: JsValue,
        on_text: js_sys::Function,
    ) -> JsResult<JsValue> {
        let mut request: GenerateRequest = error::options(options)?;
        let tokenizer = self.tokenizer.as_ref();
        let tokenizer = tokenizer.map_err(|why| error::with_code("unsupported-model", why))?;
        let prompt = request.prompt(tokenizer);
        if request.fill_context {
            let context = self.executor.context_length();
            // The last token written is never read. A prompt without room is refused as ever.
            let room = (context + 1).saturating_sub(prompt.len() as u32);
            request.max_tokens = request.max_tokens.or(Some(room.max(1)));
        }
        let options = GenerateOptions::from(request);
        let on_text = |part: &str| tell(&on_text, part);
        let generated = generate(&mut self.executor, tokenizer, &prompt, &options, on_text).await;
        let generated = generated.map_err(error::from_run)?;
        Ok(error::plain(&Written {
            ids: &generated.ids,
            text: &generated.text,
            ended_by: generated.ended_by,
            prompt_tokens: prompt.len(),
            target_passes: generated.report.target_passes,
            submits: generated.report.submits,
            read_backs: generated.report.read_backs,
            ms: generated.report.ms,
        }))
    }

    /// One forward pass: logits, hidden states or the residual stream, row after row.
    pub async fn forward(&mut self, ids: Vec<u32>, options: JsValue) -> JsResult<Vec<f32>> {
        forward::forward(&mut self.executor, ids, options).await
    }

    /// Resolves with the reason when the device is lost.
    #[wasm_bindgen(js_name = untilLost, unchecked_return_type = "Promise<string>")]
    pub fn until_lost(&self) -> js_sys::Promise {
        device::until_lost(&self.executor)
    }

    /// Times prefill and decode.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn bench(&mut self, options: JsValue) -> JsResult<JsValue> {
        bench_target(&mut self.executor, options).await
    }
}

impl SingleModel {
    fn special_tokens(&self) -> SpecialTokens<'_> {
        let Ok(tokenizer) = &self.tokenizer else {
            return SpecialTokens::default();
        };
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.token_text(id));
        SpecialTokens {
            begin: text(tokenizer.named_begin_token()),
            end: text(tokenizer.end_token()),
            adds_begin: tokenizer.begin_token().is_some(),
        }
    }
}

impl GenerateRequest {
    /// Ids as they are, or those of the text with the begin token that the metadata asks for.
    fn prompt(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let Some(text) = &self.text else {
            return self.ids.clone().unwrap_or_default();
        };
        let ids = match self.special {
            true => tokenizer.encode_prompt(text),
            false => tokenizer.encode_text(text),
        };
        tokenizer.begin_token().into_iter().chain(ids).collect()
    }
}

impl From<GenerateRequest> for GenerateOptions {
    fn from(request: GenerateRequest) -> Self {
        let (options, greedy) = (GenerateOptions::default(), Sampling::default());
        GenerateOptions {
            max_tokens: request.max_tokens.unwrap_or(options.max_tokens),
            ignores_end: request.ignore_end,
            stop_strings: request.stop,
            sampling: Sampling {
                temperature: request.temperature.unwrap_or(greedy.temperature),
                top_k: request.top_k.unwrap_or(greedy.top_k),
                top_p: request.top_p.unwrap_or(greedy.top_p),
                min_p: request.min_p.unwrap_or(greedy.min_p),
                repetition_penalty: request
                    .repetition_penalty
                    .unwrap_or(greedy.repetition_penalty),
                seed: request.seed.unwrap_or(greedy.seed),
            },
            tokens_per_submit: request.tokens_per_submit,
        }
    }
}

/// Times prefill and decode of an executor's target.
pub async fn bench_target(executor: &mut Executor, options: JsValue) -> JsResult<JsValue> {
    let request: BenchRequest = error::options(options)?;
    let weight_types = request.weight_types()?;
    let default = BenchOptions::default();
    let options = BenchOptions {
        prompt_tokens: request.prompt_tokens.unwrap_or(default.prompt_tokens),
        decode_tokens: request.decode_tokens.unwrap_or(default.decode_tokens),
        repeats: request.repeats.unwrap_or(default.repeats),
        tokens_per_submit: request.tokens_per_submit,
    };
    let vocab_size = device::target(executor).config.vocab_size as u32;
    let bench = bench(executor, vocab_size, &options)
        .await
        .map_err(error::from_bench)?;
    let matvec = match request.matvec_bytes {
        Some(bytes) => matvec(executor, &weight_types, bytes).await?,
        None => Vec::new(),
    };
    Ok(error::plain(&Measured {
        file: &device::target(executor).file,
        decode_dispatches_per_layer: device::decode_dispatches_per_layer(executor),
        bench,
        bandwidth: Bandwidth::of(device::pass_bytes(executor), &matvec),
        matvec,
    }))
}

async fn matvec(
    executor: &mut Executor,
    weight_types: &[WeightType],
    bytes: u64,
) -> JsResult<Vec<Throughput>> {
    let mut measured = Vec::new();
    for &weight_type in weight_types {
        measured.push(device::matvec(executor, weight_type, bytes).await?);
    }
    Ok(measured)
}

impl BenchRequest {
    fn weight_types(&self) -> JsResult<Vec<WeightType>> {
        let Some(names) = &self.weight_types else {
            return Ok(WeightType::ALL.to_vec());
        };
        let known = names.iter().map(|name| {
            WeightType::from_name(name).ok_or_else(|| {
                let all: Vec<_> = WeightType::ALL.iter().map(|it| it.name()).collect();
                let message = format!("there are no weights of type {name}: {}", all.join(", "));
                error::with_code("bad-input", &message)
            })
        });
        known.collect()
    }
}
