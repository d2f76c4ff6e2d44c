//! Writing a GGUF file, version 3, alignment 32.

use std::io::{self, Write};

use super::{Array, DEFAULT_ALIGNMENT, MAGIC, Metadata, Value};
use crate::weights::WeightType;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name.
    pub name: String,
    /// Dimensions in ggml's order: the length of a row first.
    pub dims: Vec<u64>,
    /// Type of `bytes`.
    pub weight_type: WeightType,
    /// The data, as the type lays it out.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor from values `[rows, cols]`, row-major, quantized to `weight_type`. A vector has
    /// `rows` 1 and is written with one dimension.
    ///
    /// # Panics
    /// If `values` does not hold `rows * cols` values or `cols` is no whole number of blocks.
    pub fn quantized(
        name: &str,
        values: &[f32],
        rows: usize,
        cols: usize,
        weight_type: WeightType,
    ) -> Self {
        assert_eq!(
            values.len(),
            rows * cols,
            "{name}: values do not fill [{rows}, {cols}]"
        );
        let dims = match rows {
            1 => vec![cols as u64],
            _ => vec![cols as u64, rows as u64],
        };
        Self {
            name: name.to_owned(),
            dims,
            weight_type,
            bytes: weight_type.quantize(values, cols),
        }
    }
}

/// Metadata and tensors of a file.
///
/// ```
/// use semcot::formats::gguf::{Header, Tensor, Value, Writer};
/// use semcot::weights::WeightType;
///
/// let mut writer = Writer::default();
/// writer.metadata.set("general.architecture", Value::String("llama".into()));
/// writer.tensors.push(Tensor::quantized("x", &[0.5; 64], 2, 32, WeightType::Q8_0));
/// let mut file = Vec::new();
/// writer.write(&mut file)?;
/// assert_eq!(Header::parse(&file).unwrap().tensors[0].dims, [32, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writer {
    /// Metadata, written in its order.
    pub metadata: Metadata,
    /// Tensors, written in this order.
    pub tensors: Vec<Tensor>,
}

impl Writer {
    /// Writes the file.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut offset = 0;
        let descriptions = self.tensors.iter().map(|it| {
            let description = Description {
                name: &it.name,
                dims: &it.dims,
                type_id: it.weight_type.ggml_id(),
                offset,
            };
            offset += (it.bytes.len() as u64).next_multiple_of(DEFAULT_ALIGNMENT);
            description
        });
        out.write_all(&header(&self.metadata, descriptions))?;
        for tensor in &self.tensors {
            out.write_all(&tensor.bytes)?;
            let zeros = padding(tensor.bytes.len() as u64);
            out.write_all(&[0; DEFAULT_ALIGNMENT as usize][..zeros])?;
        }
        Ok(())
    }
}

/// What a header says of a tensor.
pub(super) struct Description<'a> {
    pub(super) name: &'a str,
    pub(super) dims: &'a [u64],
    /// ggml's number of its type.
    pub(super) type_id: u32,
    /// From the beginning of the data.
    pub(super) offset: u64,
}

/// Everything before the data of the first tensor.
pub(super) fn header<'a>(
    metadata: &Metadata,
    tensors: impl ExactSizeIterator<Item = Description<'a>>,
) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(MAGIC);
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.iter().len() as u64).to_le_bytes());
    for (key, value) in metadata.iter() {
        put_string(&mut header, key);
        put_value(&mut header, value);
    }
    for tensor in tensors {
        put_string(&mut header, tensor.name);
        header.extend((tensor.dims.len() as u32).to_le_bytes());
        for dim in tensor.dims {
            header.extend(dim.to_le_bytes());
        }
        header.extend(tensor.type_id.to_le_bytes());
        header.extend(tensor.offset.to_le_bytes());
    }
    pad(&mut header);
    header
}

/// Zeros that follow so many bytes up to the next aligned place.
pub(super) fn padding(size_bytes: u64) -> usize {
    (size_bytes.next_multiple_of(DEFAULT_ALIGNMENT) - size_bytes) as usize
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut put = |id: u32, bytes: &[u8]| {
        out.extend(id.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U8(it) => put(0, &it.to_le_bytes()),
        Value::I8(it) => put(1, &it.to_le_bytes()),
        Value::U16(it) => put(2, &it.to_le_bytes()),
        Value::I16(it) => put(3, &it.to_le_bytes()),
        Value::U32(it) => put(4, &it.to_le_bytes()),
        Value::I32(it) => put(5, &it.to_le_bytes()),
        Value::F32(it) => put(6, &it.to_le_bytes()),
        Value::Bool(it) => put(7, &[u8::from(*it)]),
        Value::String(it) => {
            put(8, &[]);
            put_string(out, it);
        }
        Value::Array(it) => {
            put(9, &[]);
            put_array(out, it);
        }
        Value::U64(it) => put(10, &it.to_le_bytes()),
        Value::I64(it) => put(11, &it.to_le_bytes()),
        Value::F64(it) => put(12, &it.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    let mut put = |id: u32, elements: &mut dyn Iterator<Item = Vec<u8>>| {
        out.extend(id.to_le_bytes());
        out.extend((array.len() as u64).to_le_bytes());
        for element in elements {
            out.extend(element);
        }
    };
    match array {
        Array::U8(it) => put(0, &mut it.iter().map(|x| vec![*x])),
        Array::I8(it) => put(1, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::U16(it) => put(2, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::I16(it) => put(3, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::U32(it) => put(4, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::I32(it) => put(5, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::F32(it) => put(6, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::Bool(it) => put(7, &mut it.iter().map(|x| vec![u8::from(*x)])),
        Array::String(it) => put(
            8,
            &mut it.iter().map(|x| {
                let mut bytes = Vec::new();
                put_string(&mut bytes, x);
                bytes
            }),
        ),
        Array::Array(it) => put(
            9,
            &mut it.iter().map(|x| {
                let mut bytes = Vec::new();
                put_array(&mut bytes, x);
                bytes
            }),
        ),
        Array::U64(it) => put(10, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::I64(it) => put(11, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
        Array::F64(it) => put(12, &mut it.iter().map(|x| x.to_le_bytes().to_vec())),
    }
}
