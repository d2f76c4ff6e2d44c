//! Reading single tensors out of safetensors files, native only. The `safetensors` crate checks
//! the file; here its types become f32.

use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors};

/// Values of a tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Lengths of the dimensions, the slowest first.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// A tensor that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SafetensorsError {
    /// The file cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// The file is no sound safetensors file.
    #[error("{file} is no safetensors file: {reason}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no such tensor.
    #[error("{file} has no tensor {tensor}")]
    MissingTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// The tensor has another type than those that are read.
    #[error("tensor {tensor} of {file} has type {found}, expected F64, F32, F16 or BF16")]
    Type {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// The type found.
        found: String,
    },
}

impl SafetensorsError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "safetensors_read",
            Self::Format { .. } => "safetensors_format",
            Self::MissingTensor { .. } => "safetensors_missing_tensor",
            Self::Type { .. } => "safetensors_type",
        }
    }
}

/// A file whose tensors are read by name.
#[derive(Clone, Debug)]
pub struct SafetensorsFile {
    name: String,
    bytes: Vec<u8>,
}

impl SafetensorsFile {
    /// Reads and checks a file.
    pub fn open(path: &Path) -> Result<Self, SafetensorsError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(&name, bytes),
            Err(error) => Err(SafetensorsError::Read {
                file: name,
                reason: error.to_string(),
            }),
        }
    }

    /// Checks the bytes of a file that messages call `name`.
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Self, SafetensorsError> {
        let file = Self {
            name: name.to_owned(),
            bytes,
        };
        file.tensors()?;
        Ok(file)
    }

    /// A tensor as f32.
    pub fn values(&self, tensor: &str) -> Result<Values, SafetensorsError> {
        let (shape, dtype, data) = self.raw(tensor)?;
        let values = match dtype {
            Dtype::F64 => elements(data, |it| f64::from_le_bytes(it) as f32),
            Dtype::F32 => elements(data, f32::from_le_bytes),
            Dtype::F16 => elements(data, |it| f16::from_le_bytes(it).to_f32()),
            Dtype::BF16 => elements(data, |it| bf16::from_le_bytes(it).to_f32()),
            other => {
                return Err(SafetensorsError::Type {
                    file: self.name.clone(),
                    tensor: tensor.to_owned(),
                    found: format!("{other:?}"),
                });
            }
        };
        Ok(Values { shape, values })
    }

    /// Shape and bytes of a tensor, whatever its type.
    pub fn bytes(&self, tensor: &str) -> Result<(Vec<usize>, &[u8]), SafetensorsError> {
        let (shape, _, data) = self.raw(tensor)?;
        Ok((shape, data))
    }

    fn raw(&self, tensor: &str) -> Result<(Vec<usize>, Dtype, &[u8]), SafetensorsError> {
        let tensors = self.tensors()?;
        let Ok(view) = tensors.tensor(tensor) else {
            return Err(SafetensorsError::MissingTensor {
                file: self.name.clone(),
                tensor: tensor.to_owned(),
            });
        };
        Ok((view.shape().to_vec(), view.dtype(), view.data()))
    }

    fn tensors(&self) -> Result<SafeTensors<'_>, SafetensorsError> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| SafetensorsError::Format {
            file: self.name.clone(),
            reason: error.to_string(),
        })
    }
}

fn elements<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = data.as_chunks::<N>();
    chunks.iter().map(|&it| convert(it)).collect()
}
