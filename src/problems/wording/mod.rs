//! The words of the problems: names, things, and the sentences they stand in. Text only, no choices.

pub mod coins;
pub mod everyday;
pub mod names;
pub mod objects;
pub mod stories;
pub mod template;
