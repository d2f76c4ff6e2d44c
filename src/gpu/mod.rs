//! Everything that runs on a GPU: the adapter and its limits, buffers, kernels, the forward pass
//! compiled to dispatches, and the decode loop with its read-backs. The same code natively and in
//! the browser. What is computed is written in `model` (as steps) and in `shaders/` (as WGSL);
//! nothing here knows about tokenizers, prompts or files' formats.

mod activations;
mod again;
mod buffers;
mod device;
mod dispatch;
mod error;
mod execute;
mod inspect;
mod kernels;
mod layout;
mod linear;
mod loss;
mod memory;
mod model;
mod pair;
mod preflight;
mod probe;
mod program;
mod read_back;
pub mod self_test;
mod sentence;
mod stopwatch;
#[cfg(target_arch = "wasm32")]
mod subgroups;
mod throughput;
mod timing;
mod tokens_per_submit;
mod variants;
mod weight;

pub use device::{Gpu, GpuOptions};
pub use error::GpuError;
pub use kernels::{BindingKind, KERNELS, Kernel, Parts, assemble, kernel};
pub use layout::{Halves, Layout, Products, Reduce, WeightLayout};
pub use memory::Memory;
pub use model::{GpuModel, GpuModelOptions};
pub use pair::GpuPair;
pub use preflight::{Allowed, Misfit, Need, least_limits, needs};
pub use read_back::ReadBack;
pub use throughput::MATRIX_BYTES;
pub use variants::{KernelVariant, Rejected, Slower};
pub use weight::Weight;
