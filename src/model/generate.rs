//! Text from one model: ids go in, tokens come out as text that never ends within a character, and
//! writing stops at the end token, at a stop string or at the last token allowed. Which tokens are
//! chosen is [`Sampling`]'s; who computes is an executor's.

use std::ops::ControlFlow;

use serde::Serialize;

use super::Sampling;
use super::run::{Execute, Report, Request};
use crate::tokenizer::{Stream, Tokenizer};

/// An id that no model writes, where no token ends the text.
const NO_END_TOKEN: u32 = u32::MAX;

/// How text is written.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to write, the end token included.
    pub max_tokens: u32,
    /// Goes on behind the end token.
    pub ignores_end: bool,
    /// Writing stops where one of these would stand; it is not part of the text.
    pub stop_strings: Vec<String>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// K; absent: what the device measured for itself.
    pub tokens_per_submit: Option<u32>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            ignores_end: false,
            stop_strings: Vec::new(),
            sampling: Sampling::default(),
            tokens_per_submit: None,
        }
    }
}

/// Why writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The end token, or another that ends a turn.
    EndToken,
    /// A stop string.
    StopString,
    /// As many tokens as were allowed; or whoever listened.
    Limit,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The tokens: with the end token where it was reached, up to the one that completed a stop
    /// string where one was.
    pub ids: Vec<u32>,
    /// The text, without control tokens and without the stop string.
    pub text: String,
    /// Why there is no more.
    pub ended_by: EndedBy,
    /// What the run did; it may have written tokens behind a stop string.
    pub report: Report,
}

/// Writes text behind `prompt_ids`. `on_text` gets each part of it as soon as it can no longer
/// become a stop string, and may end the run.
///
/// # Errors
/// What the executor says; an option out of its range among it.
pub async fn generate<E: Execute>(
    executor: &mut E,
    tokenizer: &Tokenizer,
    prompt_ids: &[u32],
    options: &GenerateOptions,
    mut on_text: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<Generated, E::Error> {
    let end_token = tokenizer.end_token().filter(|_| !options.ignores_end);
    let tokens_per_submit = options.tokens_per_submit;
    let request = Request {
        generator: None,
        target_ids: prompt_ids.to_vec(),
        max_tokens: options.max_tokens,
        end_token: end_token.unwrap_or(NO_END_TOKEN),
        tokens_per_submit: tokens_per_submit
            .unwrap_or_else(|| executor.default_tokens_per_submit()),
        sampling: options.sampling,
    };
    let turn_ends = match options.ignores_end {
        true => Vec::new(),
        false => tokenizer.turn_ends(),
    };
    let mut written = Written::new(tokenizer, &options.stop_strings, turn_ends);
    let report = executor
        .run(&request, &mut |ids| {
            ids.iter().try_for_each(|&id| written.push(id))?;
            match written.take_ready() {
                "" => ControlFlow::Continue(()),
                part => on_text(part),
            }
        })
        .await?;
    let ended_by = written.finish(end_token);
    let rest = written.take_ready();
    if !rest.is_empty() {
        // The end has come anyway.
        let _ = on_text(rest);
    }
    Ok(Generated {
        ids: written.ids,
        text: written.text,
        ended_by,
        report,
    })
}

/// The text so far.
struct Written<'a> {
    stream: Stream<'a>,
    stop_strings: &'a [String],
    turn_ends: Vec<u32>,
    ids: Vec<u32>,
    text: String,
    /// Bytes of the text that have been handed over.
    handed_over: usize,
    /// Why there will be no more; absent while there may be.
    ended_by: Option<EndedBy>,
}

impl<'a> Written<'a> {
    fn new(tokenizer: &'a Tokenizer, stop_strings: &'a [String], turn_ends: Vec<u32>) -> Self {
        Self {
            stream: tokenizer.stream(),
            stop_strings,
            turn_ends,
            ids: Vec::new(),
            text: String::new(),
            handed_over: 0,
            ended_by: None,
        }
    }

    /// Adds a token; breaks when a stop string is complete, or the turn.
    fn push(&mut self, id: u32) -> ControlFlow<()> {
        self.ids.push(id);
        if self.turn_ends.contains(&id) {
            let rest = self.stream.finish();
            self.add(&rest)?;
            self.ended_by = Some(EndedBy::EndToken);
            return ControlFlow::Break(());
        }
        let added = self.stream.push(id);
        self.add(&added)
    }

    fn add(&mut self, added: &str) -> ControlFlow<()> {
        self.text.push_str(added);
        let stops = self.stop_strings.iter().filter(|it| !it.is_empty());
        let first = stops.filter_map(|it| self.text.find(it.as_str())).min();
        match first {
            None => ControlFlow::Continue(()),
            Some(at) => {
                self.text.truncate(at);
                self.ended_by = Some(EndedBy::StopString);
                ControlFlow::Break(())
            }
        }
    }

    /// Adds what stands for a character that was never completed; says why there is no more.
    fn finish(&mut self, end_token: Option<u32>) -> EndedBy {
        if self.ended_by.is_none() {
            let rest = self.stream.finish();
            // The end has come anyway.
            let _ = self.add(&rest);
        }
        let at_end_token = end_token.is_some() && self.ids.last().copied() == end_token;
        *self.ended_by.get_or_insert(match at_end_token {
            true => EndedBy::EndToken,
            false => EndedBy::Limit,
        })
    }

    /// Text that has not been handed over and stays, whatever follows.
    fn take_ready(&mut self) -> &str {
        let from = self.handed_over;
        self.handed_over = match self.ended_by.is_some() {
            true => self.text.len(),
            false => self.text.len() - self.held_back(),
        };
        &self.text[from..self.handed_over]
    }

    /// Bytes at the end of the text that begin a stop string.
    fn held_back(&self) -> usize {
        let longest = |stop: &String| {
            let begins = |len: &usize| self.text.ends_with(stop.get(..*len).unwrap_or("\0"));
            (1..stop.len()).rev().find(begins).unwrap_or(0)
        };
        self.stop_strings.iter().map(longest).max().unwrap_or(0)
    }
}
