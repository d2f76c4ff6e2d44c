//! What an answer is: the text that was written, the short answer in it, and what it cost.

use serde::Serialize;

use crate::model::run::{Milliseconds, Report};
use crate::tokenizer::Tokenizer;

use super::Mode;
use super::request::Prompts;

/// An answered question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// How it was answered.
    pub mode: Mode,
    /// Everything that the target wrote, special tokens left out; reasoning and answer stand on
    /// lines of their own (run together, "= 9." and "9" would read as 9.9).
    pub text: String,
    /// The written reasoning; empty in the modes that write none.
    pub reasoning: String,
    /// The short answer: what stands after the answer prompt. Empty when the target never got there.
    pub answer: String,
    /// Token ids written, the end token included.
    pub token_ids: Vec<u32>,
    /// Tokens written, the end token included.
    pub tokens: u32,
    /// Implicit tokens handed to the target (0 in the modes without them).
    pub implicit_tokens: u32,
    /// Whether the target ended by itself (else it was cut off at the limit or cancelled).
    pub ended: bool,
    /// Forward passes of the target.
    pub target_passes: u32,
    /// Forward passes of the generator.
    pub generator_passes: u32,
    /// Command buffers submitted.
    pub submits: u32,
    /// Awaited read-backs.
    pub read_backs: u32,
    /// Bytes read back.
    pub bytes_read_back: u64,
    /// Compute dispatches.
    pub dispatches: u32,
    /// Where the time went.
    pub ms: Milliseconds,
}

impl Answer {
    /// Reads an answer out of a finished run.
    pub(super) fn from_report(
        mode: Mode,
        implicit_tokens: u32,
        report: Report,
        prompts: &Prompts,
        tokenizer: &Tokenizer,
    ) -> Answer {
        let ids = &report.token_ids;
        let (reasoning_ids, answer_ids) = match mode {
            Mode::Implicit | Mode::Direct => (&[][..], &ids[..]),
            Mode::Explicit => match find(ids, &prompts.answer_ids) {
                Some(at) => (&ids[..at], &ids[at + prompts.answer_ids.len()..]),
                None => (&ids[..], &[][..]),
            },
        };
        let text_of = |ids: &[u32]| tokenizer.decode(ids).trim().to_owned();
        let (reasoning, answer) = (text_of(reasoning_ids), text_of(answer_ids));
        let text = match (reasoning.is_empty(), answer.is_empty()) {
            (false, false) => format!("{reasoning}\n{answer}"),
            _ => format!("{reasoning}{answer}"),
        };
        Answer {
            mode,
            text,
            reasoning,
            answer,
            tokens: ids.len() as u32,
            implicit_tokens,
            ended: ids.last() == Some(&prompts.end_token),
            target_passes: report.target_passes,
            generator_passes: report.generator_passes,
            submits: report.submits,
            read_backs: report.read_backs,
            bytes_read_back: report.bytes_read_back,
            dispatches: report.dispatches,
            ms: report.ms,
            token_ids: report.token_ids,
        }
    }
}

/// Position of the first occurrence of `wanted` in `ids`; an empty `wanted` is nowhere.
fn find(ids: &[u32], wanted: &[u32]) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    ids.windows(wanted.len())
        .position(|window| window == wanted)
}
