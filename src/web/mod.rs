//! The wasm-bindgen surface: what JavaScript can call, and nothing that the native build could not
//! test. `www/engine.js` is its only caller; the interface for pages is `www/semcot.js`.
//!
//! It is built twice: on WebGPU, and with the feature `web-cpu` on the CPU, which JavaScript calls the
//! same way. `device` is what they differ in.

mod digest;
mod engine;
mod error;
mod forward;
mod info;
mod inspect;
#[cfg(feature = "web-cpu")]
mod on_cpu;
#[cfg(not(feature = "web-cpu"))]
mod on_gpu;
mod preflight;
mod problems;
mod single;
mod source;

use serde::Serialize;
use wasm_bindgen::prelude::*;

use self::error::JsResult;
#[cfg(feature = "web-cpu")]
use self::on_cpu as device;
#[cfg(not(feature = "web-cpu"))]
use self::on_gpu as device;
use crate::formats::manifest::{Manifest, ModelFile};

/// Runs once when the module is started: a panic names its place in the console.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// A file of a model, for JavaScript.
#[derive(Serialize)]
struct ListedFile<'a> {
    path: &'a str,
    bytes: u64,
    sha256: &'a str,
}

/// The files of each model of a model folder by its semcot.json, checked: the target's, the generator's,
/// and those of the sentence transformer, which answers do not need and a folder may lack.
#[wasm_bindgen(js_name = manifestFiles, unchecked_return_type = "{ path: string, bytes: number, sha256: string }[][]")]
pub fn manifest_files(text: &str) -> JsResult<JsValue> {
    let manifest = Manifest::parse(text.as_bytes()).map_err(error::from_manifest)?;
    let files = &manifest.files;
    let models = [
        Some(&files.target),
        Some(&files.generator),
        files.sentence_transformer.as_ref(),
    ];
    let listed = models.map(|model| {
        let files = model.into_iter().flat_map(ModelFile::all);
        let files = files.map(|it| ListedFile {
            path: &it.path,
            bytes: it.bytes,
            sha256: &it.sha256,
        });
        files.collect::<Vec<_>>()
    });
    Ok(error::plain(&listed))
}

/// Names of the files of the model that a GGUF file belongs to: its own, or those of all shards.
#[wasm_bindgen(js_name = shardNames)]
pub fn shard_names(file: &str) -> Vec<String> {
    crate::formats::gguf::shard_names(file)
}

/// Bytes of the wasm's linear memory, which never shrinks.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    f64::from(buffer.byte_length())
}
