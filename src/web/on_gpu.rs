//! The engine of this module on the graphics device: what `on_cpu` is on the CPU, with the same names.

use std::sync::Arc;

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::error::{self, JsResult};
use super::info::ModelInfo;
use crate::formats::manifest::Manifest;
use crate::formats::source::ByteSource;
use crate::gpu::{
    Allowed, Gpu, GpuError, GpuModel, GpuModelOptions, GpuOptions, GpuPair, Halves, KernelVariant,
    Layout, Products, ReadBack, Reduce,
};
use crate::model::{ForwardOptions, KvType, Model, Throughput};
use crate::reasoning::Pair;
use crate::reasoning::loading::{check_before_loading, load_on_gpu};
use crate::weights::WeightType;

/// What answers requests.
pub type Executor = GpuPair;

/// Why a request was not answered.
pub type RunError = GpuError;

/// What is told of the kernels.
pub type Variant = KernelVariant;

/// `LoadOptions` of `www/semcot.js`, the part that concerns the device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
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

impl Load {
    fn gpu(&self) -> GpuOptions {
        GpuOptions {
            layout: self.kernels.map(Layout::from),
            read_back: match self.wake_read_backs {
                true => ReadBack::Wake,
                false => ReadBack::Await,
            },
            ..GpuOptions::default()
        }
    }

    fn model(&self) -> GpuModelOptions {
        GpuModelOptions {
            kv: self.kv.unwrap_or_default(),
            ..GpuModelOptions::default()
        }
    }
}

/// The device, opened before anything is read.
pub struct Device(Arc<Gpu>);

impl Device {
    /// The browser computes; this thread is free, so that there are no pauses to make.
    pub async fn open(options: &Load, _pause: js_sys::Function) -> JsResult<Self> {
        let gpu = Gpu::new(options.gpu()).await;
        let gpu = gpu.map(Arc::new).map_err(from_gpu)?;
        Ok(Self(gpu))
    }

    pub async fn load_pair(
        self,
        manifest: &Manifest,
        target: &impl ByteSource,
        generator: &impl ByteSource,
        options: &Load,
    ) -> JsResult<Pair<Executor>> {
        let pair = load_on_gpu(self.0, manifest, target, generator, options.model()).await;
        pair.map_err(error::from_load)
    }

    pub async fn load_single(
        self,
        model: Model,
        source: &impl ByteSource,
        options: &Load,
    ) -> JsResult<Executor> {
        let model = GpuModel::load(self.0, model, source, options.model()).await;
        let model = model.map_err(from_gpu)?;
        let executor = GpuPair::new(model, None).await;
        executor.map_err(from_gpu)
    }
}

/// Checks the headers of a pair against the adapter.
pub async fn check_pair(
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: &Load,
) -> JsResult<()> {
    let checked =
        check_before_loading(allowed(options).await?, target, generator, options.model()).await;
    checked.map_err(error::from_load)
}

/// Checks the header of a single model against the adapter.
pub async fn check_single(model: &Model, options: &Load) -> JsResult<()> {
    let checked = allowed(options).await?.check(&[model], options.model());
    checked.map_err(from_gpu)
}

async fn allowed(options: &Load) -> JsResult<Allowed> {
    let allowed = Allowed::by_adapter(&options.gpu()).await;
    allowed.map_err(from_gpu)
}

/// A promise of the reason why the device went away; it borrows nothing, so that runs may go on.
pub fn until_lost(executor: &Executor) -> js_sys::Promise {
    let lost = executor.gpu().until_lost();
    wasm_bindgen_futures::future_to_promise(async move { Ok(lost.await.into()) })
}

pub fn kernels(executor: &Executor) -> Variant {
    executor.gpu().kernel_variant()
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
    let values = executor.target().forward(ids, given, options).await;
    values.map_err(from_gpu)
}

pub async fn load_sentence_transformer(
    executor: &mut Executor,
    source: &impl ByteSource,
) -> JsResult<()> {
    let loaded = executor.load_sentence_transformer(source).await;
    loaded.map_err(from_gpu)
}

/// Dispatches of a layer in decode.
pub fn decode_dispatches_per_layer(executor: &Executor) -> u32 {
    executor.target().decode_dispatches().1
}

/// Speed of a matrix of a weight type.
pub async fn matvec(
    executor: &mut Executor,
    weight_type: WeightType,
    bytes: u64,
) -> JsResult<Throughput> {
    let measured = executor.gpu().matvec_throughput(weight_type, bytes);
    measured.await.map_err(from_gpu)
}

fn from_gpu(error: GpuError) -> JsValue {
    error::with_code(error::code_of_gpu(&error), &error.to_string())
}

pub fn code_of_run(error: &RunError) -> &'static str {
    error::code_of_gpu(error)
}
