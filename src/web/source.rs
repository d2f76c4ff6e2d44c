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

/// A [`JsByteSource`] with its facts read once.
pub struct Source {
    inner: JsByteSource,
    name: String,
    size_bytes: u64,
}

impl From<JsByteSource> for Source {
    fn from(inner: JsByteSource) -> Self {
        Self {
            name: inner.name(),
            // A JavaScript size is an exact whole number far below 2^53.
            size_bytes: inner.byte_length() as u64,
            inner,
        }
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
        check_range(&self.name, offset, len, self.size_bytes)?;
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
        Ok(bytes)
    }
}
