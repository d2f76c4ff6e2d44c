//! What can be wrong with a GGUF file.

use crate::formats::source::SourceError;

/// A GGUF file that cannot be read. Each kind has a stable [`code`](GgufError::code).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GgufError {
    /// The bytes given end inside the header. Not a fault where more bytes can be had.
    #[error("the header goes on to byte {at_least} or further")]
    NeedMore {
        /// Length of the shortest prefix that could get further.
        at_least: u64,
    },
    /// The file ends where the header or a tensor should go on.
    #[error(
        "the file ends at byte {size_bytes}, but {field} goes on to byte {expected}; fetch the file again"
    )]
    Truncated {
        /// What is cut.
        field: String,
        /// Size of the file.
        size_bytes: u64,
        /// Where it would have to end.
        expected: u64,
    },
    /// Not a GGUF file.
    #[error("the first four bytes are {found:02x?}, not \"GGUF\": this is no GGUF file")]
    Magic {
        /// The bytes found.
        found: [u8; 4],
    },
    /// A version that is not read.
    #[error("GGUF version {found} is not supported (versions 2 and 3, little-endian, are)")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A count or length that no sound file has.
    #[error("{field} is {found}, more than the limit of {limit}")]
    Limit {
        /// What is too large.
        field: String,
        /// The value found.
        found: u64,
        /// The largest accepted value.
        limit: u64,
    },
    /// Text that is not UTF-8.
    #[error("{field} at byte {offset} is not UTF-8")]
    Utf8 {
        /// What is not text.
        field: String,
        /// Where its bytes begin.
        offset: u64,
    },
    /// A metadata value type that does not exist.
    #[error("{field} has value type {found}, which GGUF does not define")]
    ValueType {
        /// Key of the value.
        field: String,
        /// The type found.
        found: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("{field} is a boolean of value {found}")]
    Bool {
        /// Key of the value.
        field: String,
        /// The byte found.
        found: u8,
    },
    /// A key or a tensor twice.
    #[error("{field} is there twice")]
    Duplicate {
        /// The key or tensor name.
        field: String,
    },
    /// A key that is needed and not there.
    #[error("metadata key {key} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata value of another type or range than its key asks for.
    #[error("metadata key {key} is {found}, expected {expected}")]
    Metadata {
        /// The key.
        key: String,
        /// The value found, shortened.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A tensor type that ggml does not define.
    #[error("tensor {tensor} has type {found}, which ggml does not define")]
    TensorType {
        /// The tensor.
        tensor: String,
        /// The type found.
        found: u32,
    },
    /// Dimensions that no tensor can have.
    #[error("tensor {tensor} has dimensions {found:?}: {reason}")]
    Dims {
        /// The tensor.
        tensor: String,
        /// The dimensions found, in ggml's order.
        found: Vec<u64>,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// Tensor data at a place where it cannot be.
    #[error("tensor {tensor} lies at data offset {found}: {reason}")]
    Offset {
        /// The tensor.
        tensor: String,
        /// The offset found.
        found: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl GgufError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedMore { .. } => "gguf_need_more",
            Self::Truncated { .. } => "gguf_truncated",
            Self::Magic { .. } => "gguf_magic",
            Self::Version { .. } => "gguf_version",
            Self::Limit { .. } => "gguf_limit",
            Self::Utf8 { .. } => "gguf_utf8",
            Self::ValueType { .. } => "gguf_value_type",
            Self::Bool { .. } => "gguf_bool",
            Self::Duplicate { .. } => "gguf_duplicate",
            Self::MissingKey { .. } => "gguf_missing_key",
            Self::Metadata { .. } => "gguf_metadata",
            Self::TensorType { .. } => "gguf_tensor_type",
            Self::Dims { .. } => "gguf_dims",
            Self::Offset { .. } => "gguf_offset",
            Self::Source(error) => error.code(),
        }
    }
}
