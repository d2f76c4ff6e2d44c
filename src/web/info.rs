//! What is loaded, as JavaScript reads it.

use serde::Serialize;

use crate::model::Model;

/// One model file.
#[derive(Serialize)]
pub struct ModelInfo<'a> {
    file: &'a str,
    parameters: u64,
    /// On the device.
    bytes: u64,
    /// Of these, read by a pass of one token.
    pass_bytes: u64,
    /// Of most values that such a pass reads.
    weight_type: &'static str,
    layers: usize,
    hidden_size: usize,
    vocab_size: usize,
}

impl<'a> ModelInfo<'a> {
    /// Of a model that takes so many bytes on the device, and reads so many of them for a token.
    pub fn of(model: &'a Model, bytes: u64, pass_bytes: u64) -> Self {
        let config = &model.config;
        ModelInfo {
            file: &model.file,
            parameters: model.parameters(),
            bytes,
            pass_bytes,
            weight_type: model.weights.main_type().name(),
            layers: config.num_layers,
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
        }
    }
}
