//! How long prefill and decode of a model take on a device, and what they submit: the figures of
//! `semcot bench` and of the page's `engine.bench`. Ids are drawn at random by a fixed seed, since
//! only their number matters, and no token ends a run early.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::model::Sampling;
use crate::model::run::{Execute, Report, Request};
use crate::problems::Random;
use crate::reasoning::comparison::Spread;

/// Most repeats of one measurement.
pub const MAX_REPEATS: u32 = 1000;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchOptions {
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// Tokens to write.
    pub decode_tokens: u32,
    /// Measured runs, after one that is not.
    pub repeats: u32,
    /// Tokens decoded a submit; the device's own default where absent.
    pub tokens_per_submit: Option<u32>,
}

impl Default for BenchOptions {
    fn default() -> Self {
        BenchOptions {
            prompt_tokens: 64,
            decode_tokens: 64,
            repeats: 5,
            tokens_per_submit: None,
        }
    }
}

/// What was measured. Times are by the host's clock, read-back included: what a caller waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// Length of the prompt.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub decode_tokens: u32,
    /// Tokens decoded a submit.
    pub tokens_per_submit: u32,
    /// Prompt to first token, read back.
    pub prefill_ms: Spread,
    /// All further tokens.
    pub decode_ms: Spread,
    /// Median of prefill, a token of the prompt.
    pub prefill_ms_per_token: f64,
    /// Median of decode, a token written after the first.
    pub decode_ms_per_token: f64,
    /// Dispatches of the prefill, which chooses the first token too.
    pub prefill_dispatches: u32,
    /// Dispatches of one decode pass.
    pub decode_dispatches_per_token: f64,
    /// Command buffers submitted for the whole answer.
    pub submits: u32,
    /// Awaited read-backs of the whole answer.
    pub read_backs: u32,
    /// Bytes read back for the whole answer.
    pub bytes_read_back: u64,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError<E: std::error::Error + 'static> {
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
    /// The device failed.
    #[error(transparent)]
    Run(E),
}

/// Measures the target of `executor`, whose vocabulary has `vocab_size` ids.
///
/// # Errors
/// Where prompt and answer do not fit the context, or the device fails.
pub async fn bench<E: Execute>(
    executor: &mut E,
    vocab_size: u32,
    options: &BenchOptions,
) -> Result<Bench, BenchError<E::Error>> {
    let context = executor.context_length();
    // The first token comes out of the prefill: a second one is needed for a decode pass.
    within(
        "the number of tokens to write",
        options.decode_tokens,
        2,
        context,
    )?;
    let most = context - options.decode_tokens;
    within("the length of the prompt", options.prompt_tokens, 1, most)?;
    within("the number of repeats", options.repeats, 1, MAX_REPEATS)?;
    let tokens_per_submit = options
        .tokens_per_submit
        .unwrap_or_else(|| executor.default_tokens_per_submit());
    within(
        "the number of tokens a submit",
        tokens_per_submit,
        1,
        context,
    )?;

    let mut random = Random::new(1);
    let target_ids = (0..options.prompt_tokens)
        .map(|_| random.below(vocab_size))
        .collect();
    let whole = Request {
        generator: None,
        target_ids,
        max_tokens: options.decode_tokens,
        // No id of the vocabulary, so that every run writes as much.
        end_token: u32::MAX,
        tokens_per_submit,
        sampling: Sampling::default(),
    };
    let first_only = Request {
        max_tokens: 1,
        ..whole.clone()
    };

    let mut prefill_ms = Vec::new();
    let mut decode_ms = Vec::new();
    let mut last = (Report::default(), Report::default());
    for repeat in 0..=options.repeats {
        let first = timed(executor, &first_only).await?;
        let all = timed(executor, &whole).await?;
        // The first round warms up: drivers compile kernels when they are first used.
        if repeat > 0 {
            prefill_ms.push(first.ms.total);
            decode_ms.push((all.ms.total - first.ms.total).max(0.0));
        }
        last = (first, all);
    }

    let (first, all) = last;
    let passes = f64::from(all.target_passes.saturating_sub(1).max(1));
    let (prefill_ms, decode_ms) = (Spread::of(prefill_ms), Spread::of(decode_ms));
    Ok(Bench {
        prompt_tokens: options.prompt_tokens,
        decode_tokens: options.decode_tokens,
        tokens_per_submit,
        prefill_ms_per_token: prefill_ms.median / f64::from(options.prompt_tokens),
        decode_ms_per_token: decode_ms.median / passes,
        prefill_ms,
        decode_ms,
        prefill_dispatches: first.dispatches,
        decode_dispatches_per_token: f64::from(all.dispatches - first.dispatches) / passes,
        submits: all.submits,
        read_backs: all.read_backs,
        bytes_read_back: all.bytes_read_back,
    })
}

async fn timed<E: Execute>(
    executor: &mut E,
    request: &Request,
) -> Result<Report, BenchError<E::Error>> {
    let started = crate::clock::now_ms();
    let go_on = &mut |_: &[u32]| ControlFlow::Continue(());
    let mut report = executor
        .run(request, go_on)
        .await
        .map_err(BenchError::Run)?;
    report.ms.total = crate::clock::now_ms() - started;
    Ok(report)
}

fn within<E: std::error::Error>(
    option: &'static str,
    found: u32,
    min: u32,
    max: u32,
) -> Result<(), BenchError<E>> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    Err(BenchError::OptionOutOfRange {
        option,
        found,
        min,
        max,
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// Dispatches 20 for a prompt and 3 for a token; reads back every K tokens.
    struct ByRote;

    impl Execute for ByRote {
        type Error = std::convert::Infallible;

        async fn run(
            &mut self,
            request: &Request,
            _: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
        ) -> Result<Report, Self::Error> {
            let tokens = request.max_tokens;
            Ok(Report {
                token_ids: vec![0; tokens as usize],
                target_passes: tokens,
                dispatches: 20 + 3 * (tokens - 1),
                read_backs: tokens.div_ceil(request.tokens_per_submit),
                ..Report::default()
            })
        }

        fn context_length(&self) -> u32 {
            128
        }

        fn default_tokens_per_submit(&self) -> u32 {
            8
        }
    }

    fn measured(options: BenchOptions) -> Result<Bench, BenchError<std::convert::Infallible>> {
        pollster::block_on(bench(&mut ByRote, 100, &options))
    }

    #[test]
    fn decode_is_what_the_whole_takes_beyond_the_first_token() {
        let bench = measured(BenchOptions {
            repeats: 3,
            decode_tokens: 33,
            ..BenchOptions::default()
        })
        .unwrap();
        assert_eq!(bench.prefill_dispatches, 20);
        assert_eq!(bench.decode_dispatches_per_token, 3.0);
        assert_eq!(bench.read_backs, 5);
        assert_eq!(bench.tokens_per_submit, 8);
        assert_eq!(bench.prefill_ms.runs.len(), 3, "the warm-up is not counted");
    }

    #[test]
    fn a_prompt_that_leaves_no_room_for_the_answer_is_refused() {
        let error = measured(BenchOptions {
            prompt_tokens: 100,
            decode_tokens: 29,
            ..BenchOptions::default()
        });
        let message = error.unwrap_err().to_string();
        assert_eq!(
            message,
            "the length of the prompt is 100: it must be between 1 and 99"
        );
    }
}
