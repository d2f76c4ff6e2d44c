//! Cases of the kernels of attention.

use super::super::{AttendCase, Case, Pass, RotateCase};
use super::{DONE, HEADS, LAST_ROWS, LATER_PIECE, LATER_TOKEN, LENGTHS, heads};
use crate::model::{KvType, RopePairing};
pub(super) fn rotate(cases: &mut Vec<Case>) {
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

pub(super) fn attend(cases: &mut Vec<Case>) {
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
