//! What reads bytes from outside, one function a parser: `true` where they are read, `false` where
//! they end in an error. Shared by the targets here and by `tests/fuzz`, which runs them as an
//! ordinary test.

use std::io::Write;
use std::path::Path;

use semcot::convert::{Config, sentencepiece};
use semcot::evaluation::read_items;
use semcot::formats::gguf::Header;
use semcot::formats::manifest::Manifest;
use semcot::formats::safetensors::SafetensorsFile;
use semcot::formats::source::MemorySource;
use semcot::formats::tensors::TensorFiles;
use semcot::reference::{Executor, ExecutorOptions};
use semcot::tokenizer::Tokenizer;

/// Reads bytes; whether they are sound.
pub type Parser = fn(&[u8]) -> bool;

/// Every parser by the name of its target and its seed folder.
pub const PARSERS: &[(&str, Parser)] = &[
    ("gguf", gguf),
    ("safetensors", safetensors),
    ("pickle", pickle),
    ("manifest", manifest),
    ("tokenizer_json", tokenizer_json),
    ("sentencepiece", sentencepiece_model),
    ("config_json", config_json),
    ("questions", questions),
];

/// Turns to text with all that a tokenizer may meet.
const TEXT: &str = "Mia has 12 apples,\n\tgives 3. na\u{ef}ve \u{1f600} <|end|></s> 가나";

/// A GGUF file: header, model, weights, one pass, tokenizer.
pub fn gguf(bytes: &[u8]) -> bool {
    let _ = Header::parse(bytes);
    let source = MemorySource::new("model.gguf", bytes.to_vec());
    let Ok(mut executor) = pollster::block_on(Executor::load(&source, ExecutorOptions::default()))
    else {
        return false;
    };
    if let Ok(logits) = executor.last_logits(&[0, 1], &[]) {
        assert_eq!(logits.len(), executor.model().config.vocab_size);
    }
    let Ok(vocabulary) = executor.model().vocabulary() else {
        return false;
    };
    Tokenizer::from_vocabulary(vocabulary).is_ok_and(|it| use_tokenizer(&it))
}

/// A safetensors file, held in memory and read from its file.
pub fn safetensors(bytes: &[u8]) -> bool {
    let whole = SafetensorsFile::parse("model.safetensors", bytes.to_vec()).is_ok();
    let from_file = with_file(bytes, |path| {
        let mut files = TensorFiles::default();
        files.add_safetensors(path).is_ok() && read_tensors(&files)
    });
    // The file holds weights alone; types that are no weights are read from memory only.
    assert!(
        whole || !from_file,
        "one reader refuses what the other reads"
    );
    from_file
}

/// A file of `torch.save`.
pub fn pickle(bytes: &[u8]) -> bool {
    with_file(bytes, |path| {
        let mut files = TensorFiles::default();
        files.add_pickle(path).is_ok() && read_tensors(&files)
    })
}

/// A `semcot.json`; what is read must be written and read again as the same.
pub fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(bytes) else {
        return false;
    };
    let again = Manifest::parse(manifest.to_json().as_bytes());
    assert_eq!(again.as_ref().ok(), Some(&manifest), "{again:?}");
    true
}

/// A `tokenizer.json`.
pub fn tokenizer_json(bytes: &[u8]) -> bool {
    Tokenizer::from_json(bytes).is_ok_and(|it| use_tokenizer(&it))
}

/// A `tokenizer.model` of SentencePiece.
pub fn sentencepiece_model(bytes: &[u8]) -> bool {
    sentencepiece::read(bytes).is_ok_and(|vocabulary| {
        Tokenizer::from_vocabulary(vocabulary).is_ok_and(|it| use_tokenizer(&it))
    })
}

/// The `config.json` of a checkpoint.
pub fn config_json(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|it| Config::from_json(&it).is_ok())
}

/// Questions with answers, as `semcot eval --data` reads them.
pub fn questions(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| read_items(text).is_ok())
}

fn use_tokenizer(tokenizer: &Tokenizer) -> bool {
    let ids = tokenizer.encode_text(TEXT);
    tokenizer.encode_prompt(TEXT);
    let size = tokenizer.vocab_size() as u32;
    assert!(ids.iter().all(|&id| id < size), "{ids:?} of {size} tokens");
    tokenizer.decode(&ids);
    tokenizer.decode_with_specials(&[0, size - 1, size, u32::MAX]);
    let mut stream = tokenizer.stream();
    for id in ids {
        stream.push(id);
    }
    true
}

fn read_tensors(files: &TensorFiles) -> bool {
    files
        .tensors()
        .values()
        .all(|it| files.read(it, 0, it.shape.iter().product()).is_ok())
}

/// Gives the bytes as a file.
fn with_file(bytes: &[u8], read: impl FnOnce(&Path) -> bool) -> bool {
    let mut file = tempfile::NamedTempFile::new().expect("there is a folder for temporary files");
    file.write_all(bytes).expect("it takes the bytes");
    read(file.path())
}
