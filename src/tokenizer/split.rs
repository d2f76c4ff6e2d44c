//! Cutting text into the pieces that merges stay within.

use tokenizers::utils::SysRegex;

use super::TokenizerError;
use super::vocabulary::PreTokenizer;

/// A compiled splitting rule.
pub struct Splitter(SysRegex);

impl Splitter {
    /// Compiles the rule of a pre-tokenizer.
    pub fn new(pre_tokenizer: PreTokenizer) -> Result<Self, TokenizerError> {
        SysRegex::new(pre_tokenizer.pattern())
            .map(Self)
            .map_err(|error| TokenizerError::Bpe(error.to_string()))
    }

    /// The pieces, in order; together they are the whole text. What the rule passes over is a piece of its own.
    pub fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        let mut end = 0;
        for (from, to) in self.0.find_iter(text) {
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
    fn pieces_together_are_the_text() {
        let text = "  It's  \n\n 3 × naïve—🙂\t ";
        for pre_tokenizer in [
            PreTokenizer::Qwen2,
            PreTokenizer::LlamaBpe,
            PreTokenizer::Default,
        ] {
            assert_eq!(pieces(pre_tokenizer, text).concat(), text);
        }
    }
}
