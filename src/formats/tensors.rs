//! Tensors in files, native only: which there are, and their values read in ranges, so that a model
//! of any size is never held whole. Safetensors files are listed here; [`super::pickle`] lists those
//! of PyTorch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};

use super::safetensors::SafetensorsError;

/// Largest header of a safetensors file; that of a model of 1000 tensors has 100 KB.
const MAX_HEADER_BYTES: u64 = 32 << 20;

/// A type of elements that is read as f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a 32-bit float.
    BF16,
}

impl ElementType {
    /// Bytes of an element.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    fn values(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F64 => elements(bytes, |it| f64::from_le_bytes(it) as f32),
            Self::F32 => elements(bytes, f32::from_le_bytes),
            Self::F16 => elements(bytes, |it| f16::from_le_bytes(it).to_f32()),
            Self::BF16 => elements(bytes, |it| bf16::from_le_bytes(it).to_f32()),
        }
    }
}

fn elements<const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&it| convert(it)).collect()
}

/// A tensor and where it lies, contiguous and row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Lengths of the dimensions, the slowest first.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub element_type: ElementType,
    /// Index of its file.
    pub(super) file: usize,
    /// Its first byte in the file.
    pub(super) offset: u64,
}

/// Files whose tensors are read by name.
#[derive(Debug, Default)]
pub struct TensorFiles {
    pub(super) files: Vec<(String, File)>,
    pub(super) tensors: BTreeMap<String, StoredTensor>,
}

impl TensorFiles {
    /// All tensors, by name.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// Takes all tensors out of the list that `rename` gives no name, and renames the others.
    pub fn rename(&mut self, rename: impl Fn(&str) -> Option<String>) {
        let old = std::mem::take(&mut self.tensors);
        let renamed = old.into_iter();
        self.tensors = renamed
            .filter_map(|(name, tensor)| Some((rename(&name)?, tensor)))
            .collect();
    }

    /// Adds the tensors of other files. Of a name that is there already, the first counts.
    pub fn append(&mut self, others: Self) {
        let shift = self.files.len();
        self.files.extend(others.files);
        for (name, tensor) in others.tensors {
            let file = tensor.file + shift;
            self.tensors
                .entry(name)
                .or_insert(StoredTensor { file, ..tensor });
        }
    }

    /// Adds the tensors of a safetensors file. Of a name that is there already, the first counts.
    pub fn add_safetensors(&mut self, path: &Path) -> Result<(), SafetensorsError> {
        let name = path.display().to_string();
        let unread = |error: std::io::Error| SafetensorsError::Read {
            file: name.clone(),
            reason: error.to_string(),
        };
        let wrong = |reason: String| SafetensorsError::Format {
            file: name.clone(),
            reason,
        };
        let mut file = File::open(path).map_err(unread)?;
        let size_bytes = file.metadata().map_err(unread)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unread)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES.min(size_bytes) {
            return Err(wrong(format!(
                "its header would have {length} bytes of {size_bytes}"
            )));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unread)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| wrong(error.to_string()))?;
        let data_offset = 8 + length;
        if data_offset + metadata.data_len() as u64 != size_bytes {
            return Err(wrong(format!(
                "its header speaks of {} bytes, but it has {size_bytes}",
                data_offset + metadata.data_len() as u64
            )));
        }
        let index = self.files.len();
        for (tensor, info) in metadata.tensors() {
            let element_type = match info.dtype {
                Dtype::F64 => ElementType::F64,
                Dtype::F32 => ElementType::F32,
                Dtype::F16 => ElementType::F16,
                Dtype::BF16 => ElementType::BF16,
                // Masks and counters of old checkpoints: no weights.
                Dtype::BOOL | Dtype::U8 | Dtype::I64 => continue,
                other => {
                    return Err(SafetensorsError::Type {
                        file: name.clone(),
                        tensor,
                        found: format!("{other:?}"),
                    });
                }
            };
            self.tensors.entry(tensor).or_insert(StoredTensor {
                shape: info.shape.clone(),
                element_type,
                file: index,
                offset: data_offset + info.data_offsets.0 as u64,
            });
        }
        self.files.push((name, file));
        Ok(())
    }

    /// `count` values of a tensor, from value `first` on.
    pub fn read(
        &self,
        tensor: &StoredTensor,
        first: usize,
        count: usize,
    ) -> Result<Vec<f32>, SafetensorsError> {
        let (name, file) = &self.files[tensor.file];
        let unread = |error: std::io::Error| SafetensorsError::Read {
            file: name.clone(),
            reason: error.to_string(),
        };
        let size = tensor.element_type.size_bytes();
        let mut bytes = vec![0; count * size];
        let mut file = file;
        let start = tensor.offset + (first * size) as u64;
        file.seek(SeekFrom::Start(start)).map_err(unread)?;
        file.read_exact(&mut bytes).map_err(unread)?;
        Ok(tensor.element_type.values(&bytes))
    }
}
