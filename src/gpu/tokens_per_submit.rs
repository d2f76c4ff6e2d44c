//! How many tokens to decode before the host looks at them: K, chosen from what a token and a
//! read-back cost on this device.
//!
//! With K tokens a submit an answer of n tokens costs n t + (n / K) r, t for a token and r for a
//! submit and its awaited read-back; and up to K - 1 passes after its end that find the run done and
//! return at once. A large K makes long answers cheap and short ones (the implicit mode's 2 or 3
//! tokens) dearer. So K is the smallest power of two at which read-backs take at most a third of
//! the time of decoding, r <= K t / 2: doubling K further would save a long answer less than a
//! sixth of its time. Firefox, where r is 100 ms (5 ms when woken), comes out at 16 to 64, Chromium
//! at 4 to 16.

use std::ops::ControlFlow;

use super::{GpuError, GpuPair, ReadBack};
use crate::model::Sampling;
use crate::model::run::Request;

/// Fewer save nothing: the first submit holds prompt and tokens alike.
pub(super) const LEAST: u32 = 4;

/// More would make a reader wait for the next piece of text.
const MOST: u32 = 64;

/// A woken read-back looks for its data once in a browser timer's 4 ms: what is measured with
/// luck in the phase is not what the next one costs.
const LEAST_WOKEN: u32 = 16;

/// Tokens of the longer of the two runs that are compared.
const LONG_RUN: u32 = 9;

/// The middle of so many runs of each length counts.
const REPEATS: usize = 3;

/// The dearest read-back, Firefox's.
const MOST_READ_BACK_MS: f64 = 100.0;

/// K for this pair, measured by runs of 1 and of 9 tokens in one submit.
pub(super) async fn measured(pair: &mut GpuPair) -> Result<u32, GpuError> {
    // The first runs warm up: drivers compile kernels when they are first used.
    one_submit(pair, 1).await?;
    if one_submit(pair, 1).await? > 2.0 * MOST_READ_BACK_MS {
        // A token takes longer than any read-back, so that K is known; a large model on a slow
        // device would be minutes at it.
        return Ok(LEAST);
    }
    let long = LONG_RUN.min(pair.context_tokens());
    one_submit(pair, long).await?;
    let short_ms = median_ms(pair, 1).await?;
    let long_ms = median_ms(pair, long).await?;
    let token_ms = (long_ms - short_ms) / f64::from((long - 1).max(1));
    let least = match pair.gpu().read_back() {
        ReadBack::Await => LEAST,
        ReadBack::Wake => LEAST_WOKEN,
    };
    // The short run is one token and one read-back.
    Ok(tokens_per_submit(short_ms - token_ms, token_ms).max(least))
}

fn tokens_per_submit(read_back_ms: f64, token_ms: f64) -> u32 {
    let mut k = LEAST;
    while k < MOST && read_back_ms > f64::from(k) * token_ms / 2.0 {
        k *= 2;
    }
    k
}

async fn median_ms(pair: &mut GpuPair, tokens: u32) -> Result<f64, GpuError> {
    let mut times = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        times.push(one_submit(pair, tokens).await?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[REPEATS / 2])
}

/// Milliseconds of a run of so many tokens in one submit.
async fn one_submit(pair: &mut GpuPair, tokens: u32) -> Result<f64, GpuError> {
    let request = Request {
        generator: None,
        target_ids: vec![0],
        max_tokens: tokens,
        // No token has this id, so that the run is never shorter.
        end_token: u32::MAX,
        tokens_per_submit: tokens,
        sampling: Sampling::default(),
    };
    let report = pair.run(&request, |_| ControlFlow::Continue(())).await?;
    Ok(report.ms.total)
}

#[cfg(test)]
mod tests {
    use super::tokens_per_submit;

    #[test]
    fn dear_read_backs_make_long_submits() {
        assert_eq!(tokens_per_submit(0.1, 1.0), 4);
        assert_eq!(tokens_per_submit(2.4, 0.8), 8);
        assert_eq!(tokens_per_submit(5.0, 0.8), 16);
        assert_eq!(tokens_per_submit(100.0, 0.8), 64);
        assert_eq!(tokens_per_submit(100.0, 0.0), 64);
        assert_eq!(tokens_per_submit(-1.0, 0.8), 4);
    }
}
