//! Metadata of a GGUF file: typed values by key, and getters that say what was found when it is
//! not what was asked for.

use super::GgufError;

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// 8-bit unsigned.
    U8(u8),
    /// 8-bit signed.
    I8(i8),
    /// 16-bit unsigned.
    U16(u16),
    /// 16-bit signed.
    I16(i16),
    /// 32-bit unsigned.
    U32(u32),
    /// 32-bit signed.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// Boolean.
    Bool(bool),
    /// UTF-8 text.
    String(String),
    /// Array of one element type.
    Array(Array),
    /// 64-bit unsigned.
    U64(u64),
    /// 64-bit signed.
    I64(i64),
    /// 64-bit float.
    F64(f64),
}

/// An array of metadata values, by element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// 8-bit unsigned.
    U8(Vec<u8>),
    /// 8-bit signed.
    I8(Vec<i8>),
    /// 16-bit unsigned.
    U16(Vec<u16>),
    /// 16-bit signed.
    I16(Vec<i16>),
    /// 32-bit unsigned.
    U32(Vec<u32>),
    /// 32-bit signed.
    I32(Vec<i32>),
    /// 32-bit float.
    F32(Vec<f32>),
    /// Booleans.
    Bool(Vec<bool>),
    /// UTF-8 texts.
    String(Vec<String>),
    /// Arrays.
    Array(Vec<Array>),
    /// 64-bit unsigned.
    U64(Vec<u64>),
    /// 64-bit signed.
    I64(Vec<i64>),
    /// 64-bit float.
    F64(Vec<f64>),
}

impl Value {
    /// The value as an unsigned integer, whatever its width; `None` for anything else.
    fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(it) => Some(it.into()),
            Self::U16(it) => Some(it.into()),
            Self::U32(it) => Some(it.into()),
            Self::U64(it) => Some(it),
            Self::I8(it) => it.try_into().ok(),
            Self::I16(it) => it.try_into().ok(),
            Self::I32(it) => it.try_into().ok(),
            Self::I64(it) => it.try_into().ok(),
            _ => None,
        }
    }

    /// The value for a message: its type and, where short, itself.
    fn describe(&self) -> String {
        match self {
            Self::String(text) if text.len() > 40 => {
                format!("a string of {} bytes", text.len())
            }
            Self::String(text) => format!("the string {text:?}"),
            Self::Array(array) => array.describe(),
            other => format!("{other:?}"),
        }
    }
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(it) => it.len(),
            Self::I8(it) => it.len(),
            Self::U16(it) => it.len(),
            Self::I16(it) => it.len(),
            Self::U32(it) => it.len(),
            Self::I32(it) => it.len(),
            Self::F32(it) => it.len(),
            Self::Bool(it) => it.len(),
            Self::String(it) => it.len(),
            Self::Array(it) => it.len(),
            Self::U64(it) => it.len(),
            Self::I64(it) => it.len(),
            Self::F64(it) => it.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn describe(&self) -> String {
        let elements = match self {
            Self::U8(_) => "U8",
            Self::I8(_) => "I8",
            Self::U16(_) => "U16",
            Self::I16(_) => "I16",
            Self::U32(_) => "U32",
            Self::I32(_) => "I32",
            Self::F32(_) => "F32",
            Self::Bool(_) => "Bool",
            Self::String(_) => "String",
            Self::Array(_) => "Array",
            Self::U64(_) => "U64",
            Self::I64(_) => "I64",
            Self::F64(_) => "F64",
        };
        format!("an array of {} {elements}", self.len())
    }
}

/// Values by key, in the order of the file.
///
/// ```
/// use semcot::formats::gguf::{Metadata, Value};
///
/// let mut metadata = Metadata::default();
/// metadata.set("general.architecture", Value::String("llama".into()));
/// assert_eq!(metadata.required_str("general.architecture")?, "llama");
/// assert_eq!(metadata.u32("llama.block_count")?, None);
/// # Ok::<(), semcot::formats::gguf::GgufError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
}

impl Metadata {
    /// Entries whose keys are known to differ.
    pub(super) fn from_distinct(entries: Vec<(String, Value)>) -> Self {
        Self { entries }
    }

    /// Sets a key, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.entries.iter_mut().find(|(it, _)| it == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key.to_owned(), value)),
        }
    }

    /// Keys and values in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(it, _)| it == key)
            .map(|(_, value)| value)
    }

    /// An integer of any width that fits a `u32`.
    pub fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        self.typed(key, "an integer from 0 to 4294967295", |value| {
            value.as_u64().and_then(|it| it.try_into().ok())
        })
    }

    /// A float of either width. It may be infinite or not a number.
    pub fn f32(&self, key: &str) -> Result<Option<f32>, GgufError> {
        self.typed(key, "a float", |value| match *value {
            Value::F32(it) => Some(it),
            Value::F64(it) => Some(it as f32),
            _ => None,
        })
    }

    /// A boolean.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        self.typed(key, "a boolean", |value| match *value {
            Value::Bool(it) => Some(it),
            _ => None,
        })
    }

    /// A text.
    pub fn str(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.typed(key, "a string", |value| match value {
            Value::String(it) => Some(it.as_str()),
            _ => None,
        })
    }

    /// An array of texts.
    pub fn strings(&self, key: &str) -> Result<Option<&[String]>, GgufError> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Array(Array::String(it)) => Some(it.as_slice()),
            _ => None,
        })
    }

    /// An array of 32-bit floats.
    pub fn floats(&self, key: &str) -> Result<Option<&[f32]>, GgufError> {
        self.typed(key, "an array of 32-bit floats", |value| match value {
            Value::Array(Array::F32(it)) => Some(it.as_slice()),
            _ => None,
        })
    }

    /// An array of 32-bit signed integers.
    pub fn integers(&self, key: &str) -> Result<Option<&[i32]>, GgufError> {
        self.typed(key, "an array of 32-bit integers", |value| match value {
            Value::Array(Array::I32(it)) => Some(it.as_slice()),
            _ => None,
        })
    }

    /// Like [`u32`](Self::u32), for a key that must be there.
    pub fn required_u32(&self, key: &str) -> Result<u32, GgufError> {
        required(key, self.u32(key)?)
    }

    /// Like [`f32`](Self::f32), for a key that must be there.
    pub fn required_f32(&self, key: &str) -> Result<f32, GgufError> {
        required(key, self.f32(key)?)
    }

    /// Like [`str`](Self::str), for a key that must be there.
    pub fn required_str(&self, key: &str) -> Result<&str, GgufError> {
        required(key, self.str(key)?)
    }

    /// Like [`strings`](Self::strings), for a key that must be there.
    pub fn required_strings(&self, key: &str) -> Result<&[String], GgufError> {
        required(key, self.strings(key)?)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match convert(value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(GgufError::Metadata {
                key: key.to_owned(),
                found: value.describe(),
                expected,
            }),
        }
    }
}

fn required<T>(key: &str, value: Option<T>) -> Result<T, GgufError> {
    value.ok_or_else(|| GgufError::MissingKey {
        key: key.to_owned(),
    })
}
