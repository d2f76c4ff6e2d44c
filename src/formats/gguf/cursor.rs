//! Values of a GGUF header, one after the other. Nothing is allocated for bytes that are not there.

use std::collections::HashSet;
use std::fmt::Display;

use super::{Array, GgufError, Metadata, TensorInfo, TensorType, Value};

/// Largest header that is read. The largest in use (a vocabulary of 256 000 with merges) is about
/// 16 MB; the page's whole memory is 64 MB.
pub const MAX_HEADER_BYTES: u64 = 48 << 20;

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

/// A count or length, if it is not above its limit. `field` is written out for an error only:
/// headers hold hundreds of thousands of strings.
pub(super) fn limited(field: &dyn Display, found: u64, limit: u64) -> Result<u64, GgufError> {
    if found > limit {
        return Err(GgufError::Limit {
            field: field.to_string(),
            found,
            limit,
        });
    }
    Ok(found)
}

/// Bytes and how far they are read.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position as u64
    }

    /// The next `len` bytes. Nothing is allocated for bytes that are not there.
    fn take(&mut self, field: &dyn Display, len: u64) -> Result<&'a [u8], GgufError> {
        let end = (self.position as u64).saturating_add(len);
        limited(&format_args!("the end of {field}"), end, MAX_HEADER_BYTES)?;
        let taken = self
            .bytes
            .get(self.position..end as usize)
            .ok_or(GgufError::NeedMore { at_least: end })?;
        self.position = end as usize;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &dyn Display,
    ) -> Result<[u8; N], GgufError> {
        let taken = self.take(field, N as u64)?;
        Ok(taken.try_into().expect("take gives as many bytes as asked"))
    }

    pub(super) fn u32(&mut self, field: &dyn Display) -> Result<u32, GgufError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &dyn Display) -> Result<u64, GgufError> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn string(&mut self, field: &dyn Display, limit: u64) -> Result<String, GgufError> {
        let length = self.u64(field)?;
        let len = limited(&format_args!("the length of {field}"), length, limit)?;
        let offset = self.position as u64;
        let bytes = self.take(field, len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(GgufError::Utf8 {
                field: field.to_string(),
                offset,
            }),
        }
    }

    pub(super) fn metadata(&mut self, count: u64) -> Result<Metadata, GgufError> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for index in 0..count {
            let key = self.string(&format_args!("metadata key {index}"), MAX_KEY_BYTES)?;
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
            0 => Value::U8(self.array::<1>(&key)?[0]),
            1 => Value::I8(i8::from_le_bytes(self.array(&key)?)),
            2 => Value::U16(u16::from_le_bytes(self.array(&key)?)),
            3 => Value::I16(i16::from_le_bytes(self.array(&key)?)),
            4 => Value::U32(self.u32(&key)?),
            5 => Value::I32(i32::from_le_bytes(self.array(&key)?)),
            6 => Value::F32(f32::from_le_bytes(self.array(&key)?)),
            7 => Value::Bool(bool_from(key, self.array::<1>(&key)?[0])?),
            8 => Value::String(self.string(&key, MAX_STRING_BYTES)?),
            9 => Value::Array(self.array_value(key, 1)?),
            10 => Value::U64(self.u64(&key)?),
            11 => Value::I64(i64::from_le_bytes(self.array(&key)?)),
            12 => Value::F64(f64::from_le_bytes(self.array(&key)?)),
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
        let element_type = self.u32(&key)?;
        let count = self.u64(&key)?;
        Ok(match element_type {
            0 => Array::U8(self.numbers(key, count, u8::from_le_bytes)?),
            1 => Array::I8(self.numbers(key, count, i8::from_le_bytes)?),
            2 => Array::U16(self.numbers(key, count, u16::from_le_bytes)?),
            3 => Array::I16(self.numbers(key, count, i16::from_le_bytes)?),
            4 => Array::U32(self.numbers(key, count, u32::from_le_bytes)?),
            5 => Array::I32(self.numbers(key, count, i32::from_le_bytes)?),
            6 => Array::F32(self.numbers(key, count, f32::from_le_bytes)?),
            7 => {
                let bytes = self.take(&key, count)?;
                let bools: Result<_, _> = bytes.iter().map(|&it| bool_from(key, it)).collect();
                Array::Bool(bools?)
            }
            // A string has at least its length (8 bytes), an array its type and length (12).
            8 => {
                self.require(key, count, 8)?;
                let strings: Result<_, _> = (0..count)
                    .map(|index| self.string(&format_args!("{key}[{index}]"), MAX_STRING_BYTES))
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
        let bytes = self.take(&key, count.saturating_mul(N as u64))?;
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
        ahead.take(&key, count.saturating_mul(element_bytes))?;
        Ok(())
    }

    /// Tensor descriptions; their `offset` is still counted from the start of the data.
    pub(super) fn tensors(&mut self, count: u64) -> Result<Vec<TensorInfo>, GgufError> {
        let mut seen = HashSet::new();
        let mut tensors = Vec::new();
        for index in 0..count {
            let name = self.string(&format_args!("the name of tensor {index}"), MAX_NAME_BYTES)?;
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
        limited(
            &format_args!("the number of dimensions of tensor {name}"),
            dim_count.into(),
            MAX_DIMS.into(),
        )?;
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
