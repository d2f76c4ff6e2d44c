//! Errors as JavaScript meets them: an `Error` with one of the stable codes of `www/errors.js`. The
//! library's own codes are finer; what a page can do about them is decided here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

use super::device::{RunError, code_of_run};
use crate::evaluation::bench::BenchError;
use crate::formats::gguf::GgufError;
use crate::formats::manifest::ManifestError;
use crate::formats::source::SourceError;
use crate::gpu::GpuError;
use crate::model::{ModelError, ModelFault, RequestError};
use crate::reasoning::AskError;
use crate::reasoning::loading::LoadError;

/// What a function that JavaScript calls gives back.
pub type JsResult<T> = Result<T, JsValue>;

/// An `Error` with a `code`.
pub fn with_code(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    // Setting a field of a fresh object cannot fail.
    let _ = js_sys::Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}

/// A manifest that cannot be used.
pub fn from_manifest(error: ManifestError) -> JsValue {
    let code = match error {
        ManifestError::Mismatch { .. } => "integrity",
        ManifestError::Json { .. } | ManifestError::Field { .. } => "unsupported-model",
    };
    with_code(code, &error.to_string())
}

/// A pair that could not be loaded.
pub fn from_load(error: LoadError) -> JsValue {
    let code = match &error {
        LoadError::Model(error) => code_of_fault(&error.fault),
        LoadError::Gpu(error) => code_of_gpu(error),
        LoadError::NotAGenerator { .. } | LoadError::Tokenizer { .. } | LoadError::Pair(_) => {
            "unsupported-model"
        }
    };
    with_code(code, &error.to_string())
}

/// A question that was not answered.
pub fn from_ask(error: AskError<RunError>) -> JsValue {
    let code = match &error {
        AskError::Run(error) => code_of_run(error),
        _ => "bad-input",
    };
    with_code(code, &error.to_string())
}

/// A bench that did not run.
pub fn from_bench(error: BenchError<RunError>) -> JsValue {
    let code = match &error {
        BenchError::Run(error) => code_of_run(error),
        BenchError::OptionOutOfRange { .. } => "bad-input",
    };
    with_code(code, &error.to_string())
}

/// A run that failed.
pub fn from_run(error: RunError) -> JsValue {
    with_code(code_of_run(&error), &error.to_string())
}

/// A request that cannot be run.
pub fn from_request(error: RequestError) -> JsValue {
    with_code(code_of_request(&error), &error.to_string())
}

/// A model that cannot be used.
pub fn from_model(error: ModelError) -> JsValue {
    with_code(code_of_fault(&error.fault), &error.to_string())
}

/// What a page can do about a failure of the device.
pub fn code_of_gpu(error: &GpuError) -> &'static str {
    match error {
        GpuError::NoWebGpu { .. } | GpuError::NoDevice { .. } => "no-webgpu",
        GpuError::LimitTooLow { .. } | GpuError::DoesNotFit { .. } => "limit-too-low",
        GpuError::OutOfMemory { .. } => "out-of-memory",
        GpuError::DeviceLost { .. } => "device-lost",
        GpuError::Request(error) => code_of_request(error),
        GpuError::Unsupported { .. } | GpuError::LayoutNotOffered { .. } => "bad-input",
        GpuError::Model(error) => code_of_fault(&error.fault),
        GpuError::Refused { .. }
        | GpuError::UnknownKernel { .. }
        | GpuError::UnknownPart { .. } => "internal",
    }
}

/// What a page can do about a request that cannot be run.
pub fn code_of_request(error: &RequestError) -> &'static str {
    match error {
        RequestError::NoSentenceTransformer => "unsupported-model",
        RequestError::Stopped => "aborted",
        _ => "bad-input",
    }
}

fn code_of_fault(fault: &ModelFault) -> &'static str {
    match fault {
        ModelFault::Source(error) | ModelFault::Gguf(GgufError::Source(error)) => {
            code_of_source(error)
        }
        ModelFault::Gguf(GgufError::Truncated { .. }) | ModelFault::NotFinite { .. } => "integrity",
        _ => "unsupported-model",
    }
}

fn code_of_source(error: &SourceError) -> &'static str {
    match error {
        SourceError::Missing { .. } | SourceError::Read { .. } => "network",
        SourceError::Range { .. } => "integrity",
        SourceError::Aborted { .. } => "aborted",
    }
}

/// Options from a JavaScript object.
pub fn options<T: DeserializeOwned>(value: JsValue) -> JsResult<T> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| with_code("bad-input", &format!("options: {error}")))
}

/// Data as plain JavaScript objects, arrays and numbers.
pub fn plain<T: Serialize + ?Sized>(value: &T) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value
        .serialize(&serializer)
        .expect("data without non-string keys has a JavaScript form")
}
