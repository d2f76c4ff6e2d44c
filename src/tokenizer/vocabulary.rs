//! The tables of a tokenizer, as GGUF metadata holds them.

use std::collections::HashMap;

use tokenizers::models::bpe::{Merges, Vocab};

use super::TokenizerError;

/// The tables of a tokenizer: `tokenizer.ggml.*` of a GGUF file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE, `llama` for SentencePiece-BPE.
    pub model: String,
    /// `tokenizer.ggml.pre`: how text is split before merging.
    pub pre: String,
    /// `tokenizer.ggml.tokens`: the token of each id, in the byte alphabet of GPT-2; of
    /// SentencePiece with U+2581 for spaces.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`: see [`TokenType`]. May be empty: then all tokens are normal.
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.merges`: pairs of tokens with a space between, the first the strongest. Of
    /// SentencePiece in tokenizer.json only: GGUF files have scores instead.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.scores`: how strongly a token attracts its parts; SentencePiece only.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.eos_token_id`
    pub eos_id: Option<u32>,
    /// `tokenizer.ggml.bos_token_id`
    pub bos_id: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`
    pub unknown_id: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`
    pub add_bos: bool,
    /// `tokenizer.ggml.add_eos_token`
    pub add_eos: bool,
    /// `tokenizer.ggml.add_space_prefix`: whether text begins with a space that nobody wrote;
    /// SentencePiece only.
    pub add_space_prefix: bool,
}

/// How text becomes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Byte-level BPE, `gpt2`.
    ByteLevel(PreTokenizer),
    /// SentencePiece-BPE, `llama`.
    SentencePiece,
}

/// What a token is for, by its number in GGUF files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// 1: part of text.
    Normal,
    /// 2: what stands for the unknown; found in prompts only.
    Unknown,
    /// 3: never part of text; found in prompts only.
    Control,
    /// 4: part of text, matched as a whole before splitting.
    UserDefined,
    /// 6: a byte of what has no token.
    Byte,
    /// Any other number: takes no part in splitting.
    Other,
}

impl TokenType {
    /// The number in GGUF files.
    pub fn number(self) -> i32 {
        match self {
            TokenType::Normal => 1,
            TokenType::Unknown => 2,
            TokenType::Control => 3,
            TokenType::UserDefined => 4,
            TokenType::Other => 5,
            TokenType::Byte => 6,
        }
    }
}

/// A known way of splitting text before merging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreTokenizer {
    /// Every digit is a piece of its own.
    Qwen2,
    /// Digits by three; a word that is a token is taken whole.
    LlamaBpe,
    /// llama.cpp's rule for files that name none: punctuation apart, digits by three.
    Default,
    /// The rule of GPT-2: digits stay together.
    Gpt2,
}

impl PreTokenizer {
    /// All of them.
    pub const ALL: [PreTokenizer; 4] = [Self::Qwen2, Self::LlamaBpe, Self::Default, Self::Gpt2];

    /// The names that [`PreTokenizer::from_name`] knows.
    pub const NAMES: [&'static str; 4] = ["qwen2", "llama-bpe", "default", "gpt-2"];

    /// The pre-tokenizer that GGUF files call so.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "qwen2" => Some(Self::Qwen2),
            "llama-bpe" | "llama3" | "llama-v3" => Some(Self::LlamaBpe),
            "default" | "" => Some(Self::Default),
            "gpt-2" => Some(Self::Gpt2),
            _ => None,
        }
    }

    /// The name in GGUF files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::LlamaBpe => "llama-bpe",
            Self::Default => "default",
            Self::Gpt2 => "gpt-2",
        }
    }

    /// The regular expressions that cut text, one after the other.
    pub fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Qwen2 => &[concat!(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            )],
            Self::LlamaBpe => &[concat!(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            )],
            Self::Default => &[
                r"[\p{P}\$\+<=>\^~\|]+",
                r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
                r"\p{N}+",
                r"[0-9][0-9][0-9]",
            ],
            Self::Gpt2 => {
                &[r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"]
            }
        }
    }

    /// Whether a piece that is a token as it stands is taken without merging.
    pub fn takes_whole_words(self) -> bool {
        self == Self::LlamaBpe
    }

    /// Whether a sequence begins with the begin token where the metadata does not say.
    pub fn adds_begin_token(self) -> bool {
        self == Self::LlamaBpe
    }
}

impl Vocabulary {
    /// Checks that the tables fit together, and names the kind.
    pub fn check(&self) -> Result<Kind, TokenizerError> {
        let kind = match self.model.as_str() {
            "gpt2" => Kind::ByteLevel(
                PreTokenizer::from_name(&self.pre)
                    .ok_or_else(|| TokenizerError::PreTokenizer(self.pre.clone()))?,
            ),
            "llama" => Kind::SentencePiece,
            _ => return Err(TokenizerError::Model(self.model.clone())),
        };
        let wrong = |message: String| Err(TokenizerError::Vocabulary(message));
        let size = self.tokens.len();
        if size == 0 || u32::try_from(size).is_err() {
            return wrong(format!("{size} tokens"));
        }
        if !self.token_types.is_empty() && self.token_types.len() != size {
            return wrong(format!(
                "{} token types for {size} tokens",
                self.token_types.len()
            ));
        }
        for (name, id) in [
            ("end", self.eos_id),
            ("begin", self.bos_id),
            ("unknown", self.unknown_id),
        ] {
            if let Some(id) = id.filter(|&id| id as usize >= size) {
                return wrong(format!(
                    "{name} token id {id}, but there are only {size} tokens"
                ));
            }
        }
        let mut ids = HashMap::with_capacity(size);
        for (id, token) in self.tokens.iter().enumerate() {
            if self.token_type(id) == TokenType::Other {
                continue;
            }
            if let Some(other) = ids.insert(token, id) {
                return wrong(format!("tokens {other} and {id} are both {token:?}"));
            }
        }
        Ok(kind)
    }

    /// What a token is for.
    pub fn token_type(&self, id: usize) -> TokenType {
        match self.token_types.get(id) {
            None | Some(1) => TokenType::Normal,
            Some(2) => TokenType::Unknown,
            Some(3) => TokenType::Control,
            Some(4) => TokenType::UserDefined,
            Some(6) => TokenType::Byte,
            Some(_) => TokenType::Other,
        }
    }

    /// The id of each token that takes part in merging.
    pub(super) fn ids(&self) -> Vocab {
        let mut ids = Vocab::default();
        for (id, token) in self.tokens.iter().enumerate() {
            if matches!(self.token_type(id), TokenType::Normal | TokenType::Byte) {
                // `check` has made sure that ids fit and tokens differ.
                ids.insert(token.clone(), id as u32);
            }
        }
        ids
    }

    /// The merges as pairs of tokens. The crate that merges takes it for granted that both tokens
    /// and what they make together are in the vocabulary, and panics otherwise.
    pub(super) fn merge_pairs(&self, ids: &Vocab) -> Result<Merges, TokenizerError> {
        let pairs = self.merges.iter().enumerate().map(|(number, merge)| {
            let wrong = |reason: &str| {
                TokenizerError::Vocabulary(format!("merge {number} is \"{merge}\", {reason}"))
            };
            let pair = merge.split_once(' ').filter(|(left, right)| {
                !left.is_empty() && !right.is_empty() && !right.contains(' ')
            });
            let (left, right) = pair.ok_or_else(|| wrong("not two tokens"))?;
            let (left, right) = (left.to_owned(), right.to_owned());
            let known = |token: &String| ids.contains_key(token);
            if !known(&left) || !known(&right) || !known(&format!("{left}{right}")) {
                return Err(wrong("which names or makes a token that is not there"));
            }
            Ok((left, right))
        });
        pairs.collect()
    }
}
