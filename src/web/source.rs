//! Model bytes that JavaScript holds (files, outside the wasm's memory), read slice by slice.

use wasm_bindgen::prelude::*;

use super::error::{self, JsResult};
use crate::formats::gguf::SplitSource;
use crate::formats::source::{ByteSource, SourceError, check_range};
use crate::model::ModelError;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
export interface ByteSource {
  readonly name: string;
  /** NaN while nobody knows. */
  readonly byteLength: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}
";

#[wasm_bindgen]
extern "C" {
    /// `download.js` and `local.js` make these.
    #[wasm_bindgen(typescript_type = "ByteSource")]
    pub type JsByteSource;

    #[wasm_bindgen(method, getter)]
    fn name(this: &JsByteSource) -> String;

    #[wasm_bindgen(method, getter, js_name = byteLength)]
    fn byte_length(this: &JsByteSource) -> f64;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &JsByteSource, offset: f64, length: f64) -> Result<JsValue, JsValue>;
}

/// A [`JsByteSource`] with its facts read once, that tells how far the reading is.
pub struct Source {
    inner: JsByteSource,
    name: String,
    size_bytes: Option<u64>,
    /// Bytes of the files before it.
    begin: u64,
    /// Not while a header is read before anything is fetched.
    on_progress: Option<js_sys::Function>,
}

/// The files of a model as one. `begin` counts the bytes of the files before, and is moved on.
/// `on_progress` gets the phase `upload` and the bytes read until then, those of the files before
/// included; it ends the reading by returning false.
pub async fn open(
    files: Vec<JsByteSource>,
    begin: &mut u64,
    on_progress: Option<&js_sys::Function>,
) -> JsResult<SplitSource<Source>> {
    if files.is_empty() {
        return Err(error::with_code("internal", "a model without files"));
    }
    let sources: Vec<_> = files
        .into_iter()
        .map(|it| Source::new(it, begin, on_progress))
        .collect();
    let file = sources[0].name.clone();
    SplitSource::open(sources).await.map_err(|fault| {
        error::from_model(ModelError {
            file,
            fault: fault.into(),
        })
    })
}

impl Source {
    fn new(inner: JsByteSource, begin: &mut u64, on_progress: Option<&js_sys::Function>) -> Self {
        let byte_length = inner.byte_length();
        // A JavaScript size is an exact whole number far below 2^53.
        let size_bytes = byte_length.is_finite().then_some(byte_length as u64);
        let source = Self {
            name: inner.name(),
            size_bytes,
            inner,
            begin: *begin,
            on_progress: on_progress.cloned(),
        };
        *begin += size_bytes.unwrap_or(0);
        source
    }

    fn report(&self, end: u64) -> Result<(), SourceError> {
        let Some(on_progress) = &self.on_progress else {
            return Ok(());
        };
        let bytes = JsValue::from((self.begin + end) as f64);
        let reply = on_progress.call2(&JsValue::NULL, &"upload".into(), &bytes);
        if reply.is_ok_and(|it| it != JsValue::FALSE) {
            return Ok(());
        }
        Err(SourceError::Aborted {
            name: self.name.clone(),
        })
    }
}

impl ByteSource for Source {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        let size_bytes = self.size_bytes.unwrap_or(u64::MAX);
        let end = check_range(&self.name, offset, len, size_bytes)?;
        let failed = |reason: String| SourceError::Read {
            name: self.name.clone(),
            reason,
        };
        let bytes = self
            .inner
            .read(offset as f64, len as f64)
            .await
            .map_err(|thrown| match thrown.dyn_ref::<js_sys::Error>() {
                Some(error) => failed(error.message().into()),
                None => failed(format!("{thrown:?}")),
            })?;
        let bytes = js_sys::Uint8Array::from(bytes).to_vec();
        let may_end = self.size_bytes.is_none();
        if bytes.len() > len || (bytes.len() < len && !may_end) {
            return Err(failed(format!(
                "{} bytes came instead of {len}",
                bytes.len()
            )));
        }
        self.report(end)?;
        Ok(bytes)
    }
}
