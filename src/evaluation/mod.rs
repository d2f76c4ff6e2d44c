//! How good answers are: rules that judge one answer, a tally with its interval, files of questions,
//! and the run of many questions through a pair or past the looks inside it. Beside it, how long a model takes (`bench`).

pub mod bench;
pub mod interval;
pub mod items;
pub mod look;
pub mod map;
pub mod probe;
#[cfg(feature = "cli")]
pub mod report;
pub mod rules;
pub mod run;
pub mod seeds;
pub mod sweep;
pub mod tally;

pub use interval::Interval;
pub use items::{Item, ItemsError, read_items};
pub use rules::AnswerKind;
pub use seeds::MeanSd;
pub use tally::{Accuracy, Breakdown, Tally};
