//! The engine where there is no usable WebGPU: the same list of steps as `gpu` runs, on one thread
//! of the CPU, by wasm SIMD in browsers. Written to be fast; `reference` is the one to be read, and
//! what this is tested against. Nothing here knows about tokenizers, prompts or files' formats.

mod activations;
mod cache;
mod functions;
mod lanes;
mod matrix;
mod model;
mod pair;
mod pause;
mod product;
mod throughput;

pub use matrix::Matrix;
pub use model::{CpuModel, CpuModelOptions, memory_bytes};
pub use pair::{CpuError, CpuPair};
pub use pause::{NoPause, Pause};
pub use product::{Scratch, product};
