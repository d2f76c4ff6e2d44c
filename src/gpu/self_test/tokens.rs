//! Cases of the kernels that choose a token: `select` and `sample`.

use super::super::{Gpu, GpuError};
use super::Comparison;
use super::bench::Values;
use crate::model::{RunState, Sampling};
use crate::reference;

/// A logit that is penalized is divided or multiplied once.
const PENALTY_TOLERANCE: f32 = 1e-6;

/// Logits lie between this and its opposite.
const LOGIT_RANGE: f32 = 4.0;

/// The choice of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectCase {
    /// Number of logits.
    pub vocab_size: usize,
    /// The token that is to be chosen. The token two behind it, where there is one, has the same
    /// logit.
    pub largest: usize,
    /// Rows of the pass before.
    pub rows: u32,
    /// Whether the chosen token ends the run.
    pub is_end: bool,
    /// Whether the run has ended before.
    pub is_done: bool,
}

impl SelectCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        // Below zero, so that a logit of a thread without one would win.
        let mut logits: Vec<f32> = values.within(1.0, self.vocab_size);
        for logit in &mut logits {
            *logit -= 3.0;
        }
        let largest = -1.0;
        logits[self.largest] = largest;
        if let Some(second) = logits.get_mut(self.largest + 2) {
            *second = largest;
        }
        let mut run = RunState {
            rows: self.rows,
            position: 2,
            done: self.is_done.into(),
            written: 1,
            max_tokens: 9,
            end_token: if self.is_end {
                self.largest as u32
            } else {
                u32::MAX
            },
            ..RunState::default()
        };
        let mut tokens = vec![u32::MAX; (run.position + run.rows) as usize + 2];
        let run_buffer = gpu.run_buffer(run)?;
        let tokens_buffer = gpu.filled("tokens", &tokens)?;
        let logits_buffer = gpu.filled("logits", &logits)?;
        let dispatch = gpu.select(&run_buffer, self.vocab_size, &logits_buffer, &tokens_buffer)?;
        let found_tokens: Vec<u32> = gpu
            .written(&[dispatch], 1, &tokens_buffer, tokens.len())
            .await?;
        let found_run: Vec<u32> = gpu.content(&run_buffer, run.words().len()).await?;
        reference::select(&mut run, &logits, &mut tokens);
        Ok(equal(&found_tokens, &tokens).and(equal(&found_run, &run.words())))
    }
}

/// The choice of a token by its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleCase {
    /// Number of logits.
    pub vocab_size: usize,
    /// How it is chosen.
    pub sampling: Sampling,
    /// Tokens that stand before it, the last of which a penalty looks at.
    pub tokens_before: u32,
    /// Whether the run has ended before.
    pub is_done: bool,
}

impl SampleCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let mut logits: Vec<f32> = values.within(LOGIT_RANGE, self.vocab_size);
        let mut run = RunState {
            rows: self.tokens_before,
            done: self.is_done.into(),
            written: 1,
            max_tokens: 9,
            end_token: u32::MAX,
            ..RunState::default()
        };
        let mut tokens = vec![u32::MAX; self.tokens_before as usize + 2];
        for token in &mut tokens[..self.tokens_before as usize] {
            *token = values.below(self.vocab_size) as u32;
        }
        // An embedding that was given in a token's place.
        tokens[0] = u32::MAX - 1;
        let run_buffer = gpu.run_buffer(run)?;
        let tokens_buffer = gpu.filled("tokens", &tokens)?;
        let logits_buffer = gpu.filled("logits", &logits)?;
        let dispatch = gpu.sample(
            &run_buffer,
            &gpu.filled("sampling", &self.sampling.words())?,
            self.vocab_size,
            &logits_buffer,
            &tokens_buffer,
        )?;
        let found_tokens: Vec<u32> = gpu
            .written(&[dispatch], 1, &tokens_buffer, tokens.len())
            .await?;
        let found_run: Vec<u32> = gpu.content(&run_buffer, run.words().len()).await?;
        let found_logits: Vec<f32> = gpu.content(&logits_buffer, logits.len()).await?;
        reference::sample(&mut run, &self.sampling, &mut logits, &mut tokens);
        Ok(equal(&found_tokens, &tokens)
            .and(equal(&found_run, &run.words()))
            .and(Comparison::new(&found_logits, &logits, PENALTY_TOLERANCE)))
    }
}

/// Compares whole numbers. Those here are small or all ones, so that f32 tells them apart.
fn equal(found: &[u32], expected: &[u32]) -> Comparison {
    let as_f32 = |it: &[u32]| -> Vec<f32> { it.iter().map(|&it| it as f32).collect() };
    Comparison::new(&as_f32(found), &as_f32(expected), f32::EPSILON)
}
