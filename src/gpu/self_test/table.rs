//! The table of cases: sizes that are no multiple of anything where the weight type allows, for
//! every weight type, every type of cache, and both ways to hold rows.
//!
//! Sizes and options are constants of a pipeline, which drivers take a while to compile (lavapipe
//! 3 s for `matmul_columns`, a tenth of that for most others); numbers of rows are not. So each
//! weight type is tried in `matvec` and `embed` with each width, in `matmul` with the widest, which
//! has an odd number of blocks; options that weights know nothing of are tried with F32.

mod attention;
mod choice;
mod linear;
mod rows;

use self::choice::SAMPLINGS;
use self::linear::widest;
use super::super::variants::Axis;
use super::super::{Halves, Layout, Products, Reduce, kernel};
use super::{
    AttendCase, Case, EmbedCase, HeadsCase, LinearCase, PackCase, Pass, RmsNormCase, RotateCase,
    SampleCase, SelectCase,
};
use crate::model::{KvType, RopePairing};
use crate::weights::WeightType;

/// No multiple of 4, nor of the 64 rows that lie side by side for software adapters.
const VOCAB_SIZE: usize = 901;

/// Lengths of prompts around those that threads and workgroups take.
const LENGTHS: [u32; 5] = [1, 2, 31, 33, 150];

/// The last rows of a longer prompt, and a piece of a prompt.
const LAST_ROWS: Pass = Pass {
    position: 0,
    first_row: 26,
    rows: 7,
    is_done: false,
};
const LATER_PIECE: Pass = Pass {
    position: 256,
    first_row: 0,
    rows: 31,
    is_done: false,
};
const LATER_TOKEN: Pass = Pass {
    position: 149,
    first_row: 0,
    rows: 1,
    is_done: false,
};
const DONE: Pass = Pass {
    position: 3,
    first_row: 1,
    rows: 5,
    is_done: true,
};

const HEADS: [HeadsCase; 5] = [
    heads(4, 2, 16),
    heads(4, 1, 32),
    heads(2, 2, 64),
    heads(3, 1, 80),
    heads(2, 1, 128),
];

const fn heads(heads: usize, kv_heads: usize, head_dim: usize) -> HeadsCase {
    HeadsCase {
        heads,
        kv_heads,
        head_dim,
    }
}

/// Every case whose kernel is completed differently by this layout than by the portable one: by
/// subgroups only the kernels that reduce, and so on.
pub fn cases(layout: Layout) -> Vec<Case> {
    let mut cases = Vec::new();
    for &weights in WeightType::ALL {
        linear::matmul(weights, &mut cases);
        linear::matvec(weights, &mut cases);
        linear::embed(weights, &mut cases);
    }
    rows::rms_norm(&mut cases);
    choice::select(&mut cases);
    choice::sample(&mut cases);
    attention::rotate(&mut cases);
    attention::attend(&mut cases);
    rows::mean(&mut cases);
    if layout == Reduce::Serial.into() || layout == Reduce::Workgroup.into() {
        return cases;
    }
    if layout.products == Products::Bytes {
        rows::pack(&mut cases);
    }
    cases.retain(|case| {
        let kernel = kernel(case.kernel()).expect("cases are of kernels");
        layout.reduce == Reduce::Subgroup && kernel.has_reduce()
            || layout.halves == Halves::Native && case.has_f16_cache()
            || layout.products == Products::Bytes && case.has_products_of_bytes()
    });
    cases
}

impl Case {
    fn has_f16_cache(&self) -> bool {
        match self {
            Self::Rotate(it) => it.kv == KvType::F16,
            Self::Attend(it) => it.kv == KvType::F16,
            _ => false,
        }
    }

    fn has_products_of_bytes(&self) -> bool {
        match self {
            Self::Pack(_) => true,
            Self::Linear(it) => !it.is_one_row && it.weights.has_quants(),
            _ => false,
        }
    }
}

/// A case of every kernel that variants along an axis differ in, for the milliseconds before a
/// variant is used: rows that no number of threads divides, and more values than threads.
pub(in super::super) fn quick_cases(axis: Axis) -> Vec<Case> {
    let matvec = |weights| {
        Case::Linear(LinearCase {
            is_one_row: true,
            has_norm: true,
            ..LinearCase::plain(weights, widest(weights), VOCAB_SIZE, Pass::of_rows(1))
        })
    };
    let attend = |is_one_row, pass| {
        Case::Attend(AttendCase {
            heads: HEADS[3],
            is_causal: true,
            window: None,
            is_one_row,
            kv: KvType::F16,
            pass,
        })
    };
    let matmul = |weights| {
        let pass = Pass::of_rows(33);
        Case::Linear(LinearCase::plain(
            weights,
            widest(weights),
            VOCAB_SIZE,
            pass,
        ))
    };
    match axis {
        Axis::Reduce => vec![
            Case::RmsNorm(RmsNormCase {
                width: 1028,
                pass: Pass::of_rows(33),
            }),
            matvec(WeightType::F16),
            matvec(WeightType::Q8_0),
            matmul(WeightType::Q8_0),
            attend(true, LATER_TOKEN),
            attend(false, Pass::of_rows(33)),
            Case::Select(SelectCase {
                vocab_size: VOCAB_SIZE,
                largest: VOCAB_SIZE / 2,
                rows: 33,
                is_end: false,
                is_done: false,
            }),
            Case::Sample(SampleCase {
                vocab_size: VOCAB_SIZE,
                sampling: SAMPLINGS[0],
                tokens_before: 70,
                is_done: false,
            }),
        ],
        Axis::Halves => vec![
            Case::Rotate(RotateCase {
                heads: HEADS[3],
                pairing: RopePairing::Neighbours,
                has_norms: false,
                kv: KvType::F16,
                pass: Pass::of_rows(33),
            }),
            attend(true, LATER_TOKEN),
            attend(false, Pass::of_rows(33)),
        ],
        // One type without and one with an offset to its bytes.
        Axis::Products => vec![
            Case::Pack(PackCase {
                width: 96,
                pass: Pass::of_rows(33),
            }),
            matmul(WeightType::Q8_0),
            matmul(WeightType::Q4_K),
        ],
    }
}

/// A limit on bindings that the weights of [`cases_in_pieces`] are two or three times as large as,
/// and that none of their other buffers reaches.
pub const SMALL_BINDING_BYTES: u64 = 128 << 10;

/// Cases for a device of [`SMALL_BINDING_BYTES`]: weights in pieces, with bias and a first column so
/// that those of a piece are in the wrong place unless they move with it.
pub fn cases_in_pieces() -> Vec<Case> {
    let mut cases = Vec::new();
    for (weights, width) in [(WeightType::F32, 96), (WeightType::Q8_0, 288)] {
        let pass = Pass::of_rows(33);
        let matvec = LinearCase {
            out_first: 19,
            out_spared: 7,
            is_one_row: true,
            has_norm: true,
            has_bias: true,
            ..LinearCase::plain(weights, width, VOCAB_SIZE, pass)
        };
        cases.push(Case::Linear(matvec));
        cases.push(Case::Embed(EmbedCase {
            weights,
            vocab_size: VOCAB_SIZE,
            width,
            pass,
        }));
        if weights == WeightType::F32 {
            cases.push(Case::Linear(LinearCase {
                is_one_row: false,
                has_norm: false,
                ..matvec
            }));
        }
    }
    cases
}
