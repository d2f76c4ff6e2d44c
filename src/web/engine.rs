//! A loaded pair, as JavaScript drives it: load, ask, compare, bench. Thin: it turns options into the
//! library's, results into plain objects, and errors into codes.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::device::{self, Device, Executor, Load, Variant};
use super::error::{self, JsResult};
use super::info::ModelInfo;
use super::single::bench_target;
use super::source::{self, JsByteSource};
use crate::formats::manifest::{Accuracy, Alignment, Manifest};
use crate::model::run::Execute;
use crate::reasoning::comparison::CompareOptions;
use crate::reasoning::{AskOptions, Mode, Pair};

/// A target with its generator on the device of this module.
#[wasm_bindgen]
pub struct Engine {
    pub(super) pair: Pair<Executor>,
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
    alignment: &'a [Alignment],
    kernels: Variant,
    models: Vec<ModelInfo<'a>>,
}

#[wasm_bindgen]
impl Engine {
    /// Puts the models of a folder on the device, each given by its files in their order.
    /// `on_progress` gets a phase and the bytes of all files read until then, and ends the loading
    /// by returning false. `pause` is called where the engine computes in this thread for long: it lets
    /// other tasks run, and ends what runs by resolving with false.
    pub async fn load(
        manifest: &str,
        target: Vec<JsByteSource>,
        generator: Vec<JsByteSource>,
        options: JsValue,
        on_progress: js_sys::Function,
        pause: js_sys::Function,
    ) -> JsResult<Engine> {
        let manifest = Manifest::parse(manifest.as_bytes()).map_err(error::from_manifest)?;
        let options: Load = error::options(options)?;
        let device = Device::open(&options, pause).await?;
        let mut begin = 0;
        let target_source = source::open(target, &mut begin, Some(&on_progress)).await?;
        let generator_source = source::open(generator, &mut begin, Some(&on_progress)).await?;

        let pair = device.load_pair(&manifest, &target_source, &generator_source, &options);
        let pair = pair.await?;
        Ok(Engine { pair, manifest })
    }

    /// What is loaded.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub fn info(&mut self) -> JsValue {
        let tokens_per_submit = self.pair.tokens_per_submit();
        let executor = self.pair.executor();
        error::plain(&Info {
            name: &self.manifest.name,
            description: &self.manifest.description,
            license: &self.manifest.license,
            implicit_tokens: self.manifest.implicit_tokens,
            tokens_per_submit,
            context_length: executor.context_length(),
            accuracy: &self.manifest.accuracy,
            alignment: &self.manifest.alignment,
            kernels: device::kernels(executor),
            models: device::models(executor),
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
        device::until_lost(self.pair.executor())
    }

    /// Times prefill and decode of the target.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn bench(&mut self, options: JsValue) -> JsResult<JsValue> {
        bench_target(self.pair.executor(), options).await
    }
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

impl From<Ask> for AskOptions {
    fn from(ask: Ask) -> Self {
        AskOptions {
            implicit_tokens: ask.implicit_tokens,
            max_tokens: ask.max_tokens,
            tokens_per_submit: ask.tokens_per_submit,
            ..AskOptions::new(ask.mode)
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
