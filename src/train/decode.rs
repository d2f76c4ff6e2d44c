//! Writing on the training backend, greedily and many questions at once: the only place where the baselines can answer.
//! The engine's own decoding is `crate::model`'s.

use burn::Tensor;

use super::baselines::Prompt;
use super::baselines::adapted::AdaptedTarget;
use super::llama::Packing;
use super::target::best_rows;
use crate::model::Sampling;
use crate::reference::{drawn, sampling_weights};

/// What was written for one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The end token included, where it was written.
    pub ids: Vec<u32>,
    /// Passes of the target: one for each token, and those that its input took.
    pub target_passes: u32,
    pub generator_passes: u32,
}

/// The most likely token again and again, until the end token, `most_tokens` or the end of the context.
pub fn write_greedily(
    target: &AdaptedTarget,
    prompt: Prompt,
    end: u32,
    most_tokens: usize,
) -> Vec<Written> {
    write(target, prompt, end, most_tokens, &[])
}

/// The same with tokens drawn as each question's sampling says; where there is none for it, the most likely ones. The
/// penalty for repetition is left out.
pub fn write(
    target: &AdaptedTarget,
    prompt: Prompt,
    end: u32,
    most_tokens: usize,
    samplings: &[Sampling],
) -> Vec<Written> {
    let mut written: Vec<Written> = (prompt.target_passes.iter())
        .map(|&target_passes| Written {
            ids: Vec::new(),
            target_passes,
            generator_passes: prompt.generator_passes,
        })
        .collect();
    let mut left: Vec<usize> = (0..written.len()).collect();
    let decoder = &target.model.decoder;
    let mut packing = Packing {
        wanted: vec![1; left.len()],
        lengths: prompt.lengths,
        before: Vec::new(),
    };
    let (mut hidden, mut prefix) = decoder.extended(None, prompt.x, &packing);
    loop {
        let rows = packing.extended_rows();
        let logits = target.logits(hidden);
        let found = match samplings {
            [] => best_rows(logits),
            _ => drawn_rows(logits, &left, &written, samplings),
        };
        let (mut newest, mut before, mut still_left) = (Vec::new(), Vec::new(), Vec::new());
        for ((question, id), rows) in left.into_iter().zip(found).zip(rows) {
            let written = &mut written[question];
            written.ids.push(id);
            written.target_passes += 1;
            if id != end && written.ids.len() < most_tokens && rows.len() < decoder.positions() {
                newest.push(id);
                before.push(rows);
                still_left.push(question);
            }
        }
        left = still_left;
        if left.is_empty() {
            return written;
        }
        packing = Packing {
            lengths: vec![1; left.len()],
            wanted: vec![1; left.len()],
            before,
        };
        (hidden, prefix) = decoder.extended(Some(&prefix), target.embed(&newest), &packing);
    }
}

/// A token drawn from each row of logits, for the questions that are left.
fn drawn_rows(
    logits: Tensor<2>,
    left: &[usize],
    written: &[Written],
    samplings: &[Sampling],
) -> Vec<u32> {
    let width = logits.dims()[1];
    let values = logits
        .inner()
        .try_into_vec_as::<f32>()
        .expect("tensors in training are f32");
    let of_row = |(logits, &question): (&[f32], &usize)| {
        let sampling = &samplings[question];
        let uniform = sampling.uniform(written[question].ids.len() as u32);
        drawn(&sampling_weights(sampling, logits), f64::from(uniform))
    };
    values.chunks_exact(width).zip(left).map(of_row).collect()
}
