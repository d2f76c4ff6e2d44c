//! GGUF files broken at random: whatever is cut or flipped, reading gives a value or an error. The
//! files that lie with a purpose are checked by `tests/fixtures`.

#![cfg(not(target_arch = "wasm32"))]

use std::cell::Cell;
use std::path::Path;

use semcot::formats::gguf::{Array, GgufError, Header, Tensor, Value, Writer, read_header};
use semcot::formats::source::{ByteSource, MemorySource, SourceError};
use semcot::reference::{Executor, ExecutorOptions};
use semcot::tokenizer::Tokenizer;
use semcot::weights::WeightType;

/// Seed of the broken files, printed with each failure.
const SEED: u64 = 7;
/// Broken files tried.
const TRIALS: u64 = 4000;

fn tiny() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny-generator.gguf");
    std::fs::read(path).unwrap()
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Everything that is read of a model, one pass included; the code of the error where it ends.
fn load(bytes: Vec<u8>) -> Result<(), &'static str> {
    let source = MemorySource::new("broken.gguf", bytes);
    let executor = Executor::load(&source, ExecutorOptions::default());
    let mut executor = pollster::block_on(executor).map_err(|it| it.code())?;
    executor.last_logits(&[0, 1], &[]).map_err(|it| it.code())?;
    let vocabulary = executor.model().vocabulary().map_err(|it| it.code())?;
    Tokenizer::from_vocabulary(vocabulary).map_err(|it| it.code())?;
    Ok(())
}

#[test]
fn the_whole_file_loads() {
    assert_eq!(load(tiny()), Ok(()));
}

#[test]
fn a_prefix_asks_for_more_until_the_header_is_whole() {
    let file = tiny();
    let header = Header::parse(&file).unwrap();
    for len in 0..file.len() {
        match Header::parse(&file[..len]) {
            Ok(prefix_header) => assert_eq!(prefix_header, header, "{len} bytes"),
            Err(GgufError::NeedMore { at_least }) => {
                assert!(at_least > len as u64, "{len} bytes, asks for {at_least}");
                assert!(
                    at_least <= header.data_offset,
                    "{len} bytes, asks for {at_least}"
                );
            }
            Err(error) => panic!("{len} bytes: {error}"),
        }
    }
}

#[test]
fn a_cut_file_is_truncated() {
    let file = tiny();
    for len in (0..file.len()).step_by(97) {
        assert_eq!(
            load(file[..len].to_vec()),
            Err("gguf_truncated"),
            "{len} bytes"
        );
    }
}

#[test]
fn flipped_bits_give_a_value_or_an_error() {
    let file = tiny();
    let header_bytes = Header::parse(&file).unwrap().data_offset as usize;
    let mut random = Random(SEED);
    let mut refused = 0;
    for trial in 0..TRIALS {
        let mut broken = file.clone();
        for _ in 0..=random.below(3) {
            broken[random.below(header_bytes)] ^= 1 << random.below(8);
        }
        let outcome = std::panic::catch_unwind(|| load(broken));
        let outcome = outcome.unwrap_or_else(|_| panic!("trial {trial} of seed {SEED} panics"));
        refused += u64::from(outcome.is_err());
    }
    println!("{refused} of {TRIALS} refused, seed {SEED}");
    assert!(refused > TRIALS / 4 && refused < TRIALS);
}

#[test]
fn numbers_at_their_extremes_give_a_value_or_an_error() {
    let file = tiny();
    let header_bytes = Header::parse(&file).unwrap().data_offset as usize;
    for offset in 0..header_bytes - 8 {
        for pattern in [
            [0x00; 8],
            [0xff; 8],
            u64::to_le_bytes(1 << 31),
            u64::to_le_bytes(1 << 63),
        ] {
            let mut broken = file.clone();
            broken[offset..offset + 8].copy_from_slice(&pattern);
            let source = MemorySource::new("broken.gguf", broken);
            let outcome = std::panic::catch_unwind(|| {
                let _ = pollster::block_on(semcot::model::Model::open(&source));
            });
            assert!(outcome.is_ok(), "{pattern:02x?} at {offset} panics");
        }
    }
}

#[test]
fn every_value_type_is_read_as_it_was_written() {
    let mut writer = Writer::default();
    let values = [
        Value::U8(200),
        Value::I8(-100),
        Value::U16(60_000),
        Value::I16(-30_000),
        Value::U32(4_000_000_000),
        Value::I32(-2_000_000_000),
        Value::F32(1.5),
        Value::Bool(true),
        Value::String("Grüße\n".into()),
        Value::U64(u64::MAX),
        Value::I64(i64::MIN),
        Value::F64(-0.1),
        Value::Array(Array::U8(vec![1, 2, 3])),
        Value::Array(Array::I8(vec![-1])),
        Value::Array(Array::U16(vec![500])),
        Value::Array(Array::I16(vec![-500])),
        Value::Array(Array::U32(vec![70_000])),
        Value::Array(Array::I32(vec![-70_000, 3])),
        Value::Array(Array::F32(vec![0.25, -8.0])),
        Value::Array(Array::Bool(vec![false, true])),
        Value::Array(Array::String(vec![String::new(), "é".into()])),
        Value::Array(Array::U64(vec![1 << 40])),
        Value::Array(Array::I64(vec![-(1 << 40)])),
        Value::Array(Array::F64(vec![0.1])),
        Value::Array(Array::Array(vec![
            Array::U8(vec![]),
            Array::Bool(vec![true]),
        ])),
    ];
    for (index, value) in values.into_iter().enumerate() {
        writer.metadata.set(&format!("key.{index}"), value);
    }
    for &weight_type in WeightType::ALL {
        let values: Vec<f32> = (0..3 * 256).map(|it| it as f32 / 7.0).collect();
        writer.tensors.push(Tensor::quantized(
            weight_type.name(),
            &values,
            3,
            256,
            weight_type,
        ));
    }
    let mut file = Vec::new();
    writer.write(&mut file).unwrap();
    let header = Header::parse(&file).unwrap();
    assert_eq!(header.metadata, writer.metadata);
    assert_eq!(header.data_offset % 32, 0);
    for (found, written) in header.tensors.iter().zip(&writer.tensors) {
        assert_eq!((&found.name, &found.dims), (&written.name, &written.dims));
        let start = found.offset as usize;
        assert_eq!(
            file[start..start + found.size_bytes as usize],
            written.bytes
        );
    }
    header.check_file_size(file.len() as u64).unwrap();
}

/// A source that does not know its size and gives what it has, as a stream does.
struct Stream {
    bytes: Vec<u8>,
    reads: Cell<usize>,
}

impl ByteSource for Stream {
    fn name(&self) -> &str {
        "stream"
    }

    fn size_bytes(&self) -> Option<u64> {
        None
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, SourceError> {
        self.reads.set(self.reads.get() + 1);
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        Ok(rest[..len.min(rest.len())].to_vec())
    }
}

#[test]
fn a_header_longer_than_the_first_prefix_is_read_in_few_steps() {
    let mut writer = Writer::default();
    let tokens: Vec<String> = (0..60_000).map(|it| format!("token {it}")).collect();
    writer
        .metadata
        .set("tokens", Value::Array(Array::String(tokens)));
    let mut bytes = Vec::new();
    writer.write(&mut bytes).unwrap();
    let size = bytes.len();
    let mut stream = Stream {
        bytes,
        reads: Cell::new(0),
    };
    let header = pollster::block_on(read_header(&stream)).unwrap();
    assert_eq!(header.metadata, writer.metadata);
    assert!(
        stream.reads.get() <= 8,
        "{} reads of {size} bytes",
        stream.reads.get()
    );

    stream.bytes.truncate(size - 100);
    let error = pollster::block_on(read_header(&stream)).unwrap_err();
    assert_eq!(error.code(), "gguf_truncated", "{error}");
}
