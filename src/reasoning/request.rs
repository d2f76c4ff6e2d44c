//! From a question to the [`Request`] of each mode (METHOD: the pieces are tokenized apart).
//!
//! | mode | the target reads | then writes |
//! |---|---|---|
//! | implicit | question, k implicit tokens, answer prompt | answer, end |
//! | explicit | question, reasoning prompt | reasoning, answer prompt, answer, end |
//! | direct | question, answer prompt | answer, end |

use crate::formats::manifest::ImplicitFrom;
use crate::model::Sampling;
use crate::model::run::{GeneratorInput, Request};
use crate::model::step::EMBEDDING_GIVEN;
use crate::tokenizer::Tokenizer;

use super::Mode;

/// The prompts of a pair as ids, and the numbers that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// Text put before the question and tokenized together with it.
    pub question: String,
    /// Ids after which the target writes its reasoning.
    pub reasoning_ids: Vec<u32>,
    /// Ids after which the target writes its answer.
    pub answer_ids: Vec<u32>,
    /// The token that ends an answer.
    pub end_token: u32,
    /// The generator's `<thought>`.
    pub thought_token: u32,
    /// Which of the generator's rows are projected.
    pub implicit_from: ImplicitFrom,
    /// The generator's passes over its `<thought>` positions.
    pub generator_passes: u32,
}

/// How much to write, and how it is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of implicit tokens k, at least 1.
    pub implicit_tokens: u32,
    /// Most tokens to write.
    pub max_tokens: u32,
    /// Tokens decoded a submit, K.
    pub tokens_per_submit: u32,
}

impl Prompts {
    /// The request that answers `question` in `mode`.
    ///
    /// Generator and target share their tokenizer here, so the question is tokenized once.
    pub fn request(
        &self,
        tokenizer: &Tokenizer,
        question: &str,
        mode: Mode,
        limits: Limits,
    ) -> Request {
        let question_ids = tokenizer.encode_prompted_text(&self.question, question.trim());
        let question_length = question_ids.len() as u32;
        let mut target_ids = question_ids.clone();
        let generator = match mode {
            Mode::Explicit => {
                target_ids.extend(&self.reasoning_ids);
                None
            }
            Mode::Direct => {
                target_ids.extend(&self.answer_ids);
                None
            }
            Mode::Implicit => {
                let count = limits.implicit_tokens;
                let mut ids = question_ids;
                ids.extend(std::iter::repeat_n(self.thought_token, count as usize));
                target_ids.extend(std::iter::repeat_n(EMBEDDING_GIVEN, count as usize));
                target_ids.extend(&self.answer_ids);
                Some(GeneratorInput {
                    ids,
                    first_row: match self.implicit_from {
                        ImplicitFrom::ThoughtPositions => question_length,
                        ImplicitFrom::LastQuestionToken => question_length.saturating_sub(1),
                    },
                    count,
                    target_row: question_length,
                    passes: self.generator_passes,
                })
            }
        };
        Request {
            generator,
            target_ids,
            max_tokens: limits.max_tokens,
            end_token: self.end_token,
            tokens_per_submit: limits.tokens_per_submit,
            sampling: Sampling::default(),
        }
    }
}
