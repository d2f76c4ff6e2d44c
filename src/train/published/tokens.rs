//! Text to token ids as the published code makes them: by the tokenizers of the two models themselves, with everything
//! that their files ask for (METHOD, section 4).
//!
//! Not `crate::tokenizer`, which never takes what a person typed for a control token: here equality counts, and published
//! tokenizers match their added tokens in every text.

use std::path::Path;

use tokenizers::{AddedToken, Tokenizer};

use super::super::error::TrainError;
use super::super::examples::Example;
use super::config::TokenSettings;
use super::items::PublishedItem;
use crate::problems::Family;
use crate::reasoning::pairing::PublishedPrompts;

/// The tokenizers of target and generator.
pub struct PairTokenizers {
    target: Tokenizer,
    generator: Tokenizer,
    settings: TokenSettings,
    prompts: PublishedPrompts,
    /// Id of `<thought>` among the generator's.
    pub thought: u32,
    /// Put before the target's question where the settings ask for it.
    begin: Option<u32>,
}

/// The tokenizer of a model's folder.
fn read(folder: &Path) -> Result<Tokenizer, TrainError> {
    let path = folder.join("tokenizer.json");
    let wrong = |message: String| TrainError::Data {
        path: path.clone(),
        message,
    };
    if !path.exists() {
        return Err(wrong(
            "is missing; where a model has only tokenizer.model, save its fast tokenizer beside it"
                .into(),
        ));
    }
    let mut tokenizer = Tokenizer::from_file(&path).map_err(|error| wrong(error.to_string()))?;
    // Pieces are cut here, and nothing is padded.
    tokenizer.with_padding(None);
    (tokenizer.with_truncation(None)).map_err(|error| wrong(error.to_string()))?;
    Ok(tokenizer)
}

impl PairTokenizers {
    /// Those of the two folders. `begin` is the target's begin token, where its configuration names one.
    pub fn read(
        target: &Path,
        generator: &Path,
        settings: &TokenSettings,
        prompts: PublishedPrompts,
        begin: Option<u32>,
    ) -> Result<Self, TrainError> {
        let folder = generator;
        let target = read(target)?;
        let mut generator = read(generator)?;
        let wrong = |message: String| TrainError::Data {
            path: folder.to_owned(),
            message,
        };
        generator
            .add_special_tokens([AddedToken::from(settings.thought.clone(), true)])
            .map_err(|error| wrong(error.to_string()))?;
        let thought = generator.token_to_id(&settings.thought);
        let thought = thought.ok_or_else(|| {
            wrong(format!(
                "tokens.thought is {:?}, which cannot be a token",
                settings.thought
            ))
        })?;
        if settings.target_begin_token && begin.is_none() {
            return Err(TrainError::Setting {
                field: "tokens.target_begin_token",
                message: "the target's config.json names no begin token (bos_token_id)".into(),
            });
        }
        Ok(Self {
            target,
            generator,
            settings: settings.clone(),
            prompts,
            thought,
            begin: begin.filter(|_| settings.target_begin_token),
        })
    }

    /// Sizes of the vocabularies, of target and generator, the added token included.
    pub fn sizes(&self) -> [usize; 2] {
        [&self.target, &self.generator].map(|it| it.get_vocab_size(true))
    }

    /// The generator's tokenizer with the added token, as a `tokenizer.json`.
    pub fn generator_json(&self) -> Result<String, TrainError> {
        self.generator.to_string(false).map_err(not_tokenized)
    }

    /// The answer prompt, as the target reads it.
    pub fn answer_prompt(&self) -> Result<Vec<u32>, TrainError> {
        self.piece(&self.target, &self.prompts.prompts().answer, Specials::Left)
    }

    /// A question as both models read it, and nothing else.
    pub fn question(&self, query: &str) -> Result<Example, TrainError> {
        let question = format!("{}{}", self.prompts.prompts().question, query);
        let of_target = self.piece(&self.target, &question, Specials::Left)?;
        Ok(Example {
            // Read by generated problems alone: step supervision does not go with published data.
            family: Family::Everyday,
            steps: 0,
            question: self.begin.into_iter().chain(of_target).collect(),
            generator_question: self.piece(&self.generator, &question, Specials::Left)?,
            reasoning: Vec::new(),
            condensed: Vec::new(),
            answer: Vec::new(),
            intermediate: Vec::new(),
            step_ends: Vec::new(),
        })
    }

    /// An item with its pieces tokenized apart.
    pub fn example(&self, item: &PublishedItem) -> Result<Example, TrainError> {
        let whole = |text: &str| self.piece(&self.target, text, Specials::Added);
        Ok(Example {
            reasoning: whole(&item.reasoning)?,
            condensed: match item.condensed_reasoning.as_str() {
                "" => Vec::new(),
                condensed => whole(condensed)?,
            },
            answer: self.piece(&self.target, &item.answer, Specials::Left)?,
            ..self.question(&item.query)?
        })
    }

    fn piece(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        specials: Specials,
    ) -> Result<Vec<u32>, TrainError> {
        let encoding = tokenizer.encode(text, specials == Specials::Added);
        let mut ids = encoding.map_err(not_tokenized)?.get_ids().to_vec();
        ids.truncate(self.settings.max_piece);
        Ok(ids)
    }

    /// What the target has written, without special tokens.
    pub fn text(&self, ids: &[u32]) -> Result<String, TrainError> {
        self.target.decode(ids, true).map_err(not_tokenized)
    }
}

/// Whether a tokenizer puts around a text what it has for whole texts: a begin token, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Specials {
    Added,
    Left,
}

fn not_tokenized(error: tokenizers::Error) -> TrainError {
    crate::tokenizer::TokenizerError::Bpe(error.to_string()).into()
}
