//! Cases of the kernels that choose a token.

use super::super::{Case, SampleCase, SelectCase};
use super::VOCAB_SIZE;
use crate::model::Sampling;
pub(super) fn select(cases: &mut Vec<Case>) {
    // Around the number of threads that share a row.
    for vocab_size in [1, 3, 31, 33, 64, 65, VOCAB_SIZE] {
        for largest in [0, vocab_size / 2, vocab_size - 1] {
            for (rows, is_end, is_done) in [(1, false, false), (33, true, false), (1, false, true)]
            {
                cases.push(Case::Select(SelectCase {
                    vocab_size,
                    largest,
                    rows,
                    is_end,
                    is_done,
                }));
            }
        }
    }
}

/// Every option, then each alone. Where a bound falls between two sums of the same tokens, a device
/// may choose another token than its twin: seeds are such that none does.
pub(super) const SAMPLINGS: [Sampling; 6] = [
    Sampling {
        temperature: 0.7,
        top_k: 40,
        top_p: 0.9,
        min_p: 0.05,
        repetition_penalty: 1.3,
        seed: 1 << 40 | 17,
    },
    Sampling {
        temperature: 1.0,
        ..GREEDY
    },
    Sampling {
        temperature: 1.0,
        top_k: 5,
        ..GREEDY
    },
    Sampling {
        temperature: 1.0,
        top_p: 0.6,
        ..GREEDY
    },
    Sampling {
        temperature: 2.0,
        min_p: 0.4,
        ..GREEDY
    },
    Sampling {
        repetition_penalty: 1.7,
        ..GREEDY
    },
];

const GREEDY: Sampling = Sampling {
    temperature: 0.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.0,
    seed: 5,
};

pub(super) fn sample(cases: &mut Vec<Case>) {
    for vocab_size in [1, 33, 65, VOCAB_SIZE] {
        for sampling in SAMPLINGS {
            for (tokens_before, is_done) in [(3, false), (70, false), (3, true)] {
                cases.push(Case::Sample(SampleCase {
                    vocab_size,
                    sampling,
                    tokens_before,
                    is_done,
                }));
            }
        }
    }
}
