//! Everything that comes from outside and may be hostile: model files, manifests, and the places
//! that bytes are read from. Parsers here give values or typed errors, check every size before
//! they allocate, and know nothing of models or GPUs.

pub mod gguf;
pub mod manifest;
#[cfg(not(target_arch = "wasm32"))]
pub mod pickle;
#[cfg(not(target_arch = "wasm32"))]
pub mod safetensors;
pub mod source;
#[cfg(not(target_arch = "wasm32"))]
pub mod tensors;
