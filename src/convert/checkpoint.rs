//! The tensor files of a checkpoint and of its base model, their tensors under one kind of name.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{ConvertError, names, read_json};
use crate::formats::tensors::TensorFiles;

/// Endings of PyTorch's files.
const PICKLE_ENDINGS: &[&str] = &["pt", "pth", "bin"];

/// The tensors of a checkpoint, named as [`names::stripped`] does; where it lacks one, that of the
/// base model, if that has tensors at all.
pub(super) fn open(source: &Path, base: Option<&Path>) -> Result<TensorFiles, ConvertError> {
    let mut files = open_tensors(source)?;
    match base.map(open_tensors) {
        Some(Ok(others)) => files.append(others),
        None | Some(Err(ConvertError::NoTensors { .. })) => {}
        Some(Err(error)) => return Err(error),
    }
    Ok(files)
}

/// The tensors of a file, or of a folder: the safetensors files that its index names, else
/// `model.safetensors`, else all of them, else the files of PyTorch. Names are without what stands before
/// those of the layers, `embed_tokens.weight` and `layers.0.input_layernorm.weight` for example.
///
/// # Errors
/// Where there are none, or one of the files cannot be read.
pub fn open_tensors(source: &Path) -> Result<TensorFiles, ConvertError> {
    let folder = source;
    let index = folder.join("model.safetensors.index.json");
    let single = folder.join("model.safetensors");
    let paths = if !source.is_dir() {
        vec![source.to_owned()]
    } else if index.is_file() {
        indexed(folder, &read_json(&index)?)
    } else if single.is_file() {
        vec![single]
    } else {
        let safetensors = files_ending(folder, &["safetensors"])?;
        match safetensors.is_empty() {
            true => files_ending(folder, PICKLE_ENDINGS)?,
            false => safetensors,
        }
    };
    if paths.is_empty() {
        return Err(ConvertError::NoTensors {
            path: folder.to_owned(),
        });
    }
    let mut files = TensorFiles::default();
    for path in paths {
        match path.extension().is_some_and(|it| it == "safetensors") {
            true => files.add_safetensors(&path)?,
            false => files.add_pickle(&path)?,
        }
    }
    let root = names::root(files.tensors().keys().map(String::as_str));
    files.rename(|name| names::stripped(name, &root));
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

fn files_ending(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, ConvertError> {
    let failed = |error| ConvertError::Io {
        path: folder.to_owned(),
        error,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().and_then(|it| it.to_str());
        if ending.is_some_and(|it| endings.contains(&it)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
