//! The table of cases: sizes that are no multiple of anything where the weight type allows, for
//! every weight type, every type of cache, and both ways to hold rows.
//!
//! Sizes and options are constants of a pipeline, which drivers take a while to compile (lavapipe
//! 3 s for `matmul_columns`, a tenth of that for most others); numbers of rows are not. So each
//! weight type is tried in `matvec` and `embed` with each width, in `matmul` with the widest, which
//! has an odd number of blocks; options that weights know nothing of are tried with F32.

use super::super::variants::Axis;
use super::super::{Halves, Layout, Products, Reduce, kernel};
use super::{
    AttendCase, Case, EmbedCase, HeadsCase, LinearCase, MeanCase, PackCase, Pass, RmsNormCase,
    RotateCase, SampleCase, SelectCase,
};
use crate::model::{KvType, RopePairing, Sampling};
use crate::weights::WeightType;

/// Widths of rows, before they are made whole blocks; 3 is a single quad.
const WIDTHS: [usize; 4] = [3, 64, 80, 96];

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
        matmul(weights, &mut cases);
        matvec(weights, &mut cases);
        embed(weights, &mut cases);
    }
    rms_norm(&mut cases);
    select(&mut cases);
    sample(&mut cases);
    rotate(&mut cases);
    attend(&mut cases);
    mean(&mut cases);
    if layout == Reduce::Serial.into() || layout == Reduce::Workgroup.into() {
        return cases;
    }
    if layout.products == Products::Bytes {
        pack(&mut cases);
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

/// The widths that a type allows; of types with blocks an odd number of blocks among them.
fn widths(weights: WeightType) -> Vec<usize> {
    let block_len = weights.block_len().max(4);
    let mut widths = WIDTHS.map(|it| it.next_multiple_of(block_len)).to_vec();
    widths.push(3 * block_len);
    widths.sort_unstable();
    widths.dedup();
    widths
}

fn widest(weights: WeightType) -> usize {
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

fn matmul(weights: WeightType, cases: &mut Vec<Case>) {
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

fn matvec(weights: WeightType, cases: &mut Vec<Case>) {
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

fn embed(weights: WeightType, cases: &mut Vec<Case>) {
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

fn rms_norm(cases: &mut Vec<Case>) {
    // 1028: more quads than any workgroup has threads.
    for width in [4, 64, 80, 96, 1028] {
        for rows in LENGTHS {
            let pass = Pass::of_rows(rows);
            cases.push(Case::RmsNorm(RmsNormCase { width, pass }));
        }
    }
    for pass in [LAST_ROWS, DONE] {
        cases.push(Case::RmsNorm(RmsNormCase { width: 80, pass }));
    }
}

fn pack(cases: &mut Vec<Case>) {
    for width in [16, 80, 1040] {
        for pass in [Pass::of_rows(1), Pass::of_rows(33), LAST_ROWS, DONE] {
            cases.push(Case::Pack(PackCase { width, pass }));
        }
    }
}

fn select(cases: &mut Vec<Case>) {
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
const SAMPLINGS: [Sampling; 6] = [
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

fn sample(cases: &mut Vec<Case>) {
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

fn rotate(cases: &mut Vec<Case>) {
    let mut add = |heads, pairing, has_norms, kv| {
        for pass in [Pass::of_rows(33), LAST_ROWS, LATER_TOKEN, DONE] {
            cases.push(Case::Rotate(RotateCase {
                heads,
                pairing,
                has_norms,
                kv,
                pass,
            }));
        }
    };
    for pairing in [RopePairing::Neighbours, RopePairing::Halves] {
        for heads in HEADS {
            for kv in [KvType::F32, KvType::F16] {
                add(heads, pairing, false, kv);
            }
        }
        add(HEADS[3], pairing, true, KvType::F32);
    }
    // A single quad, which has no halves.
    let narrow = heads(2, 1, 4);
    add(narrow, RopePairing::Neighbours, true, KvType::F16);
}

fn attend(cases: &mut Vec<Case>) {
    let mut add = |heads, window, kv, is_one_row, pass| {
        cases.push(Case::Attend(AttendCase {
            heads,
            is_causal: true,
            window,
            is_one_row,
            kv,
            pass,
        }));
    };
    for heads in HEADS {
        for kv in [KvType::F32, KvType::F16] {
            for rows in LENGTHS {
                add(heads, None, kv, false, Pass::of_rows(rows));
            }
            for pass in [LAST_ROWS, LATER_PIECE, DONE] {
                add(heads, None, kv, false, pass);
            }
            let last_row = Pass {
                first_row: 30,
                ..Pass::of_rows(1)
            };
            for pass in [Pass::of_rows(1), last_row, LATER_TOKEN] {
                add(heads, None, kv, true, pass);
            }
        }
    }
    for window in [1, 5, 200] {
        add(
            HEADS[0],
            Some(window),
            KvType::F16,
            false,
            Pass::of_rows(33),
        );
        add(HEADS[0], Some(window), KvType::F16, false, LATER_PIECE);
        add(HEADS[0], Some(window), KvType::F16, true, LATER_TOKEN);
    }
    for heads in [HEADS[0], HEADS[3]] {
        for (is_one_row, pass) in [
            (false, Pass::of_rows(33)),
            (false, LATER_PIECE),
            (false, LAST_ROWS),
            (true, Pass::of_rows(5)),
        ] {
            cases.push(Case::Attend(AttendCase {
                heads,
                is_causal: false,
                window: None,
                is_one_row,
                kv: KvType::F32,
                pass,
            }));
        }
    }
}

fn mean(cases: &mut Vec<Case>) {
    // 1028: more quads than a workgroup has threads.
    for width in [4, 80, 1028] {
        for pass in [Pass::of_rows(1), Pass::of_rows(33), LAST_ROWS, DONE] {
            cases.push(Case::Mean(MeanCase { width, pass }));
        }
    }
}
