//! Errors as JavaScript meets them: an `Error` with one of the stable codes of `www/errors.js`. The
//! library's own codes are finer; which of them a page can tell apart is decided here.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::formats::manifest::ManifestError;

/// An `Error` with a `code`.
pub fn with_code(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    // Setting a field of a fresh object cannot fail.
    let _ = js_sys::Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}

/// A manifest that cannot be used.
pub fn of(error: &ManifestError) -> JsValue {
    let code = match error {
        ManifestError::Mismatch { .. } => "integrity",
        ManifestError::Json { .. } | ManifestError::Field { .. } => "unsupported-model",
    };
    with_code(code, &error.to_string())
}

/// Data as plain JavaScript objects, arrays and numbers.
pub fn plain<T: Serialize>(value: &T) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value
        .serialize(&serializer)
        .expect("data without non-string keys has a JavaScript form")
}
