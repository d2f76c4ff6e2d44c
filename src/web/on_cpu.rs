//! The engine of this module on the CPU, for browsers without WebGPU: what `on_gpu` is on the
//! graphics device, with the same names.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::error::{self, JsResult};
use super::info::ModelInfo;
use crate::cpu::{CpuModel, CpuModelOptions, CpuPair, Pause, memory_bytes};
use crate::formats::manifest::Manifest;
use crate::formats::source::ByteSource;
use crate::model::{ForwardOptions, KvType, Model, RequestError, Throughput};
use crate::reasoning::Pair;
use crate::reasoning::loading::{check_pair_headers, load_on_simd};
use crate::weights::WeightType;

/// What answers requests.
pub type Executor = CpuPair<JsPause>;

/// Why a request was not answered.
pub type RunError = RequestError;

/// Bytes of wasm memory that a model may take: 4 GiB are all that there is, and tokenizer,
/// activations and what is being read take the rest.
const MOST_BYTES: u64 = 7 << 29;

/// `LoadOptions` of `www/semcot.js`, the part that concerns the device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Type of cached keys and values.
    kv: Option<KvType>,
}

impl Load {
    fn model(&self) -> CpuModelOptions {
        CpuModelOptions {
            kv: self.kv.unwrap_or_default(),
            ..CpuModelOptions::default()
        }
    }
}

/// Pauses by a function of JavaScript: it lets the thread's other tasks run, and resolves with false
/// where the run is wanted no more.
pub struct JsPause(js_sys::Function);

impl Pause for JsPause {
    async fn pause(&mut self) -> ControlFlow<()> {
        let Ok(promise) = self.0.call0(&JsValue::NULL) else {
            return ControlFlow::Break(());
        };
        let go_on = JsFuture::from(js_sys::Promise::resolve(&promise)).await;
        match go_on {
            Ok(go_on) if go_on != JsValue::FALSE => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

/// The CPU, which is always there.
pub struct Device(JsPause);

impl Device {
    pub async fn open(_options: &Load, pause: js_sys::Function) -> JsResult<Self> {
        Ok(Self(JsPause(pause)))
    }

    pub async fn load_pair(
        self,
        manifest: &Manifest,
        target: &impl ByteSource,
        generator: &impl ByteSource,
        options: &Load,
    ) -> JsResult<Pair<Executor>> {
        check_pair(target, generator, options).await?;
        let pair = load_on_simd(manifest, target, generator, options.model(), self.0).await;
        pair.map_err(error::from_load)
    }

    pub async fn load_single(
        self,
        model: Model,
        source: &impl ByteSource,
        options: &Load,
    ) -> JsResult<Executor> {
        check_single(&model, options).await?;
        let model = CpuModel::load(model, source, options.model()).await;
        let model = model.map_err(error::from_model)?;
        CpuPair::new(model, None, self.0).map_err(error::from_model)
    }
}

/// Checks the headers of a pair, and that there is memory for it.
pub async fn check_pair(
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: &Load,
) -> JsResult<()> {
    let models = check_pair_headers(target, generator).await;
    let [target, generator] = models.map_err(error::from_load)?;
    check_memory(&[&target, &generator], options)
}

/// Checks that there is memory for a single model.
pub async fn check_single(model: &Model, options: &Load) -> JsResult<()> {
    check_memory(&[model], options)
}

fn check_memory(models: &[&Model], options: &Load) -> JsResult<()> {
    let needed = models.iter().map(|it| memory_bytes(it, options.model()));
    let needed: u64 = needed.sum();
    if needed > MOST_BYTES {
        let message = format!(
            "the model takes {} MB of memory on the CPU, and wasm has room for {} MB; take a smaller one, or a browser with WebGPU",
            needed / 1_000_000,
            MOST_BYTES / 1_000_000
        );
        return Err(error::with_code("limit-too-low", &message));
    }
    check_room(needed, "the model")
}

/// A module that gets no memory ends at once; asked this way it can say so.
fn check_room(bytes: u64, what: &str) -> JsResult<()> {
    let mut room: Vec<u8> = Vec::new();
    let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
    room.try_reserve_exact(wanted).map_err(|_| {
        let megabytes = bytes / 1_000_000;
        let message = format!(
            "the browser gives no {megabytes} MB of memory for {what}; close other tabs, or take less"
        );
        error::with_code("out-of-memory", &message)
    })
}

/// A promise that is never kept: the CPU stays.
pub fn until_lost(_executor: &Executor) -> js_sys::Promise {
    js_sys::Promise::new(&mut |_, _| {})
}

/// What a graphics device tells of its kernels' variants: here there is one.
#[derive(Serialize)]
pub struct Variant {
    name: &'static str,
    rejected: [(); 0],
    slower: [(); 0],
}

pub fn kernels(_executor: &Executor) -> Variant {
    Variant {
        name: "wasm SIMD",
        rejected: [],
        slower: [],
    }
}

pub fn models(executor: &Executor) -> Vec<ModelInfo<'_>> {
    let models = [Some(executor.target()), executor.generator()];
    let models = models.into_iter().flatten();
    let info = models.map(|it| ModelInfo::of(it.model(), it.size_bytes(), it.pass_bytes()));
    info.collect()
}

/// Bytes of the target's weights that a pass of one token reads.
pub fn pass_bytes(executor: &Executor) -> u64 {
    executor.target().pass_bytes()
}

pub fn target(executor: &Executor) -> &Model {
    executor.target().model()
}

pub async fn forward(
    executor: &mut Executor,
    ids: &[u32],
    given: &[Vec<f32>],
    options: ForwardOptions,
) -> JsResult<Vec<f32>> {
    let values = executor.forward(ids, given, options).await;
    let stopped = || error::with_code("aborted", "Aborted.");
    values.map_err(error::from_request)?.ok_or_else(stopped)
}

pub async fn load_sentence_transformer(
    executor: &mut Executor,
    source: &impl ByteSource,
) -> JsResult<()> {
    let loaded = executor.load_sentence_transformer(source).await;
    loaded.map_err(error::from_model)
}

/// Nothing is dispatched.
pub fn decode_dispatches_per_layer(_executor: &Executor) -> u32 {
    0
}

/// Speed of a matrix of a weight type.
pub async fn matvec(
    executor: &mut Executor,
    weight_type: WeightType,
    bytes: u64,
) -> JsResult<Throughput> {
    // The matrix, and what is copied from where to where.
    check_room(bytes.saturating_mul(3), "what is to be measured")?;
    let measured = executor.matvec_throughput(weight_type, bytes);
    measured.await.map_err(error::from_request)
}

pub fn code_of_run(error: &RunError) -> &'static str {
    error::code_of_request(error)
}
