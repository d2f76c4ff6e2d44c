//! Decoding ids that arrive one at a time, without ever cutting a character in two.

use super::Tokenizer;

/// Turns ids into text as they come.
pub struct Stream<'t> {
    tokenizer: &'t Tokenizer,
    /// Bytes that begin a character which is not complete yet: at most three.
    held: Vec<u8>,
    /// The next text may begin with a space that nobody wrote.
    drops_space: bool,
}

impl<'t> Stream<'t> {
    pub(super) fn new(tokenizer: &'t Tokenizer) -> Self {
        Self {
            tokenizer,
            held: Vec::new(),
            drops_space: tokenizer.vocabulary.add_space_prefix,
        }
    }

    /// The text that this id completes: empty for control tokens and while a character is incomplete.
    /// Bytes that can never become a character are given out as U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        let mut bytes = self.tokenizer.bytes_of(id);
        if self.drops_space && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.drops_space = false;
        }
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.held.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.held[..valid]));
                    match error.error_len() {
                        Some(wrong) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            self.held.drain(..valid + wrong);
                        }
                        None => {
                            self.held.drain(..valid);
                            return text;
                        }
                    }
                }
            }
        }
    }

    /// What is left at the end: U+FFFD if the last character was never completed, else nothing.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        text
    }
}
