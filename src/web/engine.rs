//! A loaded pair, as JavaScript drives it: load, ask, compare, bench. Thin: it turns options into the
//! library's, results into plain objects, and errors into codes.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::error::{self, JsResult};
use super::single::bench_target;
use super::source::{self, JsByteSource};
use crate::formats::manifest::{Accuracy, Manifest};
use crate::gpu::{
    Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, Halves, KernelVariant, Layout, Products,
    ReadBack, Reduce,
};
use crate::model::KvType;
use crate::reasoning::comparison::CompareOptions;
use crate::reasoning::loading::load_on_gpu;
use crate::reasoning::{AskOptions, Mode, Pair};

/// A target with its generator on the graphics device of this page or worker.
#[wasm_bindgen]
pub struct Engine {
    pub(super) pair: Pair<GpuPair>,
    manifest: Manifest,
}

/// `AskOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    mode: Mode,
    implicit_tokens: Option<u32>,
    max_tokens: Option<u32>,
    tokens_per_submit: Option<u32>,
}

/// `CompareOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compare {
    modes: Vec<Mode>,
    repeats: u32,
    implicit_tokens: Option<u32>,
    max_tokens: Option<u32>,
    tokens_per_submit: Option<u32>,
}

/// What is loaded; the adapter's facts are added in JavaScript, where there are more of them.
#[derive(Serialize)]
struct Info<'a> {
    name: &'a str,
    description: &'a str,
    license: &'a str,
    implicit_tokens: u32,
    tokens_per_submit: u32,
    context_length: u32,
    accuracy: &'a [Accuracy],
    kernels: KernelVariant,
    models: Vec<ModelInfo<'a>>,
}

/// One model file.
#[derive(Serialize)]
pub(super) struct ModelInfo<'a> {
    file: &'a str,
    parameters: u64,
    /// On the device.
    bytes: u64,
    layers: usize,
    hidden_size: usize,
    vocab_size: usize,
}

/// `LoadOptions` of `www/semcot.js`, the part that concerns the device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Load {
    /// Firefox is woken, the others are not: see [`ReadBack`].
    wake_read_backs: bool,
    /// Type of cached keys and values.
    kv: Option<KvType>,
    kernels: Option<Kernels>,
}

/// `KernelSettings` of `www/semcot.js`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kernels {
    reduce: Reduce,
    #[serde(default)]
    native_f16: bool,
    #[serde(default)]
    dot4: bool,
}

impl From<Kernels> for Layout {
    fn from(kernels: Kernels) -> Self {
        Self {
            reduce: kernels.reduce,
            halves: match kernels.native_f16 {
                true => Halves::Native,
                false => Halves::Packed,
            },
            products: match kernels.dot4 {
                true => Products::Bytes,
                false => Products::Floats,
            },
        }
    }
}

#[wasm_bindgen]
impl Engine {
    /// Puts the models of a folder on the device, each given by its files in their order.
    /// `on_progress` gets a phase and the bytes of all files read until then, and ends the loading
    /// by returning false.
    pub async fn load(
        manifest: &str,
        target: Vec<JsByteSource>,
        generator: Vec<JsByteSource>,
        options: JsValue,
        on_progress: js_sys::Function,
    ) -> JsResult<Engine> {
        let manifest = Manifest::parse(manifest.as_bytes()).map_err(error::from_manifest)?;
        let options: Load = error::options(options)?;
        let gpu = open_gpu(&options).await?;
        let mut begin = 0;
        let target_source = source::open(target, &mut begin, Some(&on_progress)).await?;
        let generator_source = source::open(generator, &mut begin, Some(&on_progress)).await?;

        let pair = load_on_gpu(
            gpu,
            &manifest,
            &target_source,
            &generator_source,
            options.model(),
        );
        let pair = pair.await.map_err(error::from_load)?;
        Ok(Engine { pair, manifest })
    }

    /// What is loaded.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub fn info(&mut self) -> JsValue {
        let tokens_per_submit = self.pair.tokens_per_submit();
        let executor = self.pair.executor();
        let models = [Some(executor.target()), executor.generator()];
        error::plain(&Info {
            name: &self.manifest.name,
            description: &self.manifest.description,
            license: &self.manifest.license,
            implicit_tokens: self.manifest.implicit_tokens,
            tokens_per_submit,
            context_length: executor.target().context_tokens(),
            accuracy: &self.manifest.accuracy,
            kernels: executor.gpu().kernel_variant(),
            models: models.into_iter().flatten().map(ModelInfo::of).collect(),
        })
    }

    /// Answers a question. `on_piece` gets what becomes known on the way, and ends the run by
    /// returning false.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn ask(
        &mut self,
        question: &str,
        options: JsValue,
        on_piece: js_sys::Function,
    ) -> JsResult<JsValue> {
        let options: Ask = error::options(options)?;
        let answer = self
            .pair
            .ask(question, &options.into(), |piece| tell(&on_piece, &piece))
            .await
            .map_err(error::from_ask)?;
        Ok(error::plain(&answer))
    }

    /// Runs the modes in turns. `on_answer` gets every measured answer, and ends the comparison by
    /// returning false; `null` then, where a mode was not yet measured.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown> | null")]
    pub async fn compare(
        &mut self,
        question: &str,
        options: JsValue,
        on_answer: js_sys::Function,
    ) -> JsResult<JsValue> {
        let options: Compare = error::options(options)?;
        let comparison = self
            .pair
            .compare(question, &options.into(), |answer| tell(&on_answer, answer))
            .await
            .map_err(error::from_ask)?;
        Ok(error::plain(&comparison))
    }

    /// Resolves with the reason when the device is lost.
    #[wasm_bindgen(js_name = untilLost, unchecked_return_type = "Promise<string>")]
    pub fn until_lost(&mut self) -> js_sys::Promise {
        until_lost(self.pair.executor().gpu())
    }

    /// Times prefill and decode of the target.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn bench(&mut self, options: JsValue) -> JsResult<JsValue> {
        bench_target(self.pair.executor(), options).await
    }
}

pub(super) async fn open_gpu(options: &Load) -> JsResult<Arc<Gpu>> {
    let gpu = Gpu::new(options.gpu()).await;
    gpu.map(Arc::new).map_err(error::from_gpu)
}

/// A promise of the reason why a device went away; it borrows nothing, so that runs may go on.
pub(super) fn until_lost(gpu: &Gpu) -> js_sys::Promise {
    let lost = gpu.until_lost();
    wasm_bindgen_futures::future_to_promise(async move { Ok(lost.await.into()) })
}

/// Hands data to JavaScript; anything but false lets the run go on.
pub(super) fn tell<T: Serialize + ?Sized>(
    listener: &js_sys::Function,
    data: &T,
) -> ControlFlow<()> {
    match listener.call1(&JsValue::NULL, &error::plain(data)) {
        Ok(reply) if reply != JsValue::FALSE => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

impl Load {
    pub(super) fn gpu(&self) -> GpuOptions {
        GpuOptions {
            layout: self.kernels.map(Layout::from),
            read_back: match self.wake_read_backs {
                true => ReadBack::Wake,
                false => ReadBack::Await,
            },
            ..GpuOptions::default()
        }
    }

    pub(super) fn model(&self) -> GpuModelOptions {
        GpuModelOptions {
            kv: self.kv.unwrap_or_default(),
            ..GpuModelOptions::default()
        }
    }
}

impl From<Ask> for AskOptions {
    fn from(ask: Ask) -> Self {
        AskOptions {
            mode: ask.mode,
            implicit_tokens: ask.implicit_tokens,
            max_tokens: ask.max_tokens,
            tokens_per_submit: ask.tokens_per_submit,
        }
    }
}

impl From<Compare> for CompareOptions {
    fn from(compare: Compare) -> Self {
        CompareOptions {
            modes: compare.modes,
            repeats: compare.repeats,
            ask: AskOptions {
                implicit_tokens: compare.implicit_tokens,
                max_tokens: compare.max_tokens,
                tokens_per_submit: compare.tokens_per_submit,
                ..AskOptions::new(Mode::Implicit)
            },
        }
    }
}

impl<'a> ModelInfo<'a> {
    pub(super) fn of(model: &'a GpuModel) -> Self {
        let config = model.config();
        ModelInfo {
            file: &model.model().file,
            parameters: model.model().parameters(),
            bytes: model.size_bytes(),
            layers: config.num_layers,
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
        }
    }
}
