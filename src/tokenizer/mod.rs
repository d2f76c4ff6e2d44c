//! Text to token ids and back: byte-level BPE as GGUF files describe it.
//!
//! The merges are the `tokenizers` crate's; splitting, bytes and special tokens are handled here, for two reasons.
//! What a person types must never become a control token, while prompts must be able to contain them, and the crate
//! matches its added tokens in every text. And using only the BPE model leaves the crate's other kinds out of the
//! wasm. Not here: reading GGUF (`formats`), SentencePiece.

mod bytes;
mod json;
mod split;
mod stream;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
#[cfg(not(target_arch = "wasm32"))]
mod train;
mod vocabulary;

pub use stream::Stream;
#[cfg(not(target_arch = "wasm32"))]
pub use train::train_tokenizer;
pub use vocabulary::{PreTokenizer, TokenType, Vocabulary};

use std::borrow::Cow;

use tokenizers::models::bpe::BPE;
use tokenizers::{Model as _, NormalizedString};

/// What can be wrong with a tokenizer, or with text for it.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// `tokenizer.ggml.model` names a kind that is not read here.
    #[error("tokenizer model \"{0}\" is not supported: only \"gpt2\" (byte-level BPE) is")]
    Model(String),
    /// `tokenizer.ggml.pre` names a way of splitting that is not known here.
    #[error("pre-tokenizer \"{0}\" is not supported: known are {known}", known = PreTokenizer::NAMES.join(", "))]
    PreTokenizer(String),
    /// The lists of the vocabulary do not fit together.
    #[error("tokenizer vocabulary: {0}")]
    Vocabulary(String),
    /// A tokenizer.json that cannot be read, or that asks for something not supported here.
    #[error("tokenizer.json: {0}")]
    Json(String),
    /// The BPE model refused its tables, or training failed.
    #[error("tokenizer: {0}")]
    Bpe(String),
}

impl TokenizerError {
    /// A short name that never changes, for programs and pages.
    pub fn code(&self) -> &'static str {
        match self {
            TokenizerError::Model(_) => "tokenizer-model-unsupported",
            TokenizerError::PreTokenizer(_) => "tokenizer-pre-unsupported",
            TokenizerError::Vocabulary(_) => "tokenizer-vocabulary-invalid",
            TokenizerError::Json(_) => "tokenizer-json-invalid",
            TokenizerError::Bpe(_) => "tokenizer-invalid",
        }
    }
}

/// A token that is matched in text as a whole, before everything else.
#[derive(Clone, Debug)]
struct WholeToken {
    text: String,
    id: u32,
    control: bool,
}

/// Text to token ids and back.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    pre_tokenizer: PreTokenizer,
    splitter: split::Splitter,
    bpe: BPE,
    /// Longest first, so that of two tokens that begin alike the longer one is found.
    whole_tokens: Vec<WholeToken>,
    /// For each id the bytes that it stands for; empty for control tokens.
    token_bytes: Vec<Vec<u8>>,
    /// What is done to text before it is split. A pointer, so that a wasm in which nothing reads tokenizer.json
    /// does not carry the Unicode tables.
    normalize: Option<fn(&str) -> String>,
}

/// Unicode normalization form C: accents and Hangul composed.
fn compose(text: &str) -> String {
    let mut text = NormalizedString::from(text);
    text.nfc();
    text.get().to_owned()
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("pre_tokenizer", &self.pre_tokenizer)
            .field("vocab_size", &self.vocab_size())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// A tokenizer from the metadata of a GGUF file.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Self, TokenizerError> {
        let pre_tokenizer = vocabulary.check()?;
        let splitter = split::Splitter::new(pre_tokenizer)?;
        let ids = vocabulary.ids();
        let merges = vocabulary.merge_pairs(&ids)?;
        let bpe = BPE::builder()
            .vocab_and_merges(ids, merges)
            .ignore_merges(pre_tokenizer.takes_whole_words())
            .build()
            .map_err(|error| TokenizerError::Bpe(error.to_string()))?;

        let mut whole_tokens = Vec::new();
        let mut token_bytes = Vec::with_capacity(vocabulary.tokens.len());
        for (id, text) in vocabulary.tokens.iter().enumerate() {
            let kind = vocabulary.token_type(id);
            let whole = matches!(kind, TokenType::Control | TokenType::UserDefined);
            if whole && !text.is_empty() {
                let control = kind == TokenType::Control;
                whole_tokens.push(WholeToken {
                    text: text.clone(),
                    id: id as u32,
                    control,
                });
            }
            token_bytes.push(match kind {
                TokenType::Control => Vec::new(),
                TokenType::UserDefined => text.clone().into_bytes(),
                _ => bytes::to_bytes(text),
            });
        }
        whole_tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        Ok(Self {
            vocabulary,
            pre_tokenizer,
            splitter,
            bpe,
            whole_tokens,
            token_bytes,
            normalize: None,
        })
    }

    /// A tokenizer from the bytes of a Hugging Face `tokenizer.json` with byte-level BPE.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        let (vocabulary, composes) = json::read(json)?;
        let mut tokenizer = Self::from_vocabulary(vocabulary)?;
        tokenizer.normalize = composes.then_some(compose);
        Ok(tokenizer)
    }

    /// The tokenizer as a Hugging Face `tokenizer.json`.
    pub fn to_json(&self) -> String {
        json::write(
            &self.vocabulary,
            self.pre_tokenizer,
            self.normalize.is_some(),
        )
    }

    /// The tables, as a GGUF file holds them.
    pub fn to_vocabulary(&self) -> Vocabulary {
        self.vocabulary.clone()
    }

    /// The ids of what a person wrote: `<answer>` in it is seven characters, not the control token.
    pub fn encode_text(&self, text: &str) -> Vec<u32> {
        self.encode(text, 0)
    }

    /// The ids of a prompt, in which control tokens are recognized. No begin token is added.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        self.encode(text, text.len())
    }

    /// The ids of a prompt with a person's text after it, tokenized as one piece (the last word of
    /// the prompt and the first of the text may share a token). Control tokens are recognized in
    /// the prompt only.
    pub fn encode_prompted_text(&self, prompt: &str, text: &str) -> Vec<u32> {
        self.encode(&format!("{prompt}{text}"), prompt.len())
    }

    /// Control tokens are recognized where they end within the first `control_until` bytes.
    fn encode(&self, text: &str, control_until: usize) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 1);
        let mut plain_start = 0;
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            match self.whole_tokens.iter().find(|token| {
                (!token.control || at + token.text.len() <= control_until)
                    && rest.starts_with(&token.text)
            }) {
                Some(token) => {
                    self.encode_plain(&text[plain_start..at], &mut ids);
                    ids.push(token.id);
                    at += token.text.len();
                    plain_start = at;
                }
                None => at += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        self.encode_plain(&text[plain_start..], &mut ids);
        ids
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        let text = match self.normalize {
            Some(normalize) => Cow::Owned(normalize(text)),
            None => Cow::Borrowed(text),
        };
        for piece in self.splitter.pieces(&text) {
            let piece = bytes::from_bytes(piece.as_bytes());
            // Only a model with dropout or an unknown token can fail, and ours has neither.
            let tokens = self.bpe.tokenize(&piece).unwrap_or_default();
            ids.extend(tokens.iter().map(|token| token.id));
        }
    }

    /// The text of ids, control tokens left out. Bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| self.bytes_of(id).iter().copied())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The text of ids with control tokens written out, as for looking at a whole sequence.
    pub fn decode_with_specials(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            match self.is_control(id) {
                true => bytes.extend_from_slice(self.vocabulary.tokens[id as usize].as_bytes()),
                false => bytes.extend_from_slice(self.bytes_of(id)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes that an id adds to the text: none for control tokens and ids out of range.
    pub fn bytes_of(&self, id: u32) -> &[u8] {
        self.token_bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether an id is a control token, which is never part of the text.
    pub fn is_control(&self, id: u32) -> bool {
        (id as usize) < self.vocabulary.tokens.len()
            && self.vocabulary.token_type(id as usize) == TokenType::Control
    }

    /// The id of a token by its exact text, such as `<answer>`.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        let whole = self
            .whole_tokens
            .iter()
            .find(|whole| whole.text == token)
            .map(|whole| whole.id);
        whole.or_else(|| self.bpe.token_to_id(token))
    }

    /// The number of ids.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.tokens.len()
    }

    /// A decoder for ids that come one at a time.
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(self)
    }
}
