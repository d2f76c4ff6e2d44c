//! The wasm-bindgen surface: what JavaScript can call, and nothing that the native build could not
//! test. `www/engine.js` is its only caller; the interface for pages is `www/semcot.js`.

mod digest;
mod engine;
mod error;
mod forward;
mod problems;
mod single;
mod source;

use wasm_bindgen::prelude::*;

use self::error::JsResult;
use crate::formats::manifest::Manifest;

/// Runs once when the module is started: a panic names its place in the console.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The files that inference needs of a model folder, target first, by its semcot.json, checked.
#[wasm_bindgen(js_name = manifestFiles, unchecked_return_type = "{ path: string, bytes: number, sha256: string }[]")]
pub fn manifest_files(text: &str) -> JsResult<JsValue> {
    let manifest = Manifest::parse(text.as_bytes()).map_err(error::from_manifest)?;
    let files = [manifest.files.target, manifest.files.generator];
    Ok(error::plain(&files))
}

/// Bytes of the wasm's linear memory, which never shrinks.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    f64::from(buffer.byte_length())
}
