//! From a Hugging Face folder or a published checkpoint to GGUF files: names, layouts and types of
//! weights are changed on the way, tensor by tensor and in chunks of rows, so that memory does not
//! grow with the model.

mod checkpoint;
mod config;
mod error;
mod names;
mod role;
pub mod sentencepiece;
mod vocabulary;
mod write;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

pub use checkpoint::open_tensors;
pub use config::{Architecture, Config, RopeScaling};
pub use error::ConvertError;
pub use role::{GeneratorOptions, Role, SentenceOptions};

use crate::formats::gguf::{Metadata, Value};
use crate::formats::tensors::{StoredTensor, TensorFiles};
use crate::weights::WeightType;
use names::Place;
use vocabulary::TokenizerFiles;

/// How a checkpoint is converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertOptions {
    /// Type of the matrices. Those whose rows are no whole number of its blocks get a near type that
    /// fits; vectors are F32.
    pub weight_type: WeightType,
    /// Most bytes of tensor data a file, where no single tensor is larger; absent: one file.
    pub shard_bytes: Option<u64>,
    /// Name of the files, without ending.
    pub stem: String,
    /// The folder of the base model: its configuration, tokenizer and tensors stand in for those
    /// that the checkpoint lacks.
    pub base: Option<PathBuf>,
    /// A `tokenizer.json`, a `tokenizer.model`, or a folder with them, in place of the checkpoint's.
    pub tokenizer: Option<PathBuf>,
    /// What the model is for.
    pub role: Role,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The files, in their order.
    pub files: Vec<PathBuf>,
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes of tensor data.
    pub size_bytes: u64,
    /// Why the files hold no tokenizer, where they hold none.
    pub without_tokenizer: Option<String>,
}

/// Converts a Hugging Face folder (`config.json`, tensor files, `tokenizer.model` or
/// `tokenizer.json`), or a single file of tensors with a base model beside it.
///
/// # Errors
/// Where a setting or a tensor is not supported, missing, or of another shape than the settings say.
/// Files that were begun are then removed.
pub fn convert(
    source: &Path,
    out: &Path,
    options: &ConvertOptions,
) -> Result<Converted, ConvertError> {
    let base = options.base.as_deref();
    let mut config = Config::from_json(&read_json(&config_path(source, base)?)?)?;
    let files = checkpoint::open(source, base.filter(|_| options.role.is_filled_by_base()))?;
    options.role.adjust(&mut config, &files);
    let places = options.role.places(&config, &files)?;
    let (tensors, rows) = find_tensors(&files, &config, places)?;

    let mut metadata = Metadata::default();
    config.set_metadata(&mut metadata);
    if let Some(name) = source.file_stem().and_then(|it| it.to_str()) {
        metadata.set("general.name", Value::String(name.to_owned()));
    }
    metadata.set("general.quantization_version", Value::U32(2));
    let without_tokenizer = match options.role.last_token() {
        Some(last_token) => {
            let named = options.tokenizer.as_deref();
            let tokenizer = TokenizerFiles::find(named.into_iter().chain([source]).chain(base));
            vocabulary::set_tokenizer(&mut metadata, &tokenizer, &config, rows, last_token)?
        }
        None => None,
    };
    options.role.set_metadata(&mut metadata, rows)?;
    let source = write::Source {
        files: &files,
        tensors,
        rope_factors: config.rope_factors(),
    };
    let written = source.write(&metadata, out, options)?;
    Ok(Converted {
        without_tokenizer,
        ..written
    })
}

/// `config.json` of the checkpoint, else of its base model.
fn config_path(source: &Path, base: Option<&Path>) -> Result<PathBuf, ConvertError> {
    let paths = [Some(source), base];
    let mut paths = paths.into_iter().flatten().map(|it| it.join("config.json"));
    paths
        .find(|it| it.is_file())
        .ok_or_else(|| ConvertError::NoConfig {
            path: source.to_owned(),
        })
}

/// A tensor to be written.
#[derive(Clone, Debug)]
struct Found {
    place: Place,
    stored: StoredTensor,
}

/// The tensors of these places, and the rows of the embedding table. Every tensor of the checkpoint
/// must have a place.
fn find_tensors(
    files: &TensorFiles,
    config: &Config,
    places: Vec<Place>,
) -> Result<(Vec<Found>, usize), ConvertError> {
    let mut rest = files.tensors().clone();
    let mut found = Vec::new();
    let mut rows = 0;
    for place in places {
        let Some(stored) = rest.remove(&place.source) else {
            return Err(ConvertError::MissingTensor {
                tensor: place.source,
            });
        };
        let mut expected = place.shape.clone();
        if expected[0] == 0 {
            if rows == 0 {
                rows = stored.shape.first().copied().unwrap_or(0).max(1);
            }
            expected[0] = rows;
        }
        if stored.shape != expected {
            return Err(ConvertError::Shape {
                tensor: place.source,
                found: stored.shape,
                expected,
            });
        }
        found.push(Found { place, stored });
    }
    // Tied heads are written out by some libraries.
    if config.tied_embeddings {
        rest.remove("lm_head.weight");
    }
    match rest.into_keys().next() {
        None => Ok((found, rows)),
        Some(tensor) => Err(ConvertError::UnknownTensor {
            tensor,
            architecture: config.architecture.name(),
        }),
    }
}

fn read_json(path: &Path) -> Result<Json, ConvertError> {
    let bytes = std::fs::read(path).map_err(|error| ConvertError::Io {
        path: path.to_owned(),
        error,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| ConvertError::Json {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
