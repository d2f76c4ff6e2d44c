//! Cases of the kernels that read weights, for each type of them.

use super::super::{Case, EmbedCase, LinearCase, Pass};
use super::{DONE, LAST_ROWS, LATER_PIECE, LATER_TOKEN, LENGTHS, VOCAB_SIZE};
use crate::weights::WeightType;
/// Widths of rows, before they are made whole blocks; 3 is a single quad.
const WIDTHS: [usize; 4] = [3, 64, 80, 96];

/// The widths that a type allows; of types with blocks an odd number of blocks among them.
fn widths(weights: WeightType) -> Vec<usize> {
    let block_len = weights.block_len().max(4);
    let mut widths = WIDTHS.map(|it| it.next_multiple_of(block_len)).to_vec();
    widths.push(3 * block_len);
    widths.sort_unstable();
    widths.dedup();
    widths
}

pub(super) fn widest(weights: WeightType) -> usize {
    widths(weights).into_iter().max().expect("there are widths")
}

/// What a linear map can be told, with sizes that divide nothing.
fn linear_options(weights: WeightType, pass: Pass) -> [LinearCase; 5] {
    let width = widest(weights);
    let plain = |out_width| LinearCase::plain(weights, width, out_width, pass);
    [
        LinearCase {
            is_gated: true,
            ..plain(45)
        },
        LinearCase {
            adds: true,
            ..plain(66)
        },
        LinearCase {
            has_bias: true,
            out_first: 19,
            out_spared: 7,
            ..plain(77)
        },
        LinearCase {
            has_bias: true,
            is_compact: true,
            ..plain(52)
        },
        LinearCase {
            times_silu: true,
            ..plain(45)
        },
    ]
}

pub(super) fn matmul(weights: WeightType, cases: &mut Vec<Case>) {
    let plain = |width, rows| {
        let pass = Pass::of_rows(rows);
        LinearCase::plain(weights, width, VOCAB_SIZE, pass)
    };
    let mut linear = [2, 33].map(|rows| plain(widest(weights), rows)).to_vec();
    if weights == WeightType::F32 {
        linear.extend([plain(4, 31), plain(80, 31)]);
        let options = linear_options(weights, LAST_ROWS);
        linear.extend(options);
        let [_, _, bias, _, _] = options;
        linear.extend(LENGTHS.map(|rows| LinearCase {
            pass: Pass::of_rows(rows),
            ..bias
        }));
        linear.push(LinearCase { pass: DONE, ..bias });
    }
    cases.extend(linear.into_iter().map(Case::Linear));
}

pub(super) fn matvec(weights: WeightType, cases: &mut Vec<Case>) {
    let mut linear = Vec::new();
    for width in widths(weights) {
        linear.push(LinearCase {
            has_norm: true,
            ..LinearCase::plain(weights, width, VOCAB_SIZE, Pass::of_rows(1))
        });
    }
    let [gated, adds, bias, compact, times_silu] = linear_options(weights, LAST_ROWS);
    linear.push(LinearCase {
        has_norm: true,
        ..gated
    });
    linear.push(adds);
    linear.push(LinearCase {
        has_norm: true,
        ..times_silu
    });
    if weights == WeightType::F32 {
        linear.extend([bias, compact]);
        linear.push(LinearCase {
            has_norm: true,
            ..bias
        });
        linear.push(LinearCase { pass: DONE, ..bias });
    }
    cases.extend(linear.into_iter().map(|it| {
        Case::Linear(LinearCase {
            is_one_row: true,
            ..it
        })
    }));
}

pub(super) fn embed(weights: WeightType, cases: &mut Vec<Case>) {
    for width in widths(weights) {
        for rows in [1, 33] {
            cases.push(Case::Embed(EmbedCase {
                weights,
                vocab_size: VOCAB_SIZE,
                width,
                pass: Pass::of_rows(rows),
            }));
        }
    }
    if weights == WeightType::F32 {
        cases.extend([LAST_ROWS, LATER_PIECE, LATER_TOKEN, DONE].map(|pass| {
            Case::Embed(EmbedCase {
                weights,
                vocab_size: VOCAB_SIZE,
                width: 80,
                pass,
            })
        }));
    }
}
