//! Llama-shaped models: configuration, the forward pass as a list of steps, decode loop.

pub mod run;
pub mod step;
