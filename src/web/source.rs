//! Model bytes that JavaScript holds (a Blob, outside the wasm's memory), read slice by slice.

use wasm_bindgen::prelude::*;

use crate::formats::source::{ByteSource, SourceError, check_range};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
export interface ByteSource {
  readonly name: string;
  readonly byteLength: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}
";

#[wasm_bindgen]
extern "C" {
    /// `download.js` makes these.
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
    size_bytes: u64,
    /// Bytes of the files before it.
    begin: u64,
    on_progress: js_sys::Function,
}

impl Source {
    /// `on_progress` gets the phase `upload` and the bytes read until then, those of the files
    /// before included; it ends the reading by returning false.
    pub fn new(inner: JsByteSource, begin: u64, on_progress: &js_sys::Function) -> Self {
        Self {
            name: inner.name(),
            // A JavaScript size is an exact whole number far below 2^53.
            size_bytes: inner.byte_length() as u64,
            inner,
            begin,
            on_progress: on_progress.clone(),
        }
    }

    /// Bytes of the files up to and with this one.
    pub fn end(&self) -> u64 {
        self.begin + self.size_bytes
    }

    fn report(&self, end: u64) -> Result<(), SourceError> {
        let bytes = JsValue::from((self.begin + end) as f64);
        let reply = self
            .on_progress
            .call2(&JsValue::NULL, &"upload".into(), &bytes);
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
        Some(self.size_bytes)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        let end = check_range(&self.name, offset, len, self.size_bytes)?;
        let failed = |reason: String| SourceError::Read {
            name: self.name.clone(),
            reason,
        };
        let bytes = self
            .inner
            .read(offset as f64, len as f64)
            .await
            .map_err(|thrown| failed(format!("{thrown:?}")))?;
        let bytes = js_sys::Uint8Array::from(bytes).to_vec();
        if bytes.len() != len {
            return Err(failed(format!(
                "{} bytes came instead of {len}",
                bytes.len()
            )));
        }
        self.report(end)?;
        Ok(bytes)
    }
}
