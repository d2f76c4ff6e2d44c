//! Reading a model that is split into several GGUF files as one: a source whose header is that of
//! all of them together. Everything above reads it as any other file.

use super::GgufError;
use super::read::{Header, alignment, read_header};
use super::stream::{SPLIT_COUNT, SPLIT_NO, shard_name};
use super::write::{Description, header};
use crate::formats::source::{ByteSource, SourceError, check_range};

/// One file as it is, or several as one.
#[derive(Debug)]
pub struct SplitSource<S> {
    /// The header of all files together; empty where there is one file.
    header: Vec<u8>,
    parts: Vec<Part<S>>,
    size_bytes: Option<u64>,
}

#[derive(Debug)]
struct Part<S> {
    source: S,
    /// Where its bytes from `skipped` on stand in the whole.
    start: u64,
    /// Bytes of its own header, which are left out.
    skipped: u64,
    /// Bytes that are kept.
    len: u64,
}

impl<S: ByteSource> SplitSource<S> {
    /// Opens the files of a model, in their order. A single one is not looked into.
    pub async fn open(mut sources: Vec<S>) -> Result<Self, GgufError> {
        if sources.len() == 1 {
            let source = sources.remove(0);
            let size_bytes = source.size_bytes();
            let part = Part {
                source,
                start: 0,
                skipped: 0,
                len: u64::MAX,
            };
            return Ok(Self {
                header: Vec::new(),
                parts: vec![part],
                size_bytes,
            });
        }
        let mut headers = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            let header = read_header(source).await?;
            check_place(&header, index, sources.len())?;
            headers.push(header);
        }
        Self::joined(sources, &headers)
    }

    fn joined(sources: Vec<S>, headers: &[Header]) -> Result<Self, GgufError> {
        let metadata = &headers[0].metadata;
        let alignment = alignment(metadata)?;
        let lens: Vec<u64> = headers
            .iter()
            .map(|it| {
                let ends = it.tensors.iter().map(|it| it.offset + it.size_bytes);
                ends.max().unwrap_or(it.data_offset) - it.data_offset
            })
            .collect();
        let mut starts = Vec::with_capacity(lens.len());
        let mut end = 0u64;
        for len in &lens {
            starts.push(end);
            end = end
                .checked_add(*len)
                .and_then(|it| it.checked_next_multiple_of(alignment))
                .ok_or_else(|| GgufError::Limit {
                    field: "the size of all files".to_owned(),
                    found: u64::MAX,
                    limit: u64::MAX - alignment,
                })?;
        }
        let descriptions: Vec<_> = headers
            .iter()
            .zip(&starts)
            .flat_map(|(header, start)| {
                header.tensors.iter().map(move |it| Description {
                    name: &it.name,
                    dims: &it.dims,
                    type_id: it.tensor_type.id,
                    offset: it.offset - header.data_offset + start,
                })
            })
            .collect();
        let mut header = header(metadata, descriptions.into_iter());
        header.resize(header.len().next_multiple_of(alignment as usize), 0);
        let data_offset = header.len() as u64;
        let parts = sources
            .into_iter()
            .zip(headers)
            .zip(starts.iter().zip(lens))
            .map(|((source, own), (start, len))| Part {
                source,
                start: data_offset + start,
                skipped: own.data_offset,
                len,
            });
        Ok(Self {
            header,
            parts: parts.collect(),
            size_bytes: Some(data_offset + end),
        })
    }
}

fn check_place(header: &Header, index: usize, count: usize) -> Result<(), GgufError> {
    for (key, expected, what) in [
        (SPLIT_NO, index, "the place that the file's name gives it"),
        (SPLIT_COUNT, count, "the number of files"),
    ] {
        let found = header.metadata.required_u32(key)?;
        if found as usize != expected {
            return Err(GgufError::Metadata {
                key: key.to_owned(),
                found: found.to_string(),
                expected: what,
            });
        }
    }
    Ok(())
}

impl<S: ByteSource> ByteSource for SplitSource<S> {
    fn name(&self) -> &str {
        self.parts[0].source.name()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        let [_, _, ..] = &self.parts[..] else {
            return self.parts[0].source.read(offset, len).await;
        };
        let size_bytes = self.size_bytes.expect("several files have known sizes");
        let end = check_range(self.name(), offset, len, size_bytes)?;
        // Between two files lie zeros, as between two tensors.
        let mut bytes = vec![0; len];
        let mut put = |start: u64, found: &[u8]| {
            let at = (start - offset) as usize;
            bytes[at..at + found.len()].copy_from_slice(found);
        };
        let header_end = end.min(self.header.len() as u64);
        if offset < header_end {
            put(offset, &self.header[offset as usize..header_end as usize]);
        }
        for part in &self.parts {
            let from = offset.max(part.start);
            let to = end.min(part.start + part.len);
            if from < to {
                let place = part.skipped + (from - part.start);
                put(from, &part.source.read(place, (to - from) as usize).await?);
            }
        }
        Ok(bytes)
    }
}

/// The name of a model and the number of its files, where a file's name is that of a shard.
fn shard(name: &str) -> Option<(&str, usize)> {
    /// More are an accident.
    const MOST: usize = 1000;
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |it: &str| it.len() == 5 && it.bytes().all(|it| it.is_ascii_digit());
    (digits(number) && digits(count)).then_some(())?;
    let count = count.parse().ok()?;
    (2..=MOST).contains(&count).then_some((stem, count))
}

/// The name of the model that a file belongs to: that of `NAME.gguf`, or of
/// `NAME-00002-of-00003.gguf`.
pub fn model_name(file: &str) -> Option<&str> {
    match shard(file) {
        Some((stem, _)) => Some(stem),
        None => file.strip_suffix(".gguf"),
    }
}

/// Names of the files of the model that a file belongs to: `NAME-00002-of-00003.gguf` names three,
/// any other name itself.
pub fn shard_names(file: &str) -> Vec<String> {
    match shard(file) {
        Some((stem, count)) => (0..count)
            .map(|index| shard_name(stem, index, count))
            .collect(),
        None => vec![file.to_owned()],
    }
}

/// [`shard_names`] in the same folder. Whether they are there is not looked at.
pub fn shard_paths(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    match path.file_name().and_then(|it| it.to_str()) {
        Some(name) => shard_names(name)
            .into_iter()
            .map(|it| path.with_file_name(it))
            .collect(),
        None => vec![path.to_owned()],
    }
}

/// Opens the model that a file belongs to, all its shards where it is split.
#[cfg(not(target_arch = "wasm32"))]
pub async fn open_files(
    path: &std::path::Path,
) -> Result<SplitSource<crate::formats::source::FileSource>, GgufError> {
    let paths = shard_paths(path);
    let sources: Result<_, _> = paths
        .iter()
        .map(|it| crate::formats::source::FileSource::open(it))
        .collect();
    SplitSource::open(sources?).await
}
