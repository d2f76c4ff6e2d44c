//! How good answers are: rules that judge one answer, a tally with its interval, and files of questions.
//! Nothing here runs a model.

pub mod interval;
pub mod items;
pub mod rules;
pub mod tally;

pub use interval::Interval;
pub use items::{Item, ItemsError, read_items};
pub use rules::AnswerKind;
pub use tally::Tally;
