//! A target with its generator, ready to be asked: question in, pieces while it runs, answer out.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::formats::manifest::Manifest;
use crate::model::Sampling;
use crate::model::run::{Execute, Request};
use crate::tokenizer::Tokenizer;

use super::Mode;
use super::answer::Answer;
use super::inspect::Embedded;
use super::request::{Limits, Prompts};

/// The largest number of implicit tokens that may be asked for. The pair was trained with a
/// handful; the bound only keeps a mistyped number from becoming a long run.
pub const MAX_IMPLICIT_TOKENS: u32 = 64;

/// Longest question in bytes that is tokenized at all. A token is at least one byte, so anything
/// longer cannot fit a context that this engine runs; refusing early keeps the page responsive.
pub const MAX_QUESTION_BYTES: usize = 1 << 20;

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AskOptions {
    /// Which way to answer.
    pub mode: Mode,
    /// Number of implicit tokens; the pair's own k where absent.
    pub implicit_tokens: Option<u32>,
    /// Most tokens to write; the pair's own limit where absent.
    pub max_tokens: Option<u32>,
    /// Tokens decoded a submit; the device's measured default where absent.
    pub tokens_per_submit: Option<u32>,
    /// How tokens are chosen: greedily by default.
    pub sampling: Sampling,
}

impl AskOptions {
    /// Everything at its default, in `mode`.
    pub fn new(mode: Mode) -> Self {
        AskOptions {
            mode,
            implicit_tokens: None,
            max_tokens: None,
            tokens_per_submit: None,
            sampling: Sampling::default(),
        }
    }
}

/// What becomes known while a question is being answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Piece {
    /// The implicit tokens stand in the target's input. They stay on the device, so this is
    /// reported together with the first tokens.
    ImplicitTokens {
        /// How many.
        count: u32,
    },
    /// Newly written text.
    Text {
        /// The text, whole characters only.
        text: String,
        /// Tokens written so far.
        tokens: u32,
        /// Whether this is the short answer (else it is reasoning).
        answer: bool,
    },
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError<E: std::error::Error + 'static> {
    /// Nothing was asked.
    #[error("the question is empty: type a question")]
    EmptyQuestion,
    /// The question and what is to be written do not fit.
    #[error(
        "the question is too long: it takes {tokens} tokens and up to {max_tokens} are to be written, but the model's context holds {context_length}; shorten it"
    )]
    QuestionTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that may be written.
        max_tokens: u32,
        /// What fits.
        context_length: u32,
    },
    /// The question is longer than any context.
    #[error(
        "the question is too long: {bytes} bytes, and more than {MAX_QUESTION_BYTES} are never read; shorten it"
    )]
    QuestionTooManyBytes {
        /// Its length.
        bytes: usize,
    },
    /// An option is out of range.
    #[error("{option} is {found}: it must be between {min} and {max}")]
    OptionOutOfRange {
        /// The option's name.
        option: &'static str,
        /// What was given.
        found: u32,
        /// Smallest allowed.
        min: u32,
        /// Largest allowed.
        max: u32,
    },
    /// A text to be compared says nothing, or more than the sentence transformer reads.
    #[error(
        "text {index} takes {tokens} tokens; the sentence transformer compares texts of 1 to {most}"
    )]
    TextLength {
        /// Which of the texts, from 0 on.
        index: usize,
        /// Its tokens.
        tokens: usize,
        /// Most tokens.
        most: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Run(E),
}

/// A pair of models that answers questions on an executor.
pub struct Pair<E> {
    pub(super) executor: E,
    pub(super) tokenizer: Tokenizer,
    /// Embeddings of texts that were compared before.
    pub(super) embedded: Embedded,
    pub(super) prompts: Prompts,
    implicit_tokens: u32,
    max_tokens: u32,
}

/// Why two models are no pair.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A prompt or the end token names a token that the tokenizer lacks.
    #[error(
        "the manifest's {field} is \"{text}\", which the target's tokenizer does not know as one token"
    )]
    UnknownToken {
        /// Field of `semcot.json`.
        field: &'static str,
        /// Its value.
        text: String,
    },
}

impl<E: Execute> Pair<E> {
    /// Joins an executor that holds both models with their tokenizer and manifest.
    ///
    /// `thought_token` is the generator's `semcot.thought_token_id`.
    ///
    /// # Errors
    /// When the manifest names tokens that the tokenizer lacks.
    pub fn new(
        executor: E,
        tokenizer: Tokenizer,
        manifest: &Manifest,
        thought_token: u32,
    ) -> Result<Self, PairError> {
        let end_token =
            tokenizer
                .token_id(&manifest.end_token)
                .ok_or_else(|| PairError::UnknownToken {
                    field: "end_token",
                    text: manifest.end_token.clone(),
                })?;
        let prompts = Prompts {
            question: manifest.prompts.question.clone(),
            reasoning_ids: tokenizer.encode_prompt(&manifest.prompts.reasoning),
            answer_ids: tokenizer.encode_prompt(&manifest.prompts.answer),
            end_token,
            thought_token,
            implicit_from: manifest.implicit_from,
            generator_passes: manifest.generator_passes,
        };
        Ok(Pair {
            executor,
            tokenizer,
            embedded: Embedded::default(),
            prompts,
            implicit_tokens: manifest.implicit_tokens,
            max_tokens: manifest.max_tokens,
        })
    }

    /// The pair's own number of implicit tokens k.
    pub fn implicit_tokens(&self) -> u32 {
        self.implicit_tokens
    }

    /// The executor, for its facts and its bench.
    pub fn executor(&mut self) -> &mut E {
        &mut self.executor
    }

    /// Tokens decoded a submit where a question names none.
    pub fn tokens_per_submit(&self) -> u32 {
        self.executor.default_tokens_per_submit()
    }

    /// Answers `question`; `on_piece` gets what becomes known on the way and may stop the run.
    ///
    /// # Errors
    /// [`AskError`]: a question or option that cannot be run, or a failed device.
    pub async fn ask(
        &mut self,
        question: &str,
        options: &AskOptions,
        mut on_piece: impl FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Answer, AskError<E::Error>> {
        let started = crate::clock::now_ms();
        let request = self.request(question, options)?;
        let implicit_tokens = request.generator.as_ref().map_or(0, |input| input.count);
        let mut stream = self.tokenizer.stream();
        let mut written: Vec<u32> = Vec::new();
        let mut in_answer = options.mode != Mode::Explicit;
        let answer_ids = &self.prompts.answer_ids;
        let report = self
            .executor
            .run(&request, &mut |ids| {
                if written.is_empty() && implicit_tokens > 0 {
                    on_piece(Piece::ImplicitTokens {
                        count: implicit_tokens,
                    })?;
                }
                let mut text = String::new();
                for &id in ids {
                    written.push(id);
                    let fresh = stream.push(id);
                    if !in_answer && written.ends_with(answer_ids) {
                        // The reasoning ends here: hand it over before the answer begins.
                        in_answer = true;
                        let tokens = written.len() as u32;
                        on_piece(Piece::Text {
                            text: std::mem::take(&mut text),
                            tokens,
                            answer: false,
                        })?;
                        continue;
                    }
                    text.push_str(&fresh);
                }
                on_piece(Piece::Text {
                    text,
                    tokens: written.len() as u32,
                    answer: in_answer,
                })
            })
            .await
            .map_err(AskError::Run)?;
        let mut answer = Answer::from_report(
            options.mode,
            implicit_tokens,
            report,
            &self.prompts,
            &self.tokenizer,
        );
        // From text in to text out: tokenizing and decoding are part of what a visitor waits for.
        answer.ms.total = crate::clock::now_ms() - started;
        Ok(answer)
    }

    /// What the executor is to run.
    pub(super) fn request(
        &self,
        question: &str,
        options: &AskOptions,
    ) -> Result<Request, AskError<E::Error>> {
        let limits = self.limits(options)?;
        if question.len() > MAX_QUESTION_BYTES {
            return Err(AskError::QuestionTooManyBytes {
                bytes: question.len(),
            });
        }
        if question.trim().is_empty() {
            return Err(AskError::EmptyQuestion);
        }
        let request = self
            .prompts
            .request(&self.tokenizer, question, options.mode, limits);
        let request = Request {
            sampling: options.sampling,
            ..request
        };
        let context_length = self.executor.context_length();
        if request.target_ids.len() + limits.max_tokens as usize > context_length as usize {
            return Err(AskError::QuestionTooLong {
                tokens: request.target_ids.len(),
                max_tokens: limits.max_tokens,
                context_length,
            });
        }
        Ok(request)
    }

    fn limits(&self, options: &AskOptions) -> Result<Limits, AskError<E::Error>> {
        let within = |option, found: u32, max| {
            if (1..=max).contains(&found) {
                Ok(found)
            } else {
                Err(AskError::OptionOutOfRange {
                    option,
                    found,
                    min: 1,
                    max,
                })
            }
        };
        let context_length = self.executor.context_length();
        Ok(Limits {
            implicit_tokens: within(
                "the number of implicit tokens",
                options.implicit_tokens.unwrap_or(self.implicit_tokens),
                MAX_IMPLICIT_TOKENS,
            )?,
            max_tokens: within(
                "the number of tokens to write",
                options
                    .max_tokens
                    .unwrap_or(self.max_tokens.min(context_length)),
                context_length,
            )?,
            tokens_per_submit: within(
                "the number of tokens a submit",
                options
                    .tokens_per_submit
                    .unwrap_or_else(|| self.executor.default_tokens_per_submit()),
                context_length,
            )?,
        })
    }
}
