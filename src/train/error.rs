//! What can go wrong in training, said so that a person can act on it.

use std::path::{Path, PathBuf};

/// A failure of a training stage or of export.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The configuration does not parse.
    #[error("{path}: {message}")]
    Configuration { path: PathBuf, message: String },
    /// The configuration parses but asks for something that cannot be.
    #[error("configuration, {field}: {message}")]
    Setting {
        field: &'static str,
        message: String,
    },
    /// A public set is not of a form that is read.
    #[error("{path}: {message}")]
    Data { path: PathBuf, message: String },
    /// Something of the Hugging Face hub could not be had.
    #[error("{name}: {message}")]
    Hub { name: String, message: String },
    /// A stage needs what an earlier stage has not written yet.
    #[error("{path} is missing: run `semcot train {stage}` with the same configuration first")]
    EarlierStage { path: PathBuf, stage: &'static str },
    /// A checkpoint is damaged or of another configuration.
    #[error("{path}: {message}")]
    Checkpoint { path: PathBuf, message: String },
    /// A trained part could not be converted for the engine.
    #[error("{path} could not be exported: {message}")]
    Export { path: PathBuf, message: String },
    /// There is a checkpoint already.
    #[error(
        "{path} holds a checkpoint already: pass --resume to go on from it, or remove the folder"
    )]
    Started { path: PathBuf },
    /// The tokenizer could not be trained or used.
    #[error("tokenizer: {0}")]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// Problems cannot be made with the settings.
    #[error("configuration, problems: {0}")]
    Problems(#[from] crate::problems::SettingsError),
    /// A backend has fewer devices than are to share a batch.
    #[error("{backend} has {found} device(s) here, not {wanted}")]
    Devices {
        backend: &'static str,
        found: usize,
        wanted: usize,
    },
    /// Numbers have left the finite.
    #[error(
        "step {step}: the {what} is {value}; the checkpoint before it is kept: lower the learning rate or the clip and pass --resume"
    )]
    NotFinite {
        step: usize,
        what: &'static str,
        value: f32,
    },
}

impl TrainError {
    /// For `map_err`: a file failure with its path.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::File { path, source }
    }
}
