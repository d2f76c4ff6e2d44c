//! Word problems: the built-in families, their wording and their splits.

use serde::{Deserialize, Serialize};

/// One word problem with its truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What a person would type.
    pub query: String,
    /// The full written reasoning R, ending before the answer.
    pub reasoning: String,
    /// The condensed reasoning S.
    pub condensed_reasoning: String,
    /// The short answer A: a number, or `yes` / `no`.
    pub answer: String,
    /// Which family made it.
    pub family: Family,
    /// Number of steps (operations, or people).
    pub steps: u32,
}

/// The built-in problem families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Additions and subtractions told as a story.
    Arithmetic,
    /// People flip a coin or do not.
    Coin,
}
