//! SentencePiece-BPE as GGUF files describe it: no merges, but a score for every token. Of all
//! neighbours that together are a token, those with the best score are joined first; what is no
//! token in the end is written byte by byte. llama.cpp does the same, and its ids are the measure.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::TokenizerError;
use super::vocabulary::{TokenType, Vocabulary};

/// What stands for a space in tokens.
pub const SPACE: char = '\u{2581}';

/// The byte that a token such as `<0x0A>` stands for.
pub fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// Tokens with their scores.
pub struct Scored {
    /// Id and score of each token that text can become.
    tokens: HashMap<String, (u32, f32)>,
    /// The token of each byte; the unknown token for a byte that has none.
    bytes: Vec<u32>,
}

impl Scored {
    /// Reads the tables.
    ///
    /// # Errors
    /// Where scores are missing or no numbers, or a byte has no token and no token stands for the
    /// unknown.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, TokenizerError> {
        let wrong = |message: String| TokenizerError::Vocabulary(message);
        let size = vocabulary.tokens.len();
        if vocabulary.scores.len() != size {
            let scores = vocabulary.scores.len();
            return Err(wrong(format!("{scores} scores for {size} tokens")));
        }
        let mut tokens = HashMap::with_capacity(size);
        let mut bytes = vec![None; 256];
        let mut unknown = vocabulary.unknown_id;
        for (id, token) in vocabulary.tokens.iter().enumerate() {
            let score = vocabulary.scores[id];
            if score.is_nan() {
                return Err(wrong(format!("the score of token {id} is not a number")));
            }
            match vocabulary.token_type(id) {
                TokenType::Normal | TokenType::UserDefined | TokenType::Other => {
                    // Adding zero makes -0 equal to 0.
                    tokens.insert(token.clone(), (id as u32, score + 0.0));
                }
                TokenType::Byte => {
                    let byte = byte_of(token)
                        .ok_or_else(|| wrong(format!("byte token {id} is {token:?}")))?;
                    bytes[usize::from(byte)] = Some(id as u32);
                }
                TokenType::Unknown => unknown = unknown.or(Some(id as u32)),
                // What a person writes must never become one.
                TokenType::Control => {}
            }
        }
        let byte_or_unknown = |(byte, id): (usize, Option<u32>)| {
            id.or(unknown).ok_or_else(|| {
                wrong(format!(
                    "byte {byte:#04x} has no token, and no token stands for the unknown"
                ))
            })
        };
        let bytes = bytes.into_iter().enumerate().map(byte_or_unknown);
        Ok(Self {
            tokens,
            bytes: bytes.collect::<Result<_, _>>()?,
        })
    }

    /// The id of a token by its text.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.tokens.get(token).map(|&(id, _)| id)
    }

    /// Appends the ids of a text in which [`SPACE`] stands for spaces.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let mut symbols = Symbols::new(text);
        let mut joins = BinaryHeap::new();
        for left in 1..symbols.list.len() {
            joins.extend(self.join(&symbols, left - 1, left));
        }
        while let Some(join) = joins.pop() {
            if !symbols.join(&join) {
                continue;
            }
            let symbol = &symbols.list[join.left];
            let (previous, next) = (symbol.previous, symbol.next);
            joins.extend(previous.and_then(|it| self.join(&symbols, it, join.left)));
            joins.extend(next.and_then(|it| self.join(&symbols, join.left, it)));
        }
        for symbol in symbols.list.iter().filter(|it| it.len > 0) {
            let part = &text[symbol.start..symbol.start + symbol.len];
            match self.token_id(part) {
                Some(id) => ids.push(id),
                None => ids.extend(part.bytes().map(|it| self.bytes[usize::from(it)])),
            }
        }
    }

    /// What two neighbours become, if they are a token together.
    fn join(&self, symbols: &Symbols, left: usize, right: usize) -> Option<Join> {
        let (first, second) = (&symbols.list[left], &symbols.list[right]);
        let len = first.len + second.len;
        let &(_, score) = self
            .tokens
            .get(&symbols.text[first.start..first.start + len])?;
        Some(Join {
            score,
            left,
            right,
            len,
        })
    }
}

/// A part of the text: at first one character.
struct Symbol {
    start: usize,
    /// Bytes; 0 when it has become part of the one before it.
    len: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

struct Symbols<'t> {
    text: &'t str,
    list: Vec<Symbol>,
}

impl<'t> Symbols<'t> {
    fn new(text: &'t str) -> Self {
        let count = text.chars().count();
        let characters = text.char_indices().enumerate();
        let list = characters.map(|(index, (start, letter))| Symbol {
            start,
            len: letter.len_utf8(),
            previous: index.checked_sub(1),
            next: Some(index + 1).filter(|&it| it < count),
        });
        Self {
            text,
            list: list.collect(),
        }
    }

    /// Joins two symbols, unless one of them has changed since the join was proposed.
    fn join(&mut self, join: &Join) -> bool {
        let (left, right) = (&self.list[join.left], &self.list[join.right]);
        if left.len == 0 || right.len == 0 || left.len + right.len != join.len {
            return false;
        }
        let next = right.next;
        self.list[join.right].len = 0;
        self.list[join.left].len = join.len;
        self.list[join.left].next = next;
        if let Some(next) = next {
            self.list[next].previous = Some(join.left);
        }
        true
    }
}

/// Two neighbours that may become one: the best score first, then the leftmost.
struct Join {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both when it was proposed.
    len: usize,
}

impl Ord for Join {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = self.score.total_cmp(&other.score);
        by_score.then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Join {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Join {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Join {}
