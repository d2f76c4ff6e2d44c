//! GGUF, the container of our weights: a header of typed metadata and tensor descriptions,
//! followed by aligned tensor data. Versions 2 and 3 are read, version 3 is written.
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
mod error;
mod metadata;
mod read;
mod split;
mod stream;
mod tensor_type;
mod write;

pub use cursor::MAX_HEADER_BYTES;
pub use error::GgufError;
pub use metadata::{Array, Metadata, Value};
pub use read::{Header, TensorInfo, read_header};
#[cfg(not(target_arch = "wasm32"))]
pub use split::open_files;
pub use split::{SplitSource, model_name, shard_names, shard_paths};
pub use stream::{PlannedTensor, Shard, shards};
pub use tensor_type::TensorType;
pub use write::{Tensor, Writer};

/// The first four bytes of a file.
const MAGIC: [u8; 4] = *b"GGUF";

/// Key of the alignment of tensor data, a `u32`.
const ALIGNMENT_KEY: &str = "general.alignment";

/// Alignment of tensor data where the metadata does not say.
const DEFAULT_ALIGNMENT: u64 = 32;
