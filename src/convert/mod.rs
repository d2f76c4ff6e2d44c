//! From a Hugging Face folder to GGUF files: names, layouts and types of weights are changed on the
//! way, tensor by tensor and in chunks of rows, so that memory does not grow with the model.

mod config;
mod error;
mod names;
mod sentencepiece;
mod vocabulary;
mod write;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

pub use config::{Architecture, Config, RopeScaling};
pub use error::ConvertError;

use crate::formats::gguf::{Metadata, Value};
use crate::formats::tensors::{StoredTensor, TensorFiles};
use crate::weights::WeightType;
use names::Place;

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

/// Converts a Hugging Face folder: `config.json`, safetensors files, `tokenizer.model` or
/// `tokenizer.json`.
///
/// # Errors
/// Where a setting or a tensor is not supported, missing, or of another shape than the settings say.
/// Files that were begun are then removed.
pub fn convert(
    folder: &Path,
    out: &Path,
    options: &ConvertOptions,
) -> Result<Converted, ConvertError> {
    let config = Config::from_json(&read_json(&folder.join("config.json"))?)?;
    let mut files = open_tensors(folder)?;
    files.rename(names::stripped);
    let (tensors, rows) = find_tensors(&files, &config)?;

    let mut metadata = Metadata::default();
    config.set_metadata(&mut metadata);
    if let Some(name) = folder.file_name().and_then(|it| it.to_str()) {
        metadata.set("general.name", Value::String(name.to_owned()));
    }
    metadata.set("general.quantization_version", Value::U32(2));
    let without_tokenizer = vocabulary::set_tokenizer(&mut metadata, folder, &config, rows)?;
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

/// A tensor to be written.
#[derive(Clone, Debug)]
struct Found {
    place: Place,
    stored: StoredTensor,
}

/// The tensors of a model, and the rows of its embedding table. Every tensor of the checkpoint must
/// have a place.
fn find_tensors(files: &TensorFiles, config: &Config) -> Result<(Vec<Found>, usize), ConvertError> {
    let mut rest = files.tensors().clone();
    let mut found = Vec::new();
    let mut rows = 0;
    for place in names::places(config) {
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

/// The safetensors files of a folder: those that its index names, else `model.safetensors`, else all.
fn open_tensors(folder: &Path) -> Result<TensorFiles, ConvertError> {
    let index = folder.join("model.safetensors.index.json");
    let single = folder.join("model.safetensors");
    let paths = if index.is_file() {
        indexed(folder, &read_json(&index)?)
    } else if single.is_file() {
        vec![single]
    } else {
        all_safetensors(folder)?
    };
    if paths.is_empty() {
        return Err(ConvertError::NoTensors {
            path: folder.to_owned(),
        });
    }
    let mut files = TensorFiles::default();
    for path in paths {
        files.add_safetensors(&path)?;
    }
    Ok(files)
}

/// The files that an index names, each once. A name with a folder in it is none of the checkpoint's.
fn indexed(folder: &Path, index: &Json) -> Vec<PathBuf> {
    let map = index["weight_map"].as_object();
    let names = map.into_iter().flat_map(|it| it.values());
    let plain = |it: &&str| !it.contains(['/', '\\']);
    let names: std::collections::BTreeSet<&str> =
        names.filter_map(Json::as_str).filter(plain).collect();
    names.into_iter().map(|it| folder.join(it)).collect()
}

fn all_safetensors(folder: &Path) -> Result<Vec<PathBuf>, ConvertError> {
    let failed = |error| ConvertError::Io {
        path: folder.to_owned(),
        error,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|it| it == "safetensors") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
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
