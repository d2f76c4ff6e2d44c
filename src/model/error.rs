//! What can be wrong with a model file whose container is sound.

use super::Architecture;
use crate::formats::gguf::GgufError;
use crate::formats::source::SourceError;
use crate::weights::UnsupportedWeightType;

/// A model that cannot be loaded: the file and its fault.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct ModelError {
    /// Name of the file.
    pub file: String,
    /// What is wrong.
    #[source]
    pub fault: ModelFault,
}

impl ModelError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// What is wrong with a model file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelFault {
    /// The container cannot be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// An architecture that this project does not compute.
    #[error(
        "general.architecture is {found:?}, which is not supported ({} are)",
        Architecture::ALL.map(Architecture::name).join(", ")
    )]
    Architecture {
        /// The name found.
        found: String,
    },
    /// A setting of a value that this project does not compute with.
    #[error("metadata key {key} is {found}, expected {expected}")]
    Config {
        /// The key.
        key: String,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// A tensor that is needed and not there.
    #[error("tensor {tensor} is missing")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor that belongs to the forward pass of some model, but not to that of this one: the
    /// answers would be wrong without a word.
    #[error("tensor {tensor} is not supported in architecture {architecture}")]
    UnsupportedTensor {
        /// Its name.
        tensor: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A tensor of another shape than the settings say.
    #[error("tensor {tensor} has dimensions {found:?}, the settings ask for {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// The dimensions found, in ggml's order.
        found: Vec<u64>,
        /// The dimensions that the metadata asks for.
        expected: Vec<u64>,
    },
    /// A tensor of a type that this project does not compute with.
    #[error(transparent)]
    WeightType(#[from] UnsupportedWeightType),
    /// A tensor of a type that does not serve at its place.
    #[error("tensor {tensor} has type {found}, expected {expected}")]
    TypeAtPlace {
        /// Its name.
        tensor: String,
        /// Name of the type found.
        found: &'static str,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A weight that is infinite or not a number.
    #[error("tensor {tensor} has a value in row {row} that is not finite; fetch the file again")]
    NotFinite {
        /// Its name.
        tensor: String,
        /// The row.
        row: u64,
    },
    /// A divisor of a rotation frequency that is not above 0.
    #[error("tensor {tensor} has the value {found}, expected values above 0")]
    RopeFactor {
        /// Its name.
        tensor: String,
        /// The value found.
        found: f32,
    },
    /// The weights could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ModelFault {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gguf(error) => error.code(),
            Self::Architecture { .. } => "model_architecture",
            Self::Config { .. } => "model_config",
            Self::MissingTensor { .. } => "model_missing_tensor",
            Self::UnsupportedTensor { .. } => "model_unsupported_tensor",
            Self::Shape { .. } => "model_shape",
            Self::WeightType(error) => error.code(),
            Self::TypeAtPlace { .. } => "model_type_at_place",
            Self::NotFinite { .. } => "model_not_finite",
            Self::RopeFactor { .. } => "model_rope_factor",
            Self::Source(error) => error.code(),
        }
    }

    pub(super) fn config(
        key: &str,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Config {
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}
