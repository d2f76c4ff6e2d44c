//! SemCoT: implicit reasoning on WebGPU, natively and in the browser.

#![forbid(unsafe_code)]

mod clock;
#[cfg(not(target_arch = "wasm32"))]
pub mod convert;
pub mod cpu;
pub mod evaluation;
pub mod formats;
pub mod gpu;
pub mod model;
pub mod problems;
pub mod reasoning;
pub mod reference;
pub mod tokenizer;
pub mod weights;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "train")]
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;
