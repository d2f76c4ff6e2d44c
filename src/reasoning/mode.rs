//! The three ways of answering that are compared.

use serde::{Deserialize, Serialize};

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The generator's implicit tokens stand for the reasoning; the target answers at once.
    Implicit,
    /// The target writes its reasoning, then the answer.
    Explicit,
    /// The target answers without any reasoning.
    Direct,
}

impl Mode {
    /// All modes, in the order in which they are shown.
    pub const ALL: [Mode; 3] = [Mode::Implicit, Mode::Explicit, Mode::Direct];

    /// The name used on the command line, in JSON and in the page.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Implicit => "implicit",
            Mode::Explicit => "explicit",
            Mode::Direct => "direct",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A word that names no mode.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a mode: use implicit, explicit or direct")]
pub struct UnknownMode(String);

impl std::str::FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| UnknownMode(name.to_owned()))
    }
}
