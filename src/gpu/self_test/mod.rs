//! Kernels against their CPU twins, one dispatch at a time, on the device at hand.
//!
//! A [`Case`] says what one dispatch is given; [`check`](Case::check) dispatches it the way that
//! models do, runs the twin on the same values, and compares everything that the kernel could have
//! written: what it must leave alone too. [`cases`] is the whole table. Not for whole passes: those
//! are compared by `tests/latent_path.rs` and `tests/fixtures`.

mod attention;
mod bench;
mod linear;
mod packed;
mod rows;
mod table;
mod tokens;

pub use attention::{AttendCase, HeadsCase, RotateCase};
pub use linear::LinearCase;
pub use packed::PackCase;
pub use rows::{EmbedCase, MeanCase, RmsNormCase};
pub(super) use table::quick_cases;
pub use table::{SMALL_BINDING_BYTES, cases, cases_in_pieces};
pub use tokens::{SampleCase, SelectCase};

use super::{Gpu, GpuError};
use crate::model::RunState;

/// What one dispatch of a kernel is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Case {
    /// `embed`.
    Embed(EmbedCase),
    /// `rms_norm`.
    RmsNorm(RmsNormCase),
    /// `matvec` or `matmul`.
    Linear(LinearCase),
    /// `pack_rows`.
    Pack(PackCase),
    /// `rotate_and_cache`.
    Rotate(RotateCase),
    /// `attend`.
    Attend(AttendCase),
    /// `mean`.
    Mean(MeanCase),
    /// `select`.
    Select(SelectCase),
    /// `sample`.
    Sample(SampleCase),
}

impl Case {
    /// Name of the kernel, which is its twin's.
    pub fn kernel(&self) -> &'static str {
        match self {
            Self::Embed(_) => "embed",
            Self::RmsNorm(_) => "rms_norm",
            Self::Linear(it) => it.kernel(),
            Self::Pack(_) => "pack_rows",
            Self::Rotate(_) => "rotate_and_cache",
            Self::Attend(_) => "attend",
            Self::Mean(_) => "mean",
            Self::Select(_) => "select",
            Self::Sample(_) => "sample",
        }
    }

    /// Runs the kernel on `gpu` and its twin on the CPU.
    pub async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let scopes = gpu.error_scopes();
        let checked = match self {
            Self::Embed(it) => it.check(gpu).await,
            Self::RmsNorm(it) => it.check(gpu).await,
            Self::Linear(it) => it.check(gpu).await,
            Self::Pack(it) => it.check(gpu).await,
            Self::Rotate(it) => it.check(gpu).await,
            Self::Attend(it) => it.check(gpu).await,
            Self::Mean(it) => it.check(gpu).await,
            Self::Select(it) => it.check(gpu).await,
            Self::Sample(it) => it.check(gpu).await,
        };
        scopes.finish(self.kernel(), 0).await?;
        checked
    }
}

/// The rows that a dispatch works on: the part of `Run` that kernels other than `select` read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Position of row 0 of the buffers.
    pub position: u32,
    /// First row worked on.
    pub first_row: u32,
    /// How many rows.
    pub rows: u32,
    /// The run has ended: nothing may be written.
    pub is_done: bool,
}

impl Pass {
    /// The first rows of the buffers.
    pub const fn of_rows(rows: u32) -> Self {
        Self {
            position: 0,
            first_row: 0,
            rows,
            is_done: false,
        }
    }

    fn run(self) -> RunState {
        RunState {
            rows: self.rows,
            position: self.position,
            first_row: self.first_row,
            done: self.is_done.into(),
            ..RunState::default()
        }
    }

    /// The same rows for a twin that is given them as the first rows of its buffers.
    fn run_from_row_0(self) -> RunState {
        RunState {
            position: self.position + self.first_row,
            first_row: 0,
            ..self.run()
        }
    }

    /// Rows that the buffers have.
    fn buffer_rows(self) -> usize {
        (self.first_row + self.rows) as usize
    }

    /// Positions up to the last row's.
    fn context(self) -> usize {
        self.position as usize + self.buffer_rows()
    }
}

/// How a kernel's values compare with its twin's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Values compared.
    pub values: usize,
    /// The value that is furthest from the twin's, in tolerances.
    pub worst: Difference,
}

/// A value of the kernel and the one of its twin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// What the kernel wrote.
    pub found: f32,
    /// What the twin wrote.
    pub expected: f32,
    /// Index of the value in its buffer.
    pub index: usize,
    /// `|found - expected|` in tolerances: more than 1 is wrong, what is no number is infinite.
    pub tolerances: f32,
}

impl Comparison {
    /// Compares value by value; a tolerance counts from a magnitude of 1 on relatively.
    fn new(found: &[f32], expected: &[f32], tolerance: f32) -> Self {
        assert_eq!(found.len(), expected.len(), "a kernel and its twin");
        let differences = found.iter().zip(expected).enumerate();
        let differences = differences.map(|(index, (&found, &expected))| {
            let ratio = (found - expected).abs() / (tolerance * expected.abs().max(1.0));
            Difference {
                found,
                expected,
                index,
                tolerances: if ratio.is_nan() { f32::INFINITY } else { ratio },
            }
        });
        let worst = differences.max_by(|a, b| a.tolerances.total_cmp(&b.tolerances));
        Self {
            values: found.len(),
            worst: worst.expect("no buffer is empty"),
        }
    }

    /// This comparison and that of another buffer in one.
    fn and(self, other: Self) -> Self {
        let worst = if other.worst.tolerances > self.worst.tolerances {
            other.worst
        } else {
            self.worst
        };
        Self {
            values: self.values + other.values,
            worst,
        }
    }

    /// Whether every value is near enough to the twin's.
    pub fn agrees(&self) -> bool {
        self.worst.tolerances <= 1.0
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference {
            found,
            expected,
            index,
            tolerances,
        } = self.worst;
        write!(
            f,
            "value {index} is {found}, the twin's {expected}: {tolerances:.3} of what is allowed"
        )
    }
}
