//! PyTorch files (`torch.save` of a dictionary of tensors): which tensors there are, where they lie.
//! The pickle in them is a program, and it is not run as one: [`machine`] knows the few instructions
//! and names that a dictionary of tensors needs and refuses all others by name.

mod archive;
mod error;
mod machine;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::tensors::{ElementType, StoredTensor, TensorFiles};
use archive::{Archive, shown};
pub use error::PickleError;
use machine::{Fault, Global, Id, Node, Pickle, StorageType};

/// Largest pickle; that of a checkpoint of 1000 tensors has 150 KB.
const MAX_PICKLE_BYTES: u64 = 8 << 20;
/// Dictionaries within dictionaries.
const MAX_DEPTH: usize = 8;
/// Most items of all dictionaries together, each counted as often as it is met.
const MAX_ITEMS: usize = 100_000;
/// Most dimensions of a tensor.
const MAX_DIMS: usize = 8;
/// Longest name of a tensor, with those of the dictionaries around it.
const MAX_NAME_BYTES: usize = 512;
/// How a file of before PyTorch 1.6 begins: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

impl TensorFiles {
    /// Adds the tensors of a PyTorch file. Dictionaries in dictionaries give names with dots; values
    /// that are no tensors, and tensors of whole numbers, are passed over. Of a name that is there
    /// already, the first counts.
    ///
    /// # Errors
    /// [`PickleError`]: a file that is damaged, lies, or holds more than tensors.
    pub fn add_pickle(&mut self, path: &Path) -> Result<(), PickleError> {
        let name = path.display().to_string();
        let unread = |error: std::io::Error| PickleError::Read {
            file: name.clone(),
            reason: error.to_string(),
        };
        let mut file = File::open(path).map_err(unread)?;
        let mut beginning = Vec::new();
        (&mut file)
            .take(LEGACY.len() as u64)
            .read_to_end(&mut beginning)
            .map_err(unread)?;
        if beginning == LEGACY {
            return Err(PickleError::Legacy { file: name });
        }
        let archive = Archive::open(&name, &file)?;
        let prefix = archive.prefix()?;
        let order = archive.read(&format!("{prefix}byteorder"), 16)?;
        if order.is_some_and(|it| it != b"little") {
            return Err(archive.wrong("its numbers are not little-endian"));
        }
        let Some(bytes) = archive.read(&format!("{prefix}data.pkl"), MAX_PICKLE_BYTES)? else {
            return Err(archive.wrong("it has no entry data.pkl"));
        };
        let pickle = Pickle::read(&bytes).map_err(|(at, fault)| named(&name, at, fault))?;
        let mut listing = Listing {
            name: &name,
            archive: &archive,
            prefix: &prefix,
            pickle: &pickle,
            file: self.files.len(),
            items: 0,
            found: Vec::new(),
        };
        listing.list("", pickle.root, 0)?;
        let found = listing.found;
        for (tensor, stored) in found {
            self.tensors.entry(tensor).or_insert(stored);
        }
        self.files.push((name, file));
        Ok(())
    }
}

fn named(file: &str, at: usize, fault: Fault) -> PickleError {
    let file = file.to_owned();
    match fault {
        Fault::Opcode(opcode) => PickleError::Opcode { file, opcode, at },
        Fault::Global(global) => PickleError::Global { file, global },
        Fault::Broken(reason) => PickleError::Pickle { file, at, reason },
        Fault::Limit(what, limit) => PickleError::Limit { file, what, limit },
    }
}

/// The walk from a pickle's root to its tensors.
struct Listing<'a> {
    name: &'a str,
    archive: &'a Archive<'a>,
    prefix: &'a str,
    pickle: &'a Pickle<'a>,
    file: usize,
    items: usize,
    found: Vec<(String, StoredTensor)>,
}

impl Listing<'_> {
    fn limit(&self, what: &'static str, limit: usize) -> PickleError {
        PickleError::Limit {
            file: self.name.to_owned(),
            what,
            limit,
        }
    }

    fn list(&mut self, name: &str, id: Id, depth: usize) -> Result<(), PickleError> {
        let pickle = self.pickle;
        match pickle.node(id) {
            Node::Dict(items) => {
                if depth == MAX_DEPTH {
                    return Err(self.limit("dictionaries within each other", MAX_DEPTH));
                }
                for &(key, value) in items {
                    self.items += 1;
                    if self.items > MAX_ITEMS {
                        return Err(self.limit("items", MAX_ITEMS));
                    }
                    // Keys that are no texts (optimizers number their states) name no weights.
                    let Some(key) = pickle.text(key) else {
                        continue;
                    };
                    let dot = if name.is_empty() { "" } else { "." };
                    if name.len() + key.len() >= MAX_NAME_BYTES {
                        return Err(self.limit("bytes in a name", MAX_NAME_BYTES));
                    }
                    self.list(&format!("{name}{dot}{key}"), value, depth + 1)?;
                }
                Ok(())
            }
            &Node::Tensor(arguments) => {
                let stored = self.stored(arguments);
                let stored = stored.map_err(|fault| match fault {
                    TensorFault::Archive(error) => error,
                    TensorFault::Wrong(reason) => PickleError::Tensor {
                        file: self.name.to_owned(),
                        tensor: shown(name),
                        reason,
                    },
                })?;
                if let Some(stored) = stored {
                    self.found.push((name.to_owned(), stored));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Where a tensor lies, from (storage, offset, shape, strides, …); `None` for whole numbers.
    fn stored(&self, arguments: Id) -> Result<Option<StoredTensor>, TensorFault> {
        let pickle = self.pickle;
        let [storage, first, shape, strides, ..] = pickle.tuple(arguments).unwrap_or_default()
        else {
            return wrong("it is rebuilt from too few arguments");
        };
        let &Node::Persistent(storage) = pickle.node(*storage) else {
            return wrong("its storage is none");
        };
        let sizes = |id: Id| -> Option<Vec<usize>> {
            let items = pickle.tuple(id)?;
            (items.len() <= MAX_DIMS).then_some(())?;
            items.iter().map(|&it| pickle.size(it)).collect()
        };
        let (Some(first), Some(shape), Some(strides)) =
            (pickle.size(*first), sizes(*shape), sizes(*strides))
        else {
            return wrong("its offset, shape or strides are no sizes");
        };
        let (element_type, key, length) = self.storage(storage)?;
        let Some(element_type) = element_type else {
            return Ok(None);
        };
        let count = contiguous_count(&shape, &strides)?;
        if first.checked_add(count).is_none_or(|end| end > length) {
            return wrong(format!(
                "{count} values from value {first} on, but its storage has {length}"
            ));
        }
        let entry = self.archive.find(&format!("{}data/{key}", self.prefix));
        let Some((offset, size_bytes)) = entry.map_err(TensorFault::Archive)? else {
            return wrong(format!("its storage {} is not in the file", shown(key)));
        };
        let size = element_type.size_bytes() as u64;
        if (length as u64).checked_mul(size) != Some(size_bytes) {
            return wrong(format!(
                "its storage would hold {length} values of {size} bytes, but it has {size_bytes} bytes"
            ));
        }
        debug_assert!(offset + size_bytes <= self.archive.size_bytes());
        Ok(Some(StoredTensor {
            shape,
            element_type,
            file: self.file,
            offset: offset + first as u64 * size,
        }))
    }

    /// Type, name and number of values of a storage, from ("storage", type, name, device, values).
    fn storage(&self, id: Id) -> Result<(Option<ElementType>, &str, usize), TensorFault> {
        let pickle = self.pickle;
        let [kind, storage_type, key, _, length] = pickle.tuple(id).unwrap_or_default() else {
            return wrong("its storage is not named by five values");
        };
        let (
            Some("storage"),
            &Node::Global(Global::Storage(storage_type)),
            Some(key),
            Some(length),
        ) = (
            pickle.text(*kind),
            pickle.node(*storage_type),
            pickle.text(*key),
            pickle.size(*length),
        )
        else {
            return wrong("its storage is not named by kind, type, name, device and length");
        };
        let element_type = match storage_type {
            StorageType::F64 => Some(ElementType::F64),
            StorageType::F32 => Some(ElementType::F32),
            StorageType::F16 => Some(ElementType::F16),
            StorageType::BF16 => Some(ElementType::BF16),
            StorageType::Integer => None,
        };
        Ok((element_type, key, length))
    }
}

enum TensorFault {
    Archive(PickleError),
    Wrong(String),
}

fn wrong<T>(reason: impl Into<String>) -> Result<T, TensorFault> {
    Err(TensorFault::Wrong(reason.into()))
}

/// Number of values of a tensor that lies row after row. Strides of dimensions of length 1 say
/// nothing.
fn contiguous_count(shape: &[usize], strides: &[usize]) -> Result<usize, TensorFault> {
    if shape.len() != strides.len() {
        return wrong(format!(
            "it has {} lengths and {} strides",
            shape.len(),
            strides.len()
        ));
    }
    let mut count = 1usize;
    for (&length, &stride) in shape.iter().zip(strides).rev() {
        if length != 1 && stride != count {
            return wrong(format!(
                "strides {strides:?} of shape {shape:?}: only tensors that lie row after row are read"
            ));
        }
        let Some(more) = count.checked_mul(length).filter(|&it| it > 0) else {
            return wrong(format!("shape {shape:?} is empty or too large"));
        };
        count = more;
    }
    Ok(count)
}
