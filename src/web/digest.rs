//! SHA-256 of a file while it is fetched; the platform's own digest wants all bytes at once.

use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;

use crate::formats::manifest::hex;

/// A running SHA-256.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256Stream {
    state: Sha256,
}

#[wasm_bindgen]
impl Sha256Stream {
    /// Of no bytes yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    /// The digest in 64 lower-case hexadecimal digits; ends the stream.
    pub fn hex(self) -> String {
        hex(&self.state.finalize())
    }
}
