//! Where bytes come from: a file, memory, or (in `web`) a URL. Everything above reads ranges, so
//! that weights go to their buffers in chunks wherever they lie.

use std::future::Future;

/// Bytes that can be read by range.
pub trait ByteSource {
    /// What a message calls it: a file name or a URL.
    fn name(&self) -> &str;

    /// Its size, where known before reading.
    fn size_bytes(&self) -> Option<u64>;

    /// The `len` bytes from `offset` on. Fewer come only where the size is not known and the
    /// source ends; everything else short is an error.
    fn read(&self, offset: u64, len: usize) -> impl Future<Output = Result<Vec<u8>, SourceError>>;
}

/// Bytes that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("{name} is not there: {reason}")]
    Missing {
        /// File or URL.
        name: String,
        /// What the system or server said.
        reason: String,
    },
    /// Reading failed.
    #[error("{name} could not be read: {reason}; try again")]
    Read {
        /// File or URL.
        name: String,
        /// What the system or server said.
        reason: String,
    },
    /// A range that the source does not have.
    #[error(
        "{name} has {size_bytes} bytes, but bytes {offset} to {end} were asked for; fetch the file again"
    )]
    Range {
        /// File or URL.
        name: String,
        /// First byte asked for.
        offset: u64,
        /// Byte after the last asked for.
        end: u64,
        /// Bytes that there are.
        size_bytes: u64,
    },
    /// The caller gave up.
    #[error("loading {name} was aborted")]
    Aborted {
        /// File or URL.
        name: String,
    },
}

impl SourceError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "source_missing",
            Self::Read { .. } => "source_read",
            Self::Range { .. } => "source_range",
            Self::Aborted { .. } => "source_aborted",
        }
    }
}

/// Checks a range against a size; gives the byte after its last.
pub fn check_range(
    name: &str,
    offset: u64,
    len: usize,
    size_bytes: u64,
) -> Result<u64, SourceError> {
    let end = offset.saturating_add(len as u64);
    if end > size_bytes {
        return Err(SourceError::Range {
            name: name.to_owned(),
            offset,
            end,
            size_bytes,
        });
    }
    Ok(end)
}

/// Bytes in memory.
#[derive(Clone, Debug)]
pub struct MemorySource {
    name: String,
    bytes: Vec<u8>,
}

impl MemorySource {
    /// A source that gives `bytes` and is called `name` in messages.
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            bytes,
        }
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        let end = check_range(&self.name, offset, len, self.bytes.len() as u64)?;
        Ok(self.bytes[offset as usize..end as usize].to_vec())
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;

#[cfg(not(target_arch = "wasm32"))]
mod file {
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};
    use std::path::Path;

    use super::{ByteSource, SourceError, check_range};

    /// A file. Reads move its one position, so it serves one reader at a time.
    #[derive(Debug)]
    pub struct FileSource {
        name: String,
        file: File,
        size_bytes: u64,
    }

    impl FileSource {
        /// Opens a file for reading.
        pub fn open(path: &Path) -> Result<Self, SourceError> {
            let name = path.display().to_string();
            let missing = |error: std::io::Error| SourceError::Missing {
                name: name.clone(),
                reason: error.to_string(),
            };
            let file = File::open(path).map_err(missing)?;
            let size_bytes = file.metadata().map_err(missing)?.len();
            Ok(Self {
                name,
                file,
                size_bytes,
            })
        }
    }

    impl ByteSource for FileSource {
        fn name(&self) -> &str {
            &self.name
        }

        fn size_bytes(&self) -> Option<u64> {
            Some(self.size_bytes)
        }

        async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
            check_range(&self.name, offset, len, self.size_bytes)?;
            let failed = |error: std::io::Error| SourceError::Read {
                name: self.name.clone(),
                reason: error.to_string(),
            };
            let mut bytes = vec![0; len];
            let mut file = &self.file;
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            file.read_exact(&mut bytes).map_err(failed)?;
            Ok(bytes)
        }
    }
}
