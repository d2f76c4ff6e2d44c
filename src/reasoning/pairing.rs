//! Converted files made into a model folder, native only: when target and generator are both there,
//! `semcot.json` is written beside them. What the files say themselves (k, the end token, sizes,
//! digests) is taken from them.

use std::path::{Path, PathBuf};

use super::folder::{Folder, FolderError, described};
use crate::formats::manifest::{FILE_NAME, Files, Manifest, ManifestError, Prompts};
use crate::formats::source::{ByteSource, FileSource, SourceError};
use crate::model::{Model, ModelError, ModelFault, check_pair};

/// Names of the files of a folder that is made here.
pub const TARGET_FILE: &str = "target.gguf";
/// The generator's.
pub const GENERATOR_FILE: &str = "generator.gguf";
/// The sentence transformer's; a pair is whole without it.
pub const SENTENCE_TRANSFORMER_FILE: &str = "sentence_transformer.gguf";

/// The authors' settings of prompts, by their names.
///
/// Question and answer prompts are theirs. They have none for written reasoning: those here have the
/// form of their answer prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// A model file cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
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
    folder.join(TARGET_FILE).is_file() && folder.join(GENERATOR_FILE).is_file()
}

/// Writes `semcot.json` for the files in `folder`; one that is there is replaced.
///
/// # Errors
/// Where a file cannot be used, or the two are no pair.
pub async fn write_manifest(
    folder: &Path,
    options: &PairingOptions,
) -> Result<Manifest, PairingError> {
    let target = FileSource::open(&folder.join(TARGET_FILE))?;
    let generator = FileSource::open(&folder.join(GENERATOR_FILE))?;
    let (target_model, generator_model) =
        (Model::open(&target).await?, Model::open(&generator).await?);
    let fault = |fault: ModelFault| ModelError {
        file: generator.name().to_owned(),
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
    let sentence = folder.join(SENTENCE_TRANSFORMER_FILE);
    let name = folder.canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name);
    let manifest = Manifest {
        format: 1,
        name: name.map_or_else(|| "pair".to_owned(), |it| it.to_string_lossy().into_owned()),
        description: "A target and a generator, converted from published checkpoints".to_owned(),
        license: options.license.clone(),
        implicit_tokens: asked.implicit_tokens,
        implicit_from: asked.implicit_from,
        prompts: options.prompts.clone(),
        end_token: vocabulary.tokens.swap_remove(end as usize),
        max_tokens: options.max_tokens,
        files: Files {
            target: described(&folder.join(TARGET_FILE))?,
            generator: described(&folder.join(GENERATOR_FILE))?,
            sentence_transformer: match sentence.is_file() {
                true => Some(described(&sentence)?),
                false => None,
            },
        },
        training: serde_json::Value::Null,
        accuracy: Vec::new(),
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
