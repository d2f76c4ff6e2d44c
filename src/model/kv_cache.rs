//! How keys and values are kept between passes.

use serde::Deserialize;

/// The type of cached keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, rounded when stored: half the memory traffic of attention.
    #[default]
    F16,
}

impl KvType {
    /// Bytes of a value.
    pub fn value_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What is read back of a value that was stored.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => half::f16::from_f32(value).to_f32(),
        }
    }
}
