//! Reading a GGUF header from the bytes at the start of a file. The header is read from a prefix
//! that may be too short ([`GgufError::NeedMore`]), because over the network the weights behind
//! it are streamed and never held whole.

use super::cursor::{Cursor, MAX_HEADER_BYTES, limited};
use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, GgufError, MAGIC, Metadata, TensorType};
use crate::formats::source::ByteSource;

/// Most metadata keys. Real files have under 100.
const MAX_METADATA: u64 = 1 << 14;
/// Most tensors. Real files have under 2000.
const MAX_TENSORS: u64 = 1 << 16;
/// Tensor data is aligned to a power of two in this range.
const ALIGNMENTS: std::ops::RangeInclusive<u64> = 8..=65536;
/// First prefix asked for by [`read_header`]; small models fit their header in it.
const FIRST_PREFIX_BYTES: u64 = 1 << 16;

/// What a file holds: everything but the tensor data.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Version of the format, 2 or 3.
    pub version: u32,
    /// Metadata in the order of the file.
    pub metadata: Metadata,
    /// Tensors in the order of the file.
    pub tensors: Vec<TensorInfo>,
    /// Where tensor data begins, from the start of the file.
    pub data_offset: u64,
}

/// Where a tensor lies and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name.
    pub name: String,
    /// Dimensions in ggml's order: the length of a row first.
    pub dims: Vec<u64>,
    /// Type of the data.
    pub tensor_type: TensorType,
    /// First byte, from the start of the file.
    pub offset: u64,
    /// Bytes of data.
    pub size_bytes: u64,
}

impl TensorInfo {
    /// Length of a row.
    pub fn cols(&self) -> u64 {
        self.dims[0]
    }

    /// Number of rows; 1 for a vector.
    pub fn rows(&self) -> u64 {
        self.dims[1..].iter().product()
    }
}

impl Header {
    /// Reads a header from the first bytes of a file. Bytes after the header are not looked at.
    ///
    /// # Errors
    /// [`GgufError::NeedMore`] where `bytes` ends too early; any other error is final.
    pub fn parse(bytes: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(bytes);
        let magic = cursor.array::<4>(&"the magic")?;
        if magic != MAGIC {
            return Err(GgufError::Magic { found: magic });
        }
        let version = cursor.u32(&"the version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version { found: version });
        }
        let tensor_count = limited(
            &"the tensor count",
            cursor.u64(&"the tensor count")?,
            MAX_TENSORS,
        )?;
        let metadata_count = limited(
            &"the metadata count",
            cursor.u64(&"the metadata count")?,
            MAX_METADATA,
        )?;
        let metadata = cursor.metadata(metadata_count)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = cursor.tensors(tensor_count)?;
        let data_offset = cursor.position().next_multiple_of(alignment);
        place_tensors(&mut tensors, data_offset, alignment)?;
        Ok(Self {
            version,
            metadata,
            tensors,
            data_offset,
        })
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|it| it.name == name)
    }

    /// Checks that every tensor ends within a file of this size.
    pub fn check_file_size(&self, size_bytes: u64) -> Result<(), GgufError> {
        for tensor in &self.tensors {
            let end = tensor.offset + tensor.size_bytes;
            if end > size_bytes {
                return Err(GgufError::Truncated {
                    field: format!("tensor {}", tensor.name),
                    size_bytes,
                    expected: end,
                });
            }
        }
        Ok(())
    }
}

/// Reads the header of a source, in growing prefixes, and checks it against the source's size
/// where that is known.
pub async fn read_header(source: &impl ByteSource) -> Result<Header, GgufError> {
    let size = source.size_bytes();
    let mut bytes = Vec::new();
    let mut wanted = FIRST_PREFIX_BYTES;
    loop {
        let end = size.map_or(wanted, |size| wanted.min(size));
        let missing = end - bytes.len() as u64;
        let more = source.read(bytes.len() as u64, missing as usize).await?;
        let ended = (more.len() as u64) < missing;
        bytes.extend_from_slice(&more);
        let size = if ended {
            Some(bytes.len() as u64)
        } else {
            size
        };
        match Header::parse(&bytes) {
            Err(GgufError::NeedMore { at_least }) => {
                if let Some(size_bytes) = size.filter(|&size| at_least > size) {
                    return Err(GgufError::Truncated {
                        field: "the header".to_owned(),
                        size_bytes,
                        expected: at_least,
                    });
                }
                wanted = at_least.max(end.saturating_mul(2)).min(MAX_HEADER_BYTES);
            }
            Err(error) => return Err(error),
            Ok(header) => {
                if let Some(size) = size {
                    header.check_file_size(size)?;
                }
                return Ok(header);
            }
        }
    }
}

pub(super) fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = match metadata.u32(ALIGNMENT_KEY)? {
        Some(alignment) => u64::from(alignment),
        None => DEFAULT_ALIGNMENT,
    };
    if !alignment.is_power_of_two() || !ALIGNMENTS.contains(&alignment) {
        return Err(GgufError::Metadata {
            key: ALIGNMENT_KEY.to_owned(),
            found: alignment.to_string(),
            expected: "a power of two from 8 to 65536",
        });
    }
    Ok(alignment)
}

/// Turns data offsets into file offsets, after checking that tensors are aligned, disjoint and
/// end at a place that a number can name.
fn place_tensors(
    tensors: &mut [TensorInfo],
    data_offset: u64,
    alignment: u64,
) -> Result<(), GgufError> {
    let mut spans = Vec::with_capacity(tensors.len());
    for (index, tensor) in tensors.iter_mut().enumerate() {
        let wrong = |reason: &str| GgufError::Offset {
            tensor: tensor.name.clone(),
            found: tensor.offset,
            reason: reason.to_owned(),
        };
        if !tensor.offset.is_multiple_of(alignment) {
            return Err(wrong(&format!(
                "not a multiple of the alignment {alignment}"
            )));
        }
        let start = data_offset
            .checked_add(tensor.offset)
            .ok_or_else(|| wrong("past what 64 bits can count"))?;
        let end = start
            .checked_add(tensor.size_bytes)
            .ok_or_else(|| wrong("its end is past what 64 bits can count"))?;
        tensor.offset = start;
        spans.push((start, end, index));
    }
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let ((_, end, before), (start, _, index)) = (pair[0], pair[1]);
        if start < end {
            return Err(GgufError::Offset {
                tensor: tensors[index].name.clone(),
                found: start - data_offset,
                reason: format!("inside the data of tensor {}", tensors[before].name),
            });
        }
    }
    Ok(())
}
