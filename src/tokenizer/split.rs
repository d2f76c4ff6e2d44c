//! Cutting text into the pieces that merges stay within.

use tokenizers::utils::SysRegex;

use super::TokenizerError;
use super::vocabulary::PreTokenizer;

/// A compiled splitting rule: expressions that are applied one after the other.
pub struct Splitter(Vec<SysRegex>);

impl Splitter {
    /// Compiles the rule of a pre-tokenizer.
    pub fn new(pre_tokenizer: PreTokenizer) -> Result<Self, TokenizerError> {
        let compiled = pre_tokenizer
            .patterns()
            .iter()
            .map(|pattern| SysRegex::new(pattern));
        let compiled: Result<_, _> = compiled.collect();
        compiled
            .map(Self)
            .map_err(|error| TokenizerError::Bpe(error.to_string()))
    }

    /// The pieces, in order; together they are the whole text. Each expression cuts the pieces of the one before it;
    /// what it passes over is a piece of its own.
    pub fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut pieces = if text.is_empty() {
            Vec::new()
        } else {
            vec![text]
        };
        for pattern in &self.0 {
            pieces = pieces
                .into_iter()
                .flat_map(|piece| cut(pattern, piece))
                .collect();
        }
        pieces
    }
}

fn cut<'t>(pattern: &SysRegex, text: &'t str) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for (from, to) in pattern.find_iter(text) {
        if from > end {
            pieces.push(&text[end..from]);
        }
        if to > from {
            pieces.push(&text[from..to]);
        }
        end = to.max(end);
    }
    if end < text.len() {
        pieces.push(&text[end..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pre_tokenizer: PreTokenizer, text: &str) -> Vec<&str> {
        Splitter::new(pre_tokenizer)
            .expect("the rules are constants")
            .pieces(text)
    }

    #[test]
    fn qwen2_makes_every_digit_a_piece() {
        assert_eq!(
            pieces(PreTokenizer::Qwen2, "has 15 eggs"),
            ["has", " ", "1", "5", " eggs"]
        );
    }

    #[test]
    fn llama_bpe_keeps_three_digits_together() {
        assert_eq!(pieces(PreTokenizer::LlamaBpe, "1234"), ["123", "4"]);
    }

    #[test]
    fn default_counts_threes_from_the_first_digit_and_sets_punctuation_apart() {
        assert_eq!(
            pieces(PreTokenizer::Default, "it's 6789"),
            ["it", "'", "s", " ", "678", "9"]
        );
        assert_eq!(
            pieces(PreTokenizer::Gpt2, "it's 6789"),
            ["it", "'s", " 6789"]
        );
    }

    #[test]
    fn pieces_together_are_the_text() {
        let text = "  It's  \n\n 3 × naïve—🙂\t ";
        for pre_tokenizer in PreTokenizer::ALL {
            assert_eq!(pieces(pre_tokenizer, text).concat(), text);
        }
    }
}
