//! The zip archive around a pickle, as `torch.save` writes it: entries stored as they are, with
//! 64-bit sizes where a checkpoint has more than 4 GiB. Nothing else of zip is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::PickleError;

/// Most entries; a checkpoint has one a tensor and a handful more.
const MAX_ENTRIES: usize = 100_000;
/// Largest table of entries: 100 000 with names of 200 bytes fit.
const MAX_DIRECTORY_BYTES: u64 = 32 << 20;
/// Bytes of the record that ends an archive, without its comment, and of the longest comment.
const END_BYTES: u64 = 22;
const MAX_COMMENT_BYTES: u64 = 0xffff;

/// Where an entry lies.
#[derive(Clone, Copy, Debug)]
struct Entry {
    header: u64,
    size_bytes: u64,
    compressed: bool,
}

/// An opened archive.
pub(super) struct Archive<'a> {
    name: &'a str,
    file: &'a File,
    size_bytes: u64,
    entries: BTreeMap<String, Entry>,
}

impl<'a> Archive<'a> {
    /// Reads and checks the table of entries.
    pub(super) fn open(name: &'a str, file: &'a File) -> Result<Self, PickleError> {
        let metadata = file.metadata().map_err(|error| PickleError::Read {
            file: name.to_owned(),
            reason: error.to_string(),
        })?;
        let mut archive = Self {
            name,
            file,
            size_bytes: metadata.len(),
            entries: BTreeMap::new(),
        };
        archive.read_directory()?;
        Ok(archive)
    }

    /// Size of the whole file.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The one entry whose name ends in `/data.pkl`, and what stands before `data.pkl` in it.
    pub(super) fn prefix(&self) -> Result<String, PickleError> {
        let mut pickles = self
            .entries
            .keys()
            .filter_map(|it| it.strip_suffix("data.pkl"));
        match (pickles.next(), pickles.next()) {
            (Some(prefix), None) => Ok(prefix.to_owned()),
            (None, _) => Err(self.wrong("it has no entry data.pkl")),
            _ => Err(self.wrong("it has several entries data.pkl")),
        }
    }

    /// First byte and size of an entry, both within the file; `None` where there is no such entry.
    pub(super) fn find(&self, name: &str) -> Result<Option<(u64, u64)>, PickleError> {
        let Some(entry) = self.entries.get(name) else {
            return Ok(None);
        };
        if entry.compressed {
            return Err(self.wrong(format!(
                "its entry {name} is compressed or encrypted, and only stored entries are read"
            )));
        }
        let header = self.bytes(entry.header, 30)?;
        if header[..4] != *b"PK\x03\x04" {
            return Err(self.wrong(format!("its entry {name} does not begin where it should")));
        }
        let lengths = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        // `bytes` has checked the header, so this is no more than the file's size and 128 KiB.
        let offset = entry.header + 30 + lengths;
        let end = offset.checked_add(entry.size_bytes);
        if end.is_none_or(|end| end > self.size_bytes) {
            return Err(self.wrong(format!("its entry {name} goes beyond the end of the file")));
        }
        Ok(Some((offset, entry.size_bytes)))
    }

    /// All bytes of an entry of at most `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, PickleError> {
        match self.find(name)? {
            None => Ok(None),
            Some((_, size)) if size > limit => Err(self.wrong(format!(
                "its entry {name} has {size} bytes, and at most {limit} are read"
            ))),
            Some((offset, size)) => self.bytes(offset, size).map(Some),
        }
    }

    /// An error that says what is wrong with the archive.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> PickleError {
        PickleError::Archive {
            file: self.name.to_owned(),
            reason: reason.into(),
        }
    }

    /// Bytes of the file; no more are allocated than the file has.
    fn bytes(&self, offset: u64, len: u64) -> Result<Vec<u8>, PickleError> {
        if offset
            .checked_add(len)
            .is_none_or(|it| it > self.size_bytes)
        {
            return Err(self.wrong(format!(
                "it speaks of {len} bytes at {offset}, but it has {}",
                self.size_bytes
            )));
        }
        let failed = |error: std::io::Error| PickleError::Read {
            file: self.name.to_owned(),
            reason: error.to_string(),
        };
        let mut bytes = vec![0; len as usize];
        let mut file = self.file;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn read_directory(&mut self) -> Result<(), PickleError> {
        let (offset, size, count) = self.find_directory()?;
        if size > MAX_DIRECTORY_BYTES {
            return Err(self.wrong(format!("its table of entries would have {size} bytes")));
        }
        if count > MAX_ENTRIES as u64 {
            return Err(PickleError::Limit {
                file: self.name.to_owned(),
                what: "entries",
                limit: MAX_ENTRIES,
            });
        }
        let table = self.bytes(offset, size)?;
        let mut rest = table.as_slice();
        for _ in 0..count {
            let (name, entry) = take_entry(&mut rest)
                .ok_or_else(|| self.wrong("its table of entries is damaged"))?;
            if self.entries.contains_key(&name) {
                return Err(self.wrong(format!("it has two entries {}", shown(&name))));
            }
            self.entries.insert(name, entry);
        }
        Ok(())
    }

    /// Offset, bytes and number of entries of the table of entries.
    fn find_directory(&self) -> Result<(u64, u64, u64), PickleError> {
        let tail_bytes = self.size_bytes.min(END_BYTES + MAX_COMMENT_BYTES);
        let tail_offset = self.size_bytes - tail_bytes;
        let tail = self.bytes(tail_offset, tail_bytes)?;
        let place = (0..=tail.len().saturating_sub(END_BYTES as usize))
            .rev()
            .find(|&at| tail[at..].starts_with(b"PK\x05\x06"))
            .filter(|&at| at + END_BYTES as usize <= tail.len())
            .ok_or_else(|| self.wrong("it does not end as a zip archive does; is it cut off?"))?;
        let end = &tail[place..];
        let small = (
            u64::from(u32_at(end, 16)),
            u64::from(u32_at(end, 12)),
            u64::from(u16_at(end, 10)),
        );
        // Numbers that do not fit stand in a second record, which a third one points to.
        let Some(locator) = (tail_offset + place as u64).checked_sub(20) else {
            return Ok(small);
        };
        let locator = self.bytes(locator, 20)?;
        if locator[..4] != *b"PK\x06\x07" {
            return Ok(small);
        }
        let record = self.bytes(u64_at(&locator, 8), 56)?;
        if record[..4] != *b"PK\x06\x06" {
            return Err(self.wrong("its 64-bit end record is not where it should be"));
        }
        Ok((
            u64_at(&record, 48),
            u64_at(&record, 40),
            u64_at(&record, 32),
        ))
    }
}

/// The next entry of a table; `None` where the table is damaged.
fn take_entry(rest: &mut &[u8]) -> Option<(String, Entry)> {
    let fixed = rest.get(..46)?;
    if fixed[..4] != *b"PK\x01\x02" {
        return None;
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let variable = rest.get(46..46 + name + extra + comment)?;
    let name_text = String::from_utf8(variable[..name].to_vec()).ok()?;
    let mut wide = wide_sizes(&variable[name..name + extra]);
    let mut number = |at: usize| match u32_at(fixed, at) {
        u32::MAX => {
            let (first, others) = wide.split_first_chunk::<8>()?;
            wide = others;
            Some(u64::from_le_bytes(*first))
        }
        value => Some(u64::from(value)),
    };
    let (size_bytes, stored_bytes, header) = (number(24)?, number(20)?, number(42)?);
    let encrypted = u16_at(fixed, 8) & 1 != 0;
    *rest = &rest[46 + name + extra + comment..];
    let entry = Entry {
        header,
        size_bytes,
        compressed: encrypted || u16_at(fixed, 10) != 0 || stored_bytes != size_bytes,
    };
    Some((name_text, entry))
}

/// The 64-bit numbers among an entry's extra fields.
fn wide_sizes(mut extra: &[u8]) -> &[u8] {
    while extra.len() >= 4 {
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + len) else {
            break;
        };
        if id == 1 {
            return field;
        }
        extra = &extra[4 + len..];
    }
    &[]
}

/// A name in a message.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
