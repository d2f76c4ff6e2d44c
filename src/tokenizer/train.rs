//! Learning a byte-level BPE vocabulary from text. Native only: nothing in the browser trains a tokenizer.

use std::collections::HashSet;

use serde_json::Value;
use tokenizers::Trainer as _;
use tokenizers::models::bpe::{BPE, BpeTrainer};

use super::vocabulary::{PreTokenizer, TokenType, Vocabulary};
use super::{Tokenizer, TokenizerError, bytes, split};

/// Learns a tokenizer of `vocab_size` ids: the special tokens first, in the order given, then the 256 bytes, then
/// the merges, strongest first. Text is split as `qwen2` does, so every digit stays a token of its own.
///
/// The first special token is the end token. The same texts give the same tokenizer: pairs are counted exactly, and
/// of equally frequent pairs the one with the lower ids is merged first. Fewer ids come out if the texts have fewer
/// pairs to merge.
pub fn train_tokenizer(
    texts: impl Iterator<Item = String> + Send,
    vocab_size: usize,
    special_tokens: &[&str],
) -> Result<Tokenizer, TokenizerError> {
    let least = special_tokens.len() + 256;
    if vocab_size < least {
        return Err(TokenizerError::Vocabulary(format!(
            "a vocabulary of {vocab_size} is too small: special tokens and bytes are {least} already"
        )));
    }
    let pre_tokenizer = PreTokenizer::Qwen2;
    let splitter = split::Splitter::new(pre_tokenizer)?;
    let alphabet: HashSet<char> = (0..=255).map(bytes::to_char).collect();
    // Special tokens are not shown to the trainer: they must not be merged into, and get the first ids below.
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size - special_tokens.len())
        .initial_alphabet(alphabet)
        .show_progress(false)
        .build();
    let pieces = |text: &str| {
        Ok(splitter
            .pieces(text)
            .iter()
            .map(|piece| bytes::from_bytes(piece.as_bytes()))
            .collect())
    };
    let mut bpe = BPE::default();
    let trained = trainer
        .feed(texts, pieces)
        .and_then(|()| trainer.train(&mut bpe));
    trained.map_err(|error| TokenizerError::Bpe(error.to_string()))?;

    let (learned, merges) = tables(&bpe)?;
    let mut tokens: Vec<String> = special_tokens
        .iter()
        .map(|&token| token.to_owned())
        .collect();
    tokens.extend(learned);
    let mut token_types = vec![TokenType::Control.number(); special_tokens.len()];
    token_types.resize(tokens.len(), TokenType::Normal.number());
    Tokenizer::from_vocabulary(Vocabulary {
        model: "gpt2".to_owned(),
        pre: pre_tokenizer.name().to_owned(),
        tokens,
        token_types,
        merges,
        eos_id: (!special_tokens.is_empty()).then_some(0),
        ..Vocabulary::default()
    })
}

/// The tokens by id and the merges by rank. The crate gives out its merges only as JSON.
fn tables(bpe: &BPE) -> Result<(Vec<String>, Vec<String>), TokenizerError> {
    let unreadable = || TokenizerError::Bpe("the trained tables cannot be read back".to_owned());
    let json = serde_json::to_value(bpe).map_err(|error| TokenizerError::Bpe(error.to_string()))?;
    let vocab = json["vocab"].as_object().ok_or_else(unreadable)?;
    let mut tokens = vec![String::new(); vocab.len()];
    for (token, id) in vocab {
        let id = id
            .as_u64()
            .and_then(|id| usize::try_from(id).ok())
            .ok_or_else(unreadable)?;
        *tokens.get_mut(id).ok_or_else(unreadable)? = token.clone();
    }
    let merges = json["merges"].as_array().ok_or_else(unreadable)?;
    let merges = merges
        .iter()
        .map(|merge| match merge.as_array().map(Vec::as_slice) {
            Some([Value::String(left), Value::String(right)]) => Ok(format!("{left} {right}")),
            _ => Err(unreadable()),
        });
    Ok((tokens, merges.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_faces_reader_gives_every_token_its_id() {
        let texts = (0..50).map(|i| format!("Anna has {i} red apples, Ben has {}.", 2 * i));
        let ours = train_tokenizer(texts, 300, &["<eos>", "<thought>"]);
        let ours = ours.expect("a tokenizer");
        let json = ours.to_json();
        let theirs: tokenizers::Tokenizer = json.parse().expect("a tokenizer.json");
        for token in ["<eos>", "<thought>", "a", "."] {
            assert!(ours.token_id(token).is_some(), "{token}");
            assert_eq!(theirs.token_to_id(token), ours.token_id(token), "{token}");
        }
        let text = "Ben has 7 apples.";
        let encoded = theirs.encode(text, false).expect("ids");
        assert_eq!(encoded.get_ids(), ours.encode_text(text));
        let again = Tokenizer::from_json(json.as_bytes()).expect("our own reading");
        assert_eq!(again.to_json(), json);
    }
}
