//! Which problems are for training, which for choosing between models, and which for the final figure.
//!
//! The split is a function of the question's text alone, so no seed, setting or order of drawing can carry a
//! training question into an evaluation.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One of three disjoint sets of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Eight tenths: what models learn from.
    Train,
    /// One tenth: what checkpoints and settings are chosen on.
    Validation,
    /// One tenth: what is reported.
    Heldout,
}

impl Split {
    /// The split that a question belongs to: the first eight bytes of the SHA-256 of its normalized text, as a
    /// big-endian number, modulo ten (0 to 7 train, 8 validation, 9 held out).
    pub fn of(query: &str) -> Self {
        let digest = Sha256::digest(normalized(query).as_bytes());
        let number = digest
            .iter()
            .take(8)
            .fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        match number % 10 {
            0..=7 => Split::Train,
            8 => Split::Validation,
            _ => Split::Heldout,
        }
    }
}

/// The text in lower case with every run of white space as one space and none at the ends.
pub fn normalized(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    for word in query.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.chars().flat_map(char::to_lowercase));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spacing_do_not_change_the_split() {
        assert_eq!(normalized("  Tom has\n 5  Apples. "), "tom has 5 apples.");
        assert_eq!(
            Split::of("Tom has 5 apples."),
            Split::of("tom  HAS 5 apples.\n")
        );
    }

    #[test]
    fn the_split_of_a_text_never_changes() {
        // Written down once: a change here would let training questions into old evaluations.
        let splits: Vec<Split> = (0..12)
            .map(|i| Split::of(&format!("question {i}")))
            .collect();
        use Split::{Heldout, Train};
        assert_eq!(
            splits,
            [
                Train, Train, Train, Train, Heldout, Train, Train, Train, Heldout, Train, Train,
                Train
            ]
        );
    }
}
