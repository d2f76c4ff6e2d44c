//! What a pair was measured to reach, as its manifest tells it.

use serde::{Deserialize, Serialize};

use super::{Manifest, ManifestError, field};

/// Accuracy on one family in one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Problem family.
    pub family: String,
    /// `implicit`, `explicit` or `direct`.
    pub mode: String,
    /// Number of questions.
    pub n: u32,
    /// Fraction right by the strict rule.
    pub strict: f64,
    /// Whatever else was measured.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// How often a family's implicit tokens read most like the reasoning of their own question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// Problem family.
    pub family: String,
    /// Number of questions.
    pub n: u32,
    /// Reasonings of other questions that each was compared with.
    pub bank: u32,
    /// Fraction of the questions whose own reasoning came first.
    pub own_first: f64,
}

impl Manifest {
    /// Puts in what was measured, in place of an earlier figure for the same family and mode.
    pub fn record(&mut self, measured: Accuracy) {
        let same = |it: &&mut Accuracy| it.family == measured.family && it.mode == measured.mode;
        match self.accuracy.iter_mut().find(same) {
            Some(entry) => *entry = measured,
            None => self.accuracy.push(measured),
        }
    }

    /// Puts in what was found, in place of an earlier figure for the same family.
    pub fn record_alignment(&mut self, found: Alignment) {
        match self
            .alignment
            .iter_mut()
            .find(|it| it.family == found.family)
        {
            Some(entry) => *entry = found,
            None => self.alignment.push(found),
        }
    }

    /// Every fraction is one.
    pub(super) fn check_measured(&self) -> Result<(), ManifestError> {
        let strict = self
            .accuracy
            .iter()
            .map(|it| ("accuracy.strict", it.strict));
        let own_first = self.alignment.iter();
        let own_first = own_first.map(|it| ("alignment.own_first", it.own_first));
        for (name, fraction) in strict.chain(own_first) {
            if !(0.0..=1.0).contains(&fraction) {
                return Err(field(name, fraction, "a fraction from 0 to 1"));
            }
        }
        Ok(())
    }
}
