//! Cases of the kernels that take rows of activations one by one.

use super::super::{Case, MeanCase, PackCase, Pass, RmsNormCase};
use super::{DONE, LAST_ROWS, LENGTHS};
pub(super) fn rms_norm(cases: &mut Vec<Case>) {
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

pub(super) fn pack(cases: &mut Vec<Case>) {
    for width in [16, 80, 1040] {
        for pass in [Pass::of_rows(1), Pass::of_rows(33), LAST_ROWS, DONE] {
            cases.push(Case::Pack(PackCase { width, pass }));
        }
    }
}

pub(super) fn mean(cases: &mut Vec<Case>) {
    // 1028: more quads than a workgroup has threads.
    for width in [4, 80, 1028] {
        for pass in [Pass::of_rows(1), Pass::of_rows(33), LAST_ROWS, DONE] {
            cases.push(Case::Mean(MeanCase { width, pass }));
        }
    }
}
