//! The tokenizer as training needs it: pieces to ids, and the ids of the special tokens.

use std::fs;
use std::path::Path;

use super::checkpoint::write_whole;
use super::error::TrainError;
use crate::tokenizer::{Tokenizer, train_tokenizer};

/// What stands before a question.
pub const QUESTION_PROMPT: &str = "Question: ";
/// The token after which the target writes its reasoning.
pub const REASON: &str = "<reason>";
/// The token after which the target writes its answer.
pub const ANSWER: &str = "<answer>";
/// The token that ends an answer.
pub const END: &str = "<eos>";
/// The token at whose positions the generator's states are read.
pub const THOUGHT: &str = "<thought>";

/// A tokenizer with the ids that the method names.
pub struct Vocabulary {
    pub tokenizer: Tokenizer,
    pub size: usize,
    pub end: u32,
    pub reason: u32,
    pub answer: u32,
    pub thought: u32,
    /// For every token whether a full stop is its last byte.
    pub full_stops: Vec<bool>,
}

impl Vocabulary {
    /// Trains a tokenizer and writes it.
    pub fn train(texts: Vec<String>, size: usize, path: &Path) -> Result<(), TrainError> {
        let tokenizer = train_tokenizer(texts.into_iter(), size, &[END, REASON, ANSWER, THOUGHT])?;
        write_whole(path, tokenizer.to_json().as_bytes())
    }

    /// Reads a tokenizer that [`Vocabulary::train`] wrote.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let tokenizer = Tokenizer::from_json(&fs::read(path).map_err(TrainError::file(path))?)?;
        let id = |token: &'static str| {
            tokenizer.token_id(token).ok_or(TrainError::Setting {
                field: "tokenizer",
                message: format!("{} has no token {token}", path.display()),
            })
        };
        Ok(Self {
            size: tokenizer.vocab_size(),
            full_stops: tokens_ending_in(&tokenizer, b'.'),
            end: id(END)?,
            reason: id(REASON)?,
            answer: id(ANSWER)?,
            thought: id(THOUGHT)?,
            tokenizer,
        })
    }

    /// A piece on its own; text that looks like a special token is text.
    pub fn text(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode_text(text)
    }

    /// Question prompt and question.
    pub fn question(&self, query: &str) -> Vec<u32> {
        self.tokenizer.encode_prompted_text(QUESTION_PROMPT, query)
    }
}

/// For every token of a tokenizer whether a byte is its last.
pub fn tokens_ending_in(tokenizer: &Tokenizer, byte: u8) -> Vec<bool> {
    (0..tokenizer.vocab_size() as u32)
        .map(|id| tokenizer.bytes_of(id).last() == Some(&byte))
        .collect()
}
