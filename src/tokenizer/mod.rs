//! Text to token ids and back: byte-level BPE and SentencePiece-BPE as GGUF files describe them.
//!
//! The merges are the `tokenizers` crate's; splitting, bytes and special tokens are handled here, for two reasons.
//! What a person types must never become a control token, while prompts must be able to contain them, and the crate
//! matches its added tokens in every text. And using only the BPE model leaves the crate's other kinds out of the
//! wasm. GGUF files of SentencePiece have scores in place of merges, which the crate does not read: `sentencepiece`
//! does. Not here: reading GGUF (`formats`).

mod bytes;
mod json;
mod sentencepiece;
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
pub use vocabulary::{Kind, PreTokenizer, TokenType, Vocabulary};

use std::borrow::Cow;

use tokenizers::models::bpe::BPE;
use tokenizers::{Model as _, NormalizedString};

/// What can be wrong with a tokenizer, or with text for it.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// `tokenizer.ggml.model` names a kind that is not read here.
    #[error(
        "tokenizer.ggml.model is {0:?}, which is not supported: \"gpt2\" (byte-level BPE) and \"llama\" (SentencePiece-BPE) are"
    )]
    Model(String),
    /// `tokenizer.ggml.pre` names a way of splitting that is not known here.
    #[error("tokenizer.ggml.pre is {0:?}, which is not supported: known are {known}", known = PreTokenizer::NAMES.join(", "))]
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

/// Names of control tokens that end a turn: llama.cpp's list of them, without those of fill-in-the-middle.
const TURN_ENDS: [&str; 9] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<end_of_utterance>",
    "<EOT>",
];

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
    merging: Merging,
    /// Longest first, so that of two tokens that begin alike the longer one is found.
    whole_tokens: Vec<WholeToken>,
    /// For each id the bytes that it stands for; empty for control tokens.
    token_bytes: Vec<Vec<u8>>,
    /// What is done to text before it is split. A pointer, so that a wasm in which nothing reads tokenizer.json
    /// does not carry the Unicode tables.
    normalize: Option<fn(&str) -> String>,
}

/// How text between special tokens becomes ids.
enum Merging {
    /// Pieces in the byte alphabet, each merged.
    ByteLevel {
        pre_tokenizer: PreTokenizer,
        splitter: split::Splitter,
        bpe: BPE,
    },
    /// SentencePiece by scores, from GGUF metadata.
    Scored(sentencepiece::Scored),
    /// SentencePiece by merges, from tokenizer.json.
    Ranked(BPE),
}

impl Merging {
    fn new(vocabulary: &Vocabulary, kind: Kind) -> Result<Self, TokenizerError> {
        let bpe_error = |error: tokenizers::Error| TokenizerError::Bpe(error.to_string());
        if kind == Kind::SentencePiece && vocabulary.merges.is_empty() {
            return sentencepiece::Scored::new(vocabulary).map(Self::Scored);
        }
        let ids = vocabulary.ids();
        let merges = vocabulary.merge_pairs(&ids)?;
        let mut builder = BPE::builder().vocab_and_merges(ids, merges);
        let Kind::ByteLevel(pre_tokenizer) = kind else {
            if let Some(id) = vocabulary.unknown_id {
                builder = builder.unk_token(vocabulary.tokens[id as usize].clone());
            }
            let bpe = builder.byte_fallback(true).fuse_unk(true).build();
            return bpe.map(Self::Ranked).map_err(bpe_error);
        };
        let bpe = builder
            .ignore_merges(pre_tokenizer.takes_whole_words())
            .build()
            .map_err(bpe_error)?;
        Ok(Self::ByteLevel {
            pre_tokenizer,
            splitter: split::Splitter::new(pre_tokenizer)?,
            bpe,
        })
    }

    fn encode(&self, text: &str, add_space_prefix: bool, ids: &mut Vec<u32>) {
        let spaced = || {
            let prefix = if add_space_prefix { " " } else { "" };
            format!("{prefix}{text}").replace(' ', &sentencepiece::SPACE.to_string())
        };
        let mut merge = |bpe: &BPE, piece: &str| {
            // Only a model with dropout, or without its unknown token, can fail.
            let tokens = bpe.tokenize(piece).unwrap_or_default();
            ids.extend(tokens.iter().map(|token| token.id));
        };
        match self {
            Self::ByteLevel { splitter, bpe, .. } => {
                for piece in splitter.pieces(text) {
                    merge(bpe, &bytes::from_bytes(piece.as_bytes()));
                }
            }
            Self::Ranked(bpe) => merge(bpe, &spaced()),
            Self::Scored(scored) => scored.encode(&spaced(), ids),
        }
    }

    fn token_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::ByteLevel { bpe, .. } | Self::Ranked(bpe) => bpe.token_to_id(token),
            Self::Scored(scored) => scored.token_id(token),
        }
    }
}

/// The bytes that a token adds to the text.
fn bytes_of_token(token: &str, token_type: TokenType, kind: Kind) -> Vec<u8> {
    match (token_type, kind) {
        (TokenType::Control | TokenType::Unknown, _) => Vec::new(),
        (TokenType::UserDefined, _) => token.as_bytes().to_vec(),
        (TokenType::Byte, Kind::SentencePiece) => {
            sentencepiece::byte_of(token).map_or_else(Vec::new, |it| vec![it])
        }
        (_, Kind::SentencePiece) => token.replace(sentencepiece::SPACE, " ").into_bytes(),
        (_, Kind::ByteLevel(_)) => bytes::to_bytes(token),
    }
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
            .field("model", &self.vocabulary.model)
            .field("vocab_size", &self.vocab_size())
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// A tokenizer from the metadata of a GGUF file.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Self, TokenizerError> {
        let kind = vocabulary.check()?;
        let merging = Merging::new(&vocabulary, kind)?;
        let mut whole_tokens = Vec::new();
        let mut token_bytes = Vec::with_capacity(vocabulary.tokens.len());
        for (id, text) in vocabulary.tokens.iter().enumerate() {
            let token_type = vocabulary.token_type(id);
            let control = matches!(token_type, TokenType::Control | TokenType::Unknown);
            if (control || token_type == TokenType::UserDefined) && !text.is_empty() {
                whole_tokens.push(WholeToken {
                    text: text.clone(),
                    id: id as u32,
                    control,
                });
            }
            token_bytes.push(bytes_of_token(text, token_type, kind));
        }
        whole_tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        Ok(Self {
            vocabulary,
            merging,
            whole_tokens,
            token_bytes,
            normalize: None,
        })
    }

    /// A tokenizer from the bytes of a Hugging Face `tokenizer.json` with byte-level BPE or
    /// SentencePiece-BPE.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        let (vocabulary, composes) = json::read(json)?;
        let mut tokenizer = Self::from_vocabulary(vocabulary)?;
        tokenizer.normalize = composes.then_some(compose);
        Ok(tokenizer)
    }

    /// The tokenizer as a Hugging Face `tokenizer.json`.
    pub fn to_json(&self) -> String {
        let pre_tokenizer = match self.merging {
            Merging::ByteLevel { pre_tokenizer, .. } => Some(pre_tokenizer),
            _ => None,
        };
        json::write(&self.vocabulary, pre_tokenizer, self.normalize.is_some())
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

    /// Text between whole tokens: the space that nobody wrote comes before each such text.
    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let text = match self.normalize {
            Some(normalize) => Cow::Owned(normalize(text)),
            None => Cow::Borrowed(text),
        };
        self.merging
            .encode(&text, self.vocabulary.add_space_prefix, ids);
    }

    /// Ids as a sequence of their own: with the begin and the end token where the metadata asks for
    /// them.
    pub fn as_sequence(&self, ids: &[u32]) -> Vec<u32> {
        let end = self.end_token().filter(|_| self.vocabulary.add_eos);
        let begin = self.begin_token().into_iter();
        begin.chain(ids.iter().copied()).chain(end).collect()
    }

    /// The token that a sequence begins with, where the metadata asks for one.
    pub fn begin_token(&self) -> Option<u32> {
        self.vocabulary.bos_id.filter(|_| self.vocabulary.add_bos)
    }

    /// The begin token that the metadata names, also where sequences do not begin with it.
    pub fn named_begin_token(&self) -> Option<u32> {
        self.vocabulary.bos_id
    }

    /// The token that ends a text, where there is one.
    pub fn end_token(&self) -> Option<u32> {
        self.vocabulary.eos_id
    }

    /// Control tokens by which chat models end their turn, whatever else ends a text: GGUF files
    /// often name another one as their end token.
    pub fn turn_ends(&self) -> Vec<u32> {
        let known = |whole: &&WholeToken| whole.control && TURN_ENDS.contains(&whole.text.as_str());
        self.whole_tokens
            .iter()
            .filter(known)
            .map(|whole| whole.id)
            .collect()
    }

    /// The text of a token as templates write it, such as `<s>`.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.vocabulary.tokens.get(id as usize).map(String::as_str)
    }

    /// The text of ids, control tokens left out. Bytes that are not UTF-8 become U+FFFD; a space
    /// that nobody wrote is left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .flat_map(|&id| self.bytes_of(id).iter().copied())
            .collect();
        self.text_of(&bytes)
    }

    fn text_of(&self, bytes: &[u8]) -> String {
        let without_prefix = match bytes {
            [b' ', rest @ ..] if self.vocabulary.add_space_prefix => rest,
            _ => bytes,
        };
        String::from_utf8_lossy(without_prefix).into_owned()
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
        self.text_of(&bytes)
    }

    /// The bytes that an id adds to the text: none for control tokens and ids out of range.
    pub fn bytes_of(&self, id: u32) -> &[u8] {
        self.token_bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether an id is a control token, which is never part of the text.
    pub fn is_control(&self, id: u32) -> bool {
        (id as usize) < self.vocabulary.tokens.len()
            && matches!(
                self.vocabulary.token_type(id as usize),
                TokenType::Control | TokenType::Unknown
            )
    }

    /// The id of a token by its exact text, such as `<answer>`.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        let whole = self
            .whole_tokens
            .iter()
            .find(|whole| whole.text == token)
            .map(|whole| whole.id);
        whole.or_else(|| self.merging.token_id(token))
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
