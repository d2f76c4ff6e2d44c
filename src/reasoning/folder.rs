//! A model folder on disk: `semcot.json` and the files that it names.

use std::path::{Path, PathBuf};

use crate::formats::manifest::{Manifest, ManifestError};
use crate::formats::source::{FileSource, SourceError};

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "semcot.json";

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
    #[error("{path}: {error}. A model folder holds {MANIFEST_NAME} and the files it names")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The manifest is wrong.
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
}

impl Folder {
    /// Reads and checks `semcot.json` in `path`.
    ///
    /// # Errors
    /// When it is missing or wrong; the message names the file and the field.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let manifest_path = path.join(MANIFEST_NAME);
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

    /// The target's file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn target(&self) -> Result<FileSource, SourceError> {
        FileSource::open(&self.path.join(&self.manifest.files.target.path))
    }

    /// The generator's file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn generator(&self) -> Result<FileSource, SourceError> {
        FileSource::open(&self.path.join(&self.manifest.files.generator.path))
    }
}
