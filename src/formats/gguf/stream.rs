//! Writing GGUF files whose tensors do not fit in memory, whole or split into shards as llama.cpp
//! splits them: every shard is a GGUF file, `NAME-00001-of-00003.gguf`; the first has the metadata.

use std::ops::Range;

use super::write::{Description, header, padding};
use super::{Metadata, Value};
use crate::weights::WeightType;

/// Keys that llama.cpp writes into shards.
pub(super) const SPLIT_NO: &str = "split.no";
pub(super) const SPLIT_COUNT: &str = "split.count";
const SPLIT_TENSORS: &str = "split.tensors.count";

/// A tensor whose data will follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTensor {
    /// Name.
    pub name: String,
    /// Dimensions in ggml's order: the length of a row first.
    pub dims: Vec<u64>,
    /// Type of its data.
    pub weight_type: WeightType,
}

impl PlannedTensor {
    /// Bytes of its data.
    pub fn size_bytes(&self) -> u64 {
        let rows: u64 = self.dims[1..].iter().product();
        self.weight_type.row_bytes(self.dims[0] as usize) as u64 * rows
    }

    /// Zeros that follow its data.
    pub fn padding_bytes(&self) -> usize {
        padding(self.size_bytes())
    }
}

/// A file of a model that is written in one or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// Its file name.
    pub file: String,
    /// Which of the tensors it holds.
    pub tensors: Range<usize>,
    /// Everything before the data of its first tensor.
    pub header: Vec<u8>,
}

/// The files that hold tensors: one, `STEM.gguf`, or as many as keep the data of each within
/// `shard_bytes`, where no single tensor is larger.
pub fn shards(
    stem: &str,
    metadata: &Metadata,
    tensors: &[PlannedTensor],
    shard_bytes: Option<u64>,
) -> Vec<Shard> {
    let ranges = ranges(tensors, shard_bytes.unwrap_or(u64::MAX));
    let count = ranges.len();
    ranges
        .into_iter()
        .enumerate()
        .map(|(index, range)| {
            let mut metadata = match index {
                0 => metadata.clone(),
                _ => Metadata::default(),
            };
            let file = if count == 1 {
                format!("{stem}.gguf")
            } else {
                metadata.set(SPLIT_NO, Value::U16(index as u16));
                metadata.set(SPLIT_COUNT, Value::U16(count as u16));
                metadata.set(SPLIT_TENSORS, Value::I32(tensors.len() as i32));
                shard_name(stem, index, count)
            };
            let mut offset = 0;
            let descriptions = tensors[range.clone()].iter().map(|it| {
                let description = Description {
                    name: &it.name,
                    dims: &it.dims,
                    type_id: it.weight_type.ggml_id(),
                    offset,
                };
                offset += it.size_bytes() + it.padding_bytes() as u64;
                description
            });
            let header = header(&metadata, descriptions);
            Shard {
                file,
                tensors: range,
                header,
            }
        })
        .collect()
}

/// Name of a shard, counted from 0.
pub(super) fn shard_name(stem: &str, index: usize, count: usize) -> String {
    format!("{stem}-{:05}-of-{count:05}.gguf", index + 1)
}

fn ranges(tensors: &[PlannedTensor], shard_bytes: u64) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0u64);
    for (index, tensor) in tensors.iter().enumerate() {
        let size = tensor.size_bytes() + tensor.padding_bytes() as u64;
        if index > start && bytes.saturating_add(size) > shard_bytes {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    ranges.push(start..tensors.len());
    ranges
}
