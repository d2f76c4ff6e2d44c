//! Whether a request can be run at all: the same checks for both executors, before either
//! allocates or computes.

use super::run::Request;
use super::step::EMBEDDING_GIVEN;
use super::weights::SENTENCE_HEAD;
use super::{Model, ModelFault, Sentence};

/// Most passes of a generator over its `<thought>` positions.
pub const MOST_PASSES: u32 = 16;

/// A request that cannot be run on a pair of models.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is nothing to read, or nothing to write.
    #[error("{field} is empty; there must be at least one token")]
    Empty {
        /// What is empty.
        field: &'static str,
    },
    /// More tokens than the caches hold.
    #[error(
        "{field} takes {tokens} tokens, but there is room for {capacity}; shorten the question or write less"
    )]
    TooLong {
        /// What is too long.
        field: &'static str,
        /// Tokens that it takes, those to be written included.
        tokens: u64,
        /// Positions that there are.
        capacity: usize,
    },
    /// A token that the model does not have.
    #[error("{field} holds token {found}, but the vocabulary has {vocab_size}")]
    Token {
        /// Where it stands.
        field: &'static str,
        /// The token found.
        found: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// Implicit tokens are asked for without a generator.
    #[error("implicit tokens are asked for, but no generator is loaded")]
    NoGenerator,
    /// It was stopped before there was anything to give.
    #[error("stopped")]
    Stopped,
    /// Texts are to be embedded without a sentence transformer.
    #[error("texts are to be embedded, but no sentence transformer is loaded")]
    NoSentenceTransformer,
    /// The rows given and the rows marked as given do not agree.
    #[error("{field} has {marked} rows for given embeddings, but {given} of its width are given")]
    Given {
        /// Whose rows.
        field: &'static str,
        /// Rows that carry [`EMBEDDING_GIVEN`].
        marked: usize,
        /// Rows that there are.
        given: usize,
    },
    /// A way of choosing tokens that there is not.
    #[error("{option} is {found}, expected {expected}")]
    Option {
        /// The option.
        option: &'static str,
        /// The value found.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// Rows of the generator that it does not have, or of the target that are not for it.
    #[error("implicit tokens are to come from rows {first} to {end} of {rows} {field}")]
    Rows {
        /// Whose rows.
        field: &'static str,
        /// First row asked for.
        first: u64,
        /// Row after the last asked for.
        end: u64,
        /// Rows that there are.
        rows: usize,
    },
}

impl RequestError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "request_empty",
            Self::TooLong { .. } => "request_too_long",
            Self::Token { .. } => "request_token",
            Self::NoGenerator => "request_no_generator",
            Self::Stopped => "request_stopped",
            Self::NoSentenceTransformer => "request_no_sentence_transformer",
            Self::Given { .. } => "request_given",
            Self::Option { .. } => "request_option",
            Self::Rows { .. } => "request_rows",
        }
    }
}

/// Marks `count` rows before a position as given: see [`EMBEDDING_GIVEN`].
pub fn insert_given(ids: &mut Vec<u32>, position: usize, count: usize) -> Result<(), RequestError> {
    if position > ids.len() {
        return Err(RequestError::Option {
            option: "the position of the given rows",
            found: position.to_string(),
            expected: "at most the number of ids",
        });
    }
    ids.splice(
        position..position,
        std::iter::repeat_n(EMBEDDING_GIVEN, count),
    );
    Ok(())
}

/// Checks ids that a model reads, some of which may be [`EMBEDDING_GIVEN`], and gives the number of
/// those. `extra` positions must be free behind them.
pub fn check_ids(
    field: &'static str,
    ids: &[u32],
    extra: u32,
    vocab_size: usize,
    capacity: usize,
) -> Result<usize, RequestError> {
    if ids.is_empty() {
        return Err(RequestError::Empty { field });
    }
    let tokens = ids.len() as u64 + u64::from(extra);
    if tokens > capacity as u64 {
        return Err(RequestError::TooLong {
            field,
            tokens,
            capacity,
        });
    }
    let mut given = 0;
    for &id in ids {
        if id == EMBEDDING_GIVEN {
            given += 1;
        } else if id as usize >= vocab_size {
            return Err(RequestError::Token {
                field,
                found: id,
                vocab_size,
            });
        }
    }
    Ok(given)
}

impl Request {
    /// Checks this request against a pair whose caches hold `capacity` positions each.
    pub fn check(
        &self,
        target: &Model,
        generator: Option<&Model>,
        capacity: usize,
    ) -> Result<(), RequestError> {
        if self.max_tokens == 0 || self.tokens_per_submit == 0 {
            return Err(RequestError::Empty {
                field: "what is to be written",
            });
        }
        self.sampling.check()?;
        let field = "the target's prompt";
        let vocab_size = target.config.vocab_size;
        // The last token written is never read.
        let extra = self.max_tokens - 1;
        let marked = check_ids(field, &self.target_ids, extra, vocab_size, capacity)?;
        let Some(input) = &self.generator else {
            return match marked {
                0 => Ok(()),
                _ => Err(RequestError::Given {
                    field,
                    marked,
                    given: 0,
                }),
            };
        };
        let generator = generator.ok_or(RequestError::NoGenerator)?;
        let vocab_size = generator.config.vocab_size;
        let given = check_ids(
            "the generator's prompt",
            &input.ids,
            0,
            vocab_size,
            capacity,
        )?;
        if given != 0 {
            return Err(RequestError::Given {
                field: "the generator's prompt",
                marked: given,
                given: 0,
            });
        }
        let count = input.count as usize;
        if !(1..=MOST_PASSES).contains(&input.passes) {
            return Err(RequestError::Option {
                option: "the number of the generator's passes",
                found: input.passes.to_string(),
                expected: "a number from 1 to 16",
            });
        }
        check_rows(
            "rows of the generator",
            input.first_row,
            input.count,
            input.ids.len(),
        )?;
        let end = u64::from(input.first_row) + u64::from(input.count);
        if input.passes > 1 && end != input.ids.len() as u64 {
            return Err(RequestError::Option {
                option: "the row behind those that the generator reads again",
                found: end.to_string(),
                expected: "the end of the generator's prompt",
            });
        }
        check_rows(
            "rows of the target",
            input.target_row,
            input.count,
            self.target_ids.len(),
        )?;
        let first = input.target_row as usize;
        let all_marked = self.target_ids[first..first + count]
            .iter()
            .all(|&id| id == EMBEDDING_GIVEN);
        if marked != count || !all_marked {
            return Err(RequestError::Given {
                field,
                marked,
                given: count,
            });
        }
        Ok(())
    }
}

fn check_rows(
    field: &'static str,
    first: u32,
    count: u32,
    rows: usize,
) -> Result<(), RequestError> {
    let (first, end) = (u64::from(first), u64::from(first) + u64::from(count));
    if count == 0 || end > rows as u64 {
        return Err(RequestError::Rows {
            field,
            first,
            end,
            rows,
        });
    }
    Ok(())
}

/// Checks that a generator makes implicit tokens for this target.
pub fn check_pair(target: &Model, generator: &Model) -> Result<(), ModelFault> {
    let Some(head) = generator.generator else {
        return Err(ModelFault::MissingTensor {
            tensor: "semcot.projection.weight".to_owned(),
        });
    };
    if target.generator.is_some() {
        // It would be run for its hidden states and never write a token.
        return Err(ModelFault::config(
            "semcot.projection.weight",
            "in the target's file",
            "in the generator's only",
        ));
    }
    if head.target_hidden_size != target.config.hidden_size {
        return Err(ModelFault::config(
            "semcot.projection.weight's rows",
            head.target_hidden_size,
            "as many as the target's embedding_length",
        ));
    }
    Ok(())
}

/// Checks that a sentence transformer goes on from this target's layers; gives the layer that it begins
/// at.
pub fn check_sentence_transformer(target: &Model, sentence: &Model) -> Result<usize, ModelFault> {
    let Some(Sentence { first_layer }) = sentence.sentence else {
        return Err(ModelFault::MissingTensor {
            tensor: SENTENCE_HEAD.to_owned(),
        });
    };
    if sentence.config.hidden_size != target.config.hidden_size {
        return Err(ModelFault::config(
            "embedding_length of the sentence transformer",
            sentence.config.hidden_size,
            "the target's embedding_length",
        ));
    }
    if first_layer > target.config.num_layers {
        return Err(ModelFault::config(
            "semcot.sentence.first_layer",
            first_layer,
            "at most the target's block_count",
        ));
    }
    Ok(first_layer)
}
