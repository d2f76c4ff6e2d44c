//! One GGUF file by itself: no tokenizer, no prompts, so it cannot be asked, only measured.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::engine::{Load, ModelInfo, open_gpu};
use super::error::{self, JsResult};
use super::source::{JsByteSource, Source};
use crate::evaluation::bench::{Bench, BenchOptions, bench};
use crate::gpu::{GpuModel, GpuModelOptions, GpuPair};
use crate::model::Model;

/// A model on the graphics device, for `bench`.
#[wasm_bindgen]
pub struct SingleModel {
    executor: GpuPair,
}

/// `BenchOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BenchRequest {
    prompt_tokens: Option<u32>,
    decode_tokens: Option<u32>,
    repeats: Option<u32>,
    tokens_per_submit: Option<u32>,
}

/// What a bench gives to JavaScript.
#[derive(Serialize)]
struct Measured<'a> {
    file: &'a str,
    decode_dispatches_per_layer: u32,
    #[serde(flatten)]
    bench: Bench,
}

/// What is loaded.
#[derive(Serialize)]
struct Info<'a> {
    name: &'a str,
    tokens_per_submit: u32,
    context_length: u32,
    models: [ModelInfo<'a>; 1],
}

#[wasm_bindgen]
impl SingleModel {
    /// Puts a GGUF file on the device; `on_progress` as for a pair.
    pub async fn load(
        source: JsByteSource,
        options: JsValue,
        on_progress: js_sys::Function,
    ) -> JsResult<SingleModel> {
        let options: Load = error::options(options)?;
        let gpu = open_gpu().await?;
        let source = Source::new(source, 0, &on_progress);
        let mut model = Model::open(&source).await.map_err(error::from_model)?;
        // A generator writes no tokens; measured as a plain model, it shows what its size costs.
        model.generator = None;
        let model = GpuModel::load(gpu, model, &source, GpuModelOptions::default()).await;
        let model = model.map_err(error::from_gpu)?;
        let executor = GpuPair::new(model, None, options.read_back()).await;
        let executor = executor.map_err(error::from_gpu)?;
        Ok(SingleModel { executor })
    }

    /// What is loaded.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub fn info(&self) -> JsValue {
        let target = self.executor.target();
        error::plain(&Info {
            name: &target.model().file,
            tokens_per_submit: self.executor.default_tokens_per_submit(),
            context_length: target.context_tokens(),
            models: [ModelInfo::of(target)],
        })
    }

    /// Times prefill and decode.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn bench(&mut self, options: JsValue) -> JsResult<JsValue> {
        bench_target(&mut self.executor, options).await
    }
}

/// Times prefill and decode of an executor's target.
pub async fn bench_target(executor: &mut GpuPair, options: JsValue) -> JsResult<JsValue> {
    let request: BenchRequest = error::options(options)?;
    let default = BenchOptions::default();
    let options = BenchOptions {
        prompt_tokens: request.prompt_tokens.unwrap_or(default.prompt_tokens),
        decode_tokens: request.decode_tokens.unwrap_or(default.decode_tokens),
        repeats: request.repeats.unwrap_or(default.repeats),
        tokens_per_submit: request.tokens_per_submit,
    };
    let vocab_size = executor.target().config().vocab_size as u32;
    let bench = bench(executor, vocab_size, &options)
        .await
        .map_err(error::from_bench)?;
    let target = executor.target();
    Ok(error::plain(&Measured {
        file: &target.model().file,
        decode_dispatches_per_layer: target.decode_dispatches().1,
        bench,
    }))
}
