//! A model folder on disk: `semcot.json` and the files that it names.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::formats::gguf::{GgufError, SplitSource};
use crate::formats::manifest::{FILE_NAME, Manifest, ManifestError, ModelFile, hex};
use crate::formats::source::{FileSource, SourceError};

/// An opened model folder.
pub struct Folder {
    path: PathBuf,
    /// What the folder says of itself.
    pub manifest: Manifest,
}

/// Why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The manifest cannot be read.
    #[error("{path}: {error}. A model folder holds {FILE_NAME} and the files it names")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The manifest is wrong, or the file is not the one that it describes.
    #[error("{path}: {error}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ManifestError,
    },
    /// A model file cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The files of a split model do not belong together.
    #[error("{path}: {error}")]
    Split {
        /// The first of them.
        path: PathBuf,
        /// What is wrong.
        error: GgufError,
    },
}

impl Folder {
    /// Reads and checks `semcot.json` in `path`.
    ///
    /// # Errors
    /// When it is missing or wrong; the message names the file and the field.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let manifest_path = path.join(FILE_NAME);
        let bytes = std::fs::read(&manifest_path).map_err(|error| FolderError::Read {
            path: manifest_path.clone(),
            error,
        })?;
        let manifest = Manifest::parse(&bytes).map_err(|error| FolderError::Manifest {
            path: manifest_path,
            error,
        })?;
        Ok(Folder {
            path: path.to_owned(),
            manifest,
        })
    }

    /// The target's files as one, their sizes and SHA-256 checked.
    ///
    /// # Errors
    /// When one cannot be opened, or is not the file that the manifest describes.
    pub async fn target(&self) -> Result<SplitSource<FileSource>, FolderError> {
        self.verified(&self.manifest.files.target).await
    }

    /// The generator's files as one, their sizes and SHA-256 checked.
    ///
    /// # Errors
    /// When one cannot be opened, or is not the file that the manifest describes.
    pub async fn generator(&self) -> Result<SplitSource<FileSource>, FolderError> {
        self.verified(&self.manifest.files.generator).await
    }

    /// The sentence transformer's files as one, checked likewise; `None` where the folder has none.
    ///
    /// # Errors
    /// When one cannot be opened, or is not the file that the manifest describes.
    pub async fn sentence_transformer(
        &self,
    ) -> Result<Option<SplitSource<FileSource>>, FolderError> {
        match &self.manifest.files.sentence_transformer {
            Some(model) => self.verified(model).await.map(Some),
            None => Ok(None),
        }
    }

    async fn verified(&self, model: &ModelFile) -> Result<SplitSource<FileSource>, FolderError> {
        let sources: Result<_, _> = model.all().map(|it| self.verified_file(it)).collect();
        let joined = SplitSource::open(sources?).await;
        joined.map_err(|error| FolderError::Split {
            path: self.path.join(&model.path),
            error,
        })
    }

    fn verified_file(&self, file: &ModelFile) -> Result<FileSource, FolderError> {
        let path = self.path.join(&file.path);
        let source = FileSource::open(&path)?;
        let found = described(&path)?;
        file.verify(found.bytes, &found.sha256)
            .map_err(|error| FolderError::Manifest { path, error })?;
        Ok(source)
    }
}

/// The manifest's entry of a model's files as they are, in their order.
///
/// # Errors
/// When one cannot be read.
pub fn described_model(paths: &[PathBuf]) -> Result<ModelFile, FolderError> {
    let described: Result<Vec<_>, _> = paths.iter().map(|it| described(it)).collect();
    let mut described = described?.into_iter();
    let first = described.next().expect("a model has a file");
    Ok(ModelFile {
        rest: described.collect(),
        ..first
    })
}

/// The manifest's entry of a file as it is.
///
/// # Errors
/// When it cannot be read.
pub fn described(path: &Path) -> Result<ModelFile, FolderError> {
    let mut digest = Sha256::new();
    let bytes = File::open(path)
        .and_then(|mut reader| std::io::copy(&mut reader, &mut Digested(&mut digest)))
        .map_err(|error| FolderError::Read {
            path: path.to_owned(),
            error,
        })?;
    let name = path.file_name().unwrap_or_default();
    Ok(ModelFile {
        path: name.to_string_lossy().into_owned(),
        bytes,
        sha256: hex(&digest.finalize()),
        rest: Vec::new(),
    })
}

/// Takes written bytes into a digest.
struct Digested<'a>(&'a mut Sha256);

impl Write for Digested<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
