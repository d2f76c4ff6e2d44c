//! Reading a GGUF header from the bytes at the start of a file. The header is read from a prefix
//! that may be too short ([`GgufError::NeedMore`]), because over the network the weights behind
//! it are streamed and never held whole.

use std::collections::HashSet;

use super::{
    ALIGNMENT_KEY, Array, DEFAULT_ALIGNMENT, GgufError, MAGIC, Metadata, TensorType, Value,
};
use crate::formats::source::ByteSource;

/// Largest header that is read. The largest in use (a vocabulary of 256 000 with merges) is about
/// 16 MB; the page's whole memory is 64 MB.
pub const MAX_HEADER_BYTES: u64 = 48 << 20;

/// Most metadata keys. Real files have under 100.
const MAX_METADATA: u64 = 1 << 14;
/// Most tensors. Real files have under 2000.
const MAX_TENSORS: u64 = 1 << 16;
/// Longest key; GGUF's own limit.
const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// Longest tensor name. ggml stops at 63.
const MAX_NAME_BYTES: u64 = 255;
/// Longest text value. Chat templates reach about 100 kB.
const MAX_STRING_BYTES: u64 = 1 << 22;
/// Arrays inside arrays. Nothing in use goes past 2.
const MAX_ARRAY_DEPTH: u32 = 4;
/// Most dimensions of a tensor; ggml's own limit.
const MAX_DIMS: u32 = 4;
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
        let mut cursor = Cursor { bytes, position: 0 };
        let magic = cursor.array::<4>("the magic")?;
        if magic != MAGIC {
            return Err(GgufError::Magic { found: magic });
        }
        let version = cursor.u32("the version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version { found: version });
        }
        let tensor_count = limited(
            "the tensor count",
            cursor.u64("the tensor count")?,
            MAX_TENSORS,
        )?;
        let metadata_count = limited(
            "the metadata count",
            cursor.u64("the metadata count")?,
            MAX_METADATA,
        )?;
        let metadata = cursor.metadata(metadata_count)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = cursor.tensors(tensor_count)?;
        let data_offset = (cursor.position as u64).next_multiple_of(alignment);
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

fn limited(field: &str, found: u64, limit: u64) -> Result<u64, GgufError> {
    if found > limit {
        return Err(GgufError::Limit {
            field: field.to_owned(),
            found,
            limit,
        });
    }
    Ok(found)
}

fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
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

/// Bytes and how far they are read.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The next `len` bytes. Nothing is allocated for bytes that are not there.
    fn take(&mut self, field: &str, len: u64) -> Result<&'a [u8], GgufError> {
        let end = (self.position as u64).saturating_add(len);
        limited(&format!("the end of {field}"), end, MAX_HEADER_BYTES)?;
        let taken = self
            .bytes
            .get(self.position..end as usize)
            .ok_or(GgufError::NeedMore { at_least: end })?;
        self.position = end as usize;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        let taken = self.take(field, N as u64)?;
        Ok(taken.try_into().expect("take gives as many bytes as asked"))
    }

    fn u32(&mut self, field: &str) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    fn u64(&mut self, field: &str) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn string(&mut self, field: &str, limit: u64) -> Result<String, GgufError> {
        let length_field = format!("the length of {field}");
        let len = limited(&length_field, self.u64(&length_field)?, limit)?;
        let offset = self.position as u64;
        let bytes = self.take(field, len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(GgufError::Utf8 {
                field: field.to_owned(),
                offset,
            }),
        }
    }

    fn metadata(&mut self, count: u64) -> Result<Metadata, GgufError> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for index in 0..count {
            let key = self.string(&format!("metadata key {index}"), MAX_KEY_BYTES)?;
            if !seen.insert(key.clone()) {
                return Err(GgufError::Duplicate {
                    field: format!("metadata key {key}"),
                });
            }
            let value_type = self.u32(&key)?;
            let value = self.value(&key, value_type)?;
            entries.push((key, value));
        }
        Ok(Metadata::from_distinct(entries))
    }

    fn value(&mut self, key: &str, value_type: u32) -> Result<Value, GgufError> {
        Ok(match value_type {
            0 => Value::U8(self.array::<1>(key)?[0]),
            1 => Value::I8(i8::from_le_bytes(self.array(key)?)),
            2 => Value::U16(u16::from_le_bytes(self.array(key)?)),
            3 => Value::I16(i16::from_le_bytes(self.array(key)?)),
            4 => Value::U32(self.u32(key)?),
            5 => Value::I32(i32::from_le_bytes(self.array(key)?)),
            6 => Value::F32(f32::from_le_bytes(self.array(key)?)),
            7 => Value::Bool(bool_from(key, self.array::<1>(key)?[0])?),
            8 => Value::String(self.string(key, MAX_STRING_BYTES)?),
            9 => Value::Array(self.array_value(key, 1)?),
            10 => Value::U64(self.u64(key)?),
            11 => Value::I64(i64::from_le_bytes(self.array(key)?)),
            12 => Value::F64(f64::from_le_bytes(self.array(key)?)),
            found => {
                return Err(GgufError::ValueType {
                    field: key.to_owned(),
                    found,
                });
            }
        })
    }

    fn array_value(&mut self, key: &str, depth: u32) -> Result<Array, GgufError> {
        limited(
            &format!("the depth of the arrays in {key}"),
            depth.into(),
            MAX_ARRAY_DEPTH.into(),
        )?;
        let element_type = self.u32(key)?;
        let count = self.u64(key)?;
        Ok(match element_type {
            0 => Array::U8(self.numbers(key, count, u8::from_le_bytes)?),
            1 => Array::I8(self.numbers(key, count, i8::from_le_bytes)?),
            2 => Array::U16(self.numbers(key, count, u16::from_le_bytes)?),
            3 => Array::I16(self.numbers(key, count, i16::from_le_bytes)?),
            4 => Array::U32(self.numbers(key, count, u32::from_le_bytes)?),
            5 => Array::I32(self.numbers(key, count, i32::from_le_bytes)?),
            6 => Array::F32(self.numbers(key, count, f32::from_le_bytes)?),
            7 => {
                let bytes = self.take(key, count)?;
                let bools: Result<_, _> = bytes.iter().map(|&it| bool_from(key, it)).collect();
                Array::Bool(bools?)
            }
            // A string has at least its length (8 bytes), an array its type and length (12).
            8 => {
                self.require(key, count, 8)?;
                let strings: Result<_, _> = (0..count)
                    .map(|index| self.string(&format!("{key}[{index}]"), MAX_STRING_BYTES))
                    .collect();
                Array::String(strings?)
            }
            9 => {
                self.require(key, count, 12)?;
                let arrays: Result<_, _> = (0..count)
                    .map(|_| self.array_value(key, depth + 1))
                    .collect();
                Array::Array(arrays?)
            }
            10 => Array::U64(self.numbers(key, count, u64::from_le_bytes)?),
            11 => Array::I64(self.numbers(key, count, i64::from_le_bytes)?),
            12 => Array::F64(self.numbers(key, count, f64::from_le_bytes)?),
            found => {
                return Err(GgufError::ValueType {
                    field: key.to_owned(),
                    found,
                });
            }
        })
    }

    fn numbers<T, const N: usize>(
        &mut self,
        key: &str,
        count: u64,
        convert: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, GgufError> {
        let bytes = self.take(key, count.saturating_mul(N as u64))?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().map(|&it| convert(it)).collect())
    }

    /// Checks that `count` elements of at least `element_bytes` can follow, and that their bytes
    /// are here, before anything is allocated for them.
    fn require(&self, key: &str, count: u64, element_bytes: u64) -> Result<(), GgufError> {
        let mut ahead = Cursor {
            bytes: self.bytes,
            position: self.position,
        };
        ahead.take(key, count.saturating_mul(element_bytes))?;
        Ok(())
    }

    /// Tensor descriptions; their `offset` is still counted from the start of the data.
    fn tensors(&mut self, count: u64) -> Result<Vec<TensorInfo>, GgufError> {
        let mut seen = HashSet::new();
        let mut tensors = Vec::new();
        for index in 0..count {
            let name = self.string(&format!("the name of tensor {index}"), MAX_NAME_BYTES)?;
            if !seen.insert(name.clone()) {
                return Err(GgufError::Duplicate {
                    field: format!("tensor {name}"),
                });
            }
            tensors.push(self.tensor(name)?);
        }
        Ok(tensors)
    }

    fn tensor(&mut self, name: String) -> Result<TensorInfo, GgufError> {
        let dim_count = self.u32(&name)?;
        let count_field = format!("the number of dimensions of tensor {name}");
        limited(&count_field, dim_count.into(), MAX_DIMS.into())?;
        let dims: Result<Vec<u64>, _> = (0..dim_count).map(|_| self.u64(&name)).collect();
        let dims = dims?;
        let type_id = self.u32(&name)?;
        let offset = self.u64(&name)?;
        let Some(tensor_type) = TensorType::from_id(type_id) else {
            return Err(GgufError::TensorType {
                tensor: name,
                found: type_id,
            });
        };
        match tensor_size(tensor_type, &dims) {
            Ok(size_bytes) => Ok(TensorInfo {
                name,
                dims,
                tensor_type,
                offset,
                size_bytes,
            }),
            Err(reason) => Err(GgufError::Dims {
                tensor: name,
                found: dims,
                reason,
            }),
        }
    }
}

fn bool_from(key: &str, byte: u8) -> Result<bool, GgufError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(GgufError::Bool {
            field: key.to_owned(),
            found,
        }),
    }
}

fn tensor_size(tensor_type: TensorType, dims: &[u64]) -> Result<u64, &'static str> {
    let Some((&row_len, outer)) = dims.split_first() else {
        return Err("a tensor has at least one");
    };
    if dims.contains(&0) {
        return Err("none may be zero");
    }
    let too_large = "their product is past what 64 bits can count";
    let rows = outer
        .iter()
        .try_fold(1u64, |product, &dim| product.checked_mul(dim))
        .ok_or(too_large)?;
    row_len.checked_mul(rows).ok_or(too_large)?;
    if !row_len.is_multiple_of(tensor_type.block_len) {
        return Err("a row is not a whole number of the type's blocks");
    }
    tensor_type.size_bytes(row_len, rows).ok_or(too_large)
}
