//! What can be wrong with a checkpoint that is to be converted.

use std::path::PathBuf;

use crate::formats::pickle::PickleError;
use crate::formats::safetensors::SafetensorsError;

/// A checkpoint that cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A JSON file that is none.
    #[error("{path} cannot be read: {reason}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A tensor file that cannot be read.
    #[error(transparent)]
    Tensors(#[from] SafetensorsError),
    /// A file of PyTorch that cannot be read.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// Neither the checkpoint nor a base model has a configuration.
    #[error("{path} has no config.json beside its tensors; name the folder of its base model")]
    NoConfig {
        /// The checkpoint.
        path: PathBuf,
    },
    /// An option that does not go with this checkpoint.
    #[error("{option} is {found}, expected {expected}")]
    Option {
        /// The option.
        option: &'static str,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A folder without tensor files.
    #[error("{path} holds no *.safetensors, *.pt, *.pth or *.bin file")]
    NoTensors {
        /// The folder.
        path: PathBuf,
    },
    /// A setting that is missing or not supported.
    #[error("config.json: {key} is {found}, expected {expected}")]
    Config {
        /// The key.
        key: String,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A tensor that the architecture does not have.
    #[error("tensor {tensor} has no place in a {architecture} model")]
    UnknownTensor {
        /// Its name.
        tensor: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A tensor that is needed and not there.
    #[error("tensor {tensor} is missing")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor of another shape than the settings say.
    #[error("tensor {tensor} has shape {found:?}, config.json asks for {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// The shape found.
        found: Vec<usize>,
        /// The shape expected.
        expected: Vec<usize>,
    },
    /// A weight that is infinite or not a number.
    #[error("tensor {tensor} holds a value that is infinite or not a number")]
    NotFinite {
        /// Its name.
        tensor: String,
    },
    /// A tokenizer that cannot be read.
    #[error("{file}: {reason}")]
    Tokenizer {
        /// The file.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ConvertError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "convert_io",
            Self::Json { .. } => "convert_json",
            Self::Tensors(error) => error.code(),
            Self::Pickle(error) => error.code(),
            Self::NoConfig { .. } => "convert_no_config",
            Self::Option { .. } => "convert_option",
            Self::NoTensors { .. } => "convert_no_tensors",
            Self::Config { .. } => "convert_config",
            Self::UnknownTensor { .. } => "convert_unknown_tensor",
            Self::MissingTensor { .. } => "convert_missing_tensor",
            Self::Shape { .. } => "convert_shape",
            Self::NotFinite { .. } => "convert_not_finite",
            Self::Tokenizer { .. } => "convert_tokenizer",
        }
    }
}
