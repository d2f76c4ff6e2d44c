//! The pickle machine: a stack, a memo, and no more instructions and globals than a dictionary of
//! tensors needs. A global is one of a few names here, never code, and everything else ends the
//! reading with its name. Values lie in one list and refer to each other by number, so that neither
//! cycles nor depth cost anything but their count.

use std::ops::Range;

use super::archive::shown;

/// Most values that a pickle may make; a checkpoint of 1000 tensors makes 40 000.
const MAX_VALUES: usize = 1 << 20;
/// Most places of the memo, for the same reason.
const MAX_MEMO: usize = 1 << 20;

/// Number of a value in [`Pickle::values`].
pub(super) type Id = u32;

/// What a global may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(StorageType),
}

/// Types of storages; of integers there are no weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageType {
    F64,
    F32,
    F16,
    BF16,
    Integer,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    None,
    Bool,
    Int(i64),
    Float,
    /// Bytes of the pickle, which are UTF-8.
    Text(Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// The tuple that names a storage.
    Persistent(Id),
    /// The arguments that a tensor is rebuilt from.
    Tensor(Id),
}

/// Why a pickle is not read on.
#[derive(Debug)]
pub(super) enum Fault {
    Opcode(u8),
    Global(String),
    Broken(String),
    Limit(&'static str, usize),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Broken(reason.into()))
}

/// What a pickle made.
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    pub(super) values: Vec<Node>,
    pub(super) root: Id,
}

impl<'a> Pickle<'a> {
    /// Runs a pickle; with a fault comes the byte where it was met.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, (usize, Fault)> {
        let mut machine = Machine {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
            values: Vec::new(),
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => {
                    let values = machine.values;
                    return Ok(Self {
                        bytes,
                        values,
                        root,
                    });
                }
                Err(fault) => return Err((at, fault)),
            }
        }
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.values[id as usize]
    }

    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.node(id) {
            Node::Text(range) => std::str::from_utf8(&self.bytes[range.clone()]).ok(),
            _ => None,
        }
    }

    /// A number that is a length or an index.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match *self.node(id) {
            Node::Int(value) => value.try_into().ok(),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
    values: Vec<Node>,
}

impl Machine<'_> {
    /// Runs one instruction; gives the result at the last.
    fn step(&mut self) -> Result<Option<Id>, Fault> {
        let opcode = self.number::<1>()?[0];
        match opcode {
            // PROTO and FRAME say nothing that is needed.
            0x80 => {
                self.number::<1>()?;
            }
            0x95 => {
                self.number::<8>()?;
            }
            b'.' => return self.pop().map(Some),
            b'(' => self.mark()?,
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'N' => self.push(Node::None)?,
            0x88 | 0x89 => self.push(Node::Bool)?,
            b'J' => {
                let value = i32::from_le_bytes(self.number()?);
                self.push(Node::Int(value.into()))?;
            }
            b'K' => {
                let value = self.number::<1>()?[0];
                self.push(Node::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.number()?);
                self.push(Node::Int(value.into()))?;
            }
            0x8a => self.long()?,
            b'G' => {
                self.number::<8>()?;
                self.push(Node::Float)?;
            }
            b'X' => {
                let len = u32::from_le_bytes(self.number()?);
                self.push_text(len as usize)?;
            }
            0x8c => {
                let len = self.number::<1>()?[0];
                self.push_text(len.into())?;
            }
            b')' => self.push(Node::Tuple(Vec::new()))?,
            b']' => self.push(Node::List(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items))?;
            }
            0x85..=0x87 => {
                let items = self.pop_last(usize::from(opcode - 0x84))?;
                self.push(Node::Tuple(items))?;
            }
            b'a' => {
                let items = self.pop_last(1)?;
                self.append(items)?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let items = self.pop_last(2)?;
                self.set_items(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_global(&self.bytes[module], &self.bytes[name])?;
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.push_global(&self.bytes[module], &self.bytes[name])?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            b'q' => {
                let place = self.number::<1>()?[0];
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.number()?);
                self.remember(place as usize)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let place = self.number::<1>()?[0];
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.number()?);
                self.recall(place as usize)?;
            }
            other => return Err(Fault::Opcode(other)),
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Result<Range<usize>, Fault> {
        let range = self.at..self.at.saturating_add(len);
        if range.end > self.bytes.len() {
            return broken("it ends too early");
        }
        self.at = range.end;
        Ok(range)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let range = self.take(N)?;
        let mut number = [0; N];
        number.copy_from_slice(&self.bytes[range]);
        Ok(number)
    }

    /// A number of so many bytes as its first byte says.
    fn long(&mut self) -> Result<(), Fault> {
        let len = usize::from(self.number::<1>()?[0]);
        let range = self.take(len)?;
        if len > 8 {
            return broken(format!("a number of {len} bytes"));
        }
        let bytes = &self.bytes[range];
        let negative = bytes.last().is_some_and(|it| it & 0x80 != 0);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        number[..len].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(number)))
    }

    fn line(&mut self) -> Result<Range<usize>, Fault> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|&it| it == b'\n') else {
            return broken("a name without an end");
        };
        let range = self.take(len)?;
        self.at += 1;
        Ok(range)
    }

    fn push(&mut self, node: Node) -> Result<(), Fault> {
        let id = self.values.len();
        if id == MAX_VALUES {
            return Err(Fault::Limit("values", MAX_VALUES));
        }
        self.values.push(node);
        self.push_id(id as Id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), Fault> {
        if self.stack.len() == MAX_VALUES {
            return Err(Fault::Limit("values on the stack", MAX_VALUES));
        }
        self.stack.push(id);
        Ok(())
    }

    fn push_text(&mut self, len: usize) -> Result<(), Fault> {
        let range = self.take(len)?;
        if std::str::from_utf8(&self.bytes[range.clone()]).is_err() {
            return broken("a text that is not UTF-8");
        }
        self.push(Node::Text(range))
    }

    fn push_global(&mut self, module: &[u8], name: &[u8]) -> Result<(), Fault> {
        let global = match (module, name) {
            (b"collections", b"OrderedDict") => Global::OrderedDict,
            (b"torch._utils", b"_rebuild_tensor_v2") => Global::RebuildTensor,
            (b"torch._utils", b"_rebuild_parameter") => Global::RebuildParameter,
            (b"torch", b"DoubleStorage") => Global::Storage(StorageType::F64),
            (b"torch", b"FloatStorage") => Global::Storage(StorageType::F32),
            (b"torch", b"HalfStorage") => Global::Storage(StorageType::F16),
            (b"torch", b"BFloat16Storage") => Global::Storage(StorageType::BF16),
            (
                b"torch",
                b"LongStorage" | b"IntStorage" | b"ShortStorage" | b"CharStorage" | b"ByteStorage"
                | b"BoolStorage",
            ) => Global::Storage(StorageType::Integer),
            _ => {
                let text = |it| shown(&String::from_utf8_lossy(it));
                return Err(Fault::Global(format!("{}.{}", text(module), text(name))));
            }
        };
        self.push(Node::Global(global))
    }

    fn mark(&mut self) -> Result<(), Fault> {
        if self.marks.len() == MAX_VALUES {
            return Err(Fault::Limit("marks", MAX_VALUES));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Values below the last mark belong to what was begun before it.
    fn pop_last(&mut self, count: usize) -> Result<Vec<Id>, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(at) if at >= floor => Ok(self.stack.split_off(at)),
            _ => broken("the stack is empty"),
        }
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.pop() {
            Some(id) if self.stack.len() >= floor => Ok(id),
            _ => broken("the stack is empty"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => broken("an end without a mark"),
        }
    }

    fn pop_text(&mut self) -> Result<Range<usize>, Fault> {
        let id = self.pop()?;
        match &self.values[id as usize] {
            Node::Text(range) => Ok(range.clone()),
            _ => broken("a name that is no text"),
        }
    }

    fn top(&mut self) -> Result<&mut Node, Fault> {
        let id = self.pop()?;
        self.stack.push(id);
        Ok(&mut self.values[id as usize])
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        match self.top()? {
            Node::List(list) => list.extend(items),
            _ => return broken("items for what is no list"),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        if !items.len().is_multiple_of(2) {
            return broken("a key without a value");
        }
        match self.top()? {
            Node::Dict(dict) => dict.extend(items.chunks_exact(2).map(|it| (it[0], it[1]))),
            _ => return broken("items for what is no dictionary"),
        }
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Tuple(items) = &self.values[arguments as usize] else {
            return broken("arguments that are no tuple");
        };
        match self.values[function as usize] {
            Node::Global(Global::OrderedDict) if items.is_empty() => {
                self.push(Node::Dict(Vec::new()))
            }
            Node::Global(Global::RebuildTensor) => self.push(Node::Tensor(arguments)),
            // The tensor, whether it is trained, and hooks.
            Node::Global(Global::RebuildParameter) => match items.first() {
                Some(&tensor) => self.push_id(tensor),
                None => broken("a parameter without a tensor"),
            },
            _ => broken("a call of what is no function"),
        }
    }

    /// State that is put on a value: only dictionaries have some here (`_metadata`), and it is not
    /// needed.
    fn build(&mut self) -> Result<(), Fault> {
        self.pop()?;
        match self.top()? {
            Node::Dict(_) => Ok(()),
            _ => broken("state for what has none"),
        }
    }

    fn remember(&mut self, place: usize) -> Result<(), Fault> {
        if place >= MAX_MEMO {
            return Err(Fault::Limit("remembered values", MAX_MEMO));
        }
        let id = self.pop()?;
        self.stack.push(id);
        if place >= self.memo.len() {
            self.memo.resize(place + 1, None);
        }
        self.memo[place] = Some(id);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), Fault> {
        match self.memo.get(place).copied().flatten() {
            Some(id) => self.push_id(id),
            None => broken(format!("nothing is remembered at {place}")),
        }
    }
}
