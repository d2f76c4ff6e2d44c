//! Converted files made into a model folder, native only: when target and generator are both there,
//! `semcot.json` is written beside them. What the files say themselves (k, the end token, sizes,
//! digests) is taken from them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{Folder, FolderError, described_model};
use crate::formats::gguf::{model_name, open_files, shard_paths};
use crate::formats::manifest::{FILE_NAME, Files, Manifest, ManifestError, Prompts};
use crate::model::{Model, ModelError, ModelFault, check_pair};

/// The target's name in a folder that is made here: its file is `target.gguf`, or it is split into
/// `target-00001-of-0000N.gguf` and so on.
pub const TARGET: &str = "target";
/// The generator's.
pub const GENERATOR: &str = "generator";
/// The sentence transformer's; a pair is whole without it.
pub const SENTENCE_TRANSFORMER: &str = "sentence_transformer";

/// The authors' settings of prompts, by their names.
///
/// Question and answer prompts are theirs. They have none for written reasoning: those here have the
/// form of their answer prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishedPrompts {
    /// Llama 2 with Sheared-LLaMA.
    Small,
    /// Mistral's chat form.
    Mistral,
    /// Qwen's chat form.
    Qwen,
}

impl PublishedPrompts {
    /// The texts.
    pub fn prompts(self) -> Prompts {
        let [question, reasoning, answer] = match self {
            Self::Small => ["Question: ", "\n Reasoning:", "\n Answer:"],
            Self::Mistral => [
                "<s>[INST] Question: ",
                "\n Reasoning: [/INST]",
                "\n Answer: [/INST]",
            ],
            Self::Qwen => [
                "<|im_start|>user\nQuestion: ",
                "<|im_end|>\n<|im_start|>assistant\nReasoning: ",
                "<|im_end|>\n<|im_start|>assistant\nAnswer: ",
            ],
        };
        Prompts {
            question: question.to_owned(),
            reasoning: reasoning.to_owned(),
            answer: answer.to_owned(),
        }
    }
}

/// What the files of a pair do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingOptions {
    /// What stands around question, reasoning and answer.
    pub prompts: Prompts,
    /// License of the weights.
    pub license: String,
    /// Most tokens to write where the caller does not say.
    pub max_tokens: u32,
}

/// Files that cannot be made a model folder.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// A file or folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The target's tokenizer names no end token.
    #[error(
        "{file} names no end token (tokenizer.ggml.eos_token_id); convert it with its tokenizer"
    )]
    NoEndToken {
        /// The file.
        file: String,
    },
    /// The manifest cannot be written.
    #[error("{path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Whether both models of a pair are in a folder.
pub fn is_whole(folder: &Path) -> bool {
    files_of(folder, TARGET).is_some() && files_of(folder, GENERATOR).is_some()
}

/// All files in a folder of a model of this name, however it is or was split.
fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|it| it.path()).filter(|it| it.is_file());
    let file_name = |it: &PathBuf| Some(it.file_name()?.to_str()?.to_owned());
    let mut paths: Vec<_> = paths
        .filter(|it| file_name(it).as_deref().and_then(model_name) == Some(name))
        .collect();
    paths.sort();
    paths
}

/// The files of a model, in their order, where all of them are there.
fn files_of(folder: &Path, name: &str) -> Option<Vec<PathBuf>> {
    let mut candidates = named(folder, name).into_iter().map(|it| shard_paths(&it));
    candidates.find(|it| it.iter().all(|it| it.is_file()))
}

/// Removes what is left of an earlier model of the same name that was split otherwise: one folder
/// has one target.
///
/// # Errors
/// Where a file cannot be removed.
pub fn remove_replaced(folder: &Path, name: &str, written: &[PathBuf]) -> Result<(), PairingError> {
    for path in named(folder, name) {
        if !written.contains(&path) {
            std::fs::remove_file(&path).map_err(|error| PairingError::Write { path, error })?;
        }
    }
    Ok(())
}

/// The files of a model of a folder that [`is_whole`], and what their header says.
async fn opened(folder: &Path, name: &str) -> Result<(Vec<PathBuf>, Model), PairingError> {
    let paths = files_of(folder, name).unwrap_or_else(|| vec![folder.join(format!("{name}.gguf"))]);
    let model = match open_files(&paths[0]).await {
        Ok(source) => Model::open(&source).await?,
        Err(error) => {
            let file = paths[0].display().to_string();
            let fault = ModelFault::Gguf(error);
            return Err(ModelError { file, fault }.into());
        }
    };
    Ok((paths, model))
}

/// Writes `semcot.json` for the files in `folder`; one that is there is replaced.
///
/// # Errors
/// Where a file cannot be used, or the two are no pair.
pub async fn write_manifest(
    folder: &Path,
    options: &PairingOptions,
) -> Result<Manifest, PairingError> {
    let (target_files, target_model) = opened(folder, TARGET).await?;
    let (generator_files, generator_model) = opened(folder, GENERATOR).await?;
    let fault = |fault: ModelFault| ModelError {
        file: generator_model.file.clone(),
        fault,
    };
    check_pair(&target_model, &generator_model).map_err(fault)?;
    let asked = generator_model.generator.ok_or_else(|| {
        fault(ModelFault::MissingTensor {
            tensor: "semcot.projection.weight".to_owned(),
        })
    })?;
    let mut vocabulary = target_model.vocabulary()?;
    let Some(end) = vocabulary.eos_id else {
        return Err(PairingError::NoEndToken {
            file: target_model.file,
        });
    };
    let sentence_files = files_of(folder, SENTENCE_TRANSFORMER);
    let name = folder.canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name);
    let manifest = Manifest {
        format: 1,
        name: name.map_or_else(|| "pair".to_owned(), |it| it.to_string_lossy().into_owned()),
        description: "A target and a generator, converted from published checkpoints".to_owned(),
        license: options.license.clone(),
        implicit_tokens: asked.implicit_tokens,
        implicit_from: asked.implicit_from,
        generator_passes: asked.passes,
        prompts: options.prompts.clone(),
        end_token: vocabulary.tokens.swap_remove(end as usize),
        max_tokens: options.max_tokens,
        files: Files {
            target: described_model(&target_files)?,
            generator: described_model(&generator_files)?,
            sentence_transformer: sentence_files.as_deref().map(described_model).transpose()?,
        },
        training: serde_json::Value::Null,
        accuracy: Vec::new(),
        alignment: Vec::new(),
    };
    // What cannot be read again is not written.
    let json = manifest.to_json();
    let path = folder.join(FILE_NAME);
    Manifest::parse(json.as_bytes()).map_err(|error: ManifestError| FolderError::Manifest {
        path: path.clone(),
        error,
    })?;
    std::fs::write(&path, json).map_err(|error| PairingError::Write { path, error })?;
    Ok(manifest)
}

/// The prompts, license and length of a folder's manifest, where it has one.
pub fn recorded(folder: &Path) -> Option<PairingOptions> {
    let manifest = Folder::open(folder).ok()?.manifest;
    Some(PairingOptions {
        prompts: manifest.prompts,
        license: manifest.license,
        max_tokens: manifest.max_tokens,
    })
}
