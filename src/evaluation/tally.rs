//! Counting right answers by both rules.

use serde::{Deserialize, Serialize};

use super::interval::Interval;
use super::items::Item;

/// How many answers were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answers judged.
    pub n: u64,
    /// Right by the strict rule.
    pub strict: u64,
    /// Right by the rule of the method's authors.
    pub official: u64,
}

/// A tally as shares, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Answers judged.
    pub n: u64,
    /// Share right by the strict rule.
    pub strict: f64,
    /// Its 95 % interval.
    pub strict_interval: Interval,
    /// Share right by the rule of the method's authors.
    pub official: f64,
    /// Its 95 % interval.
    pub official_interval: Interval,
}

impl Tally {
    /// Judges an answer: `answer` is what was written after the answer prompt, which the strict rule reads;
    /// `written` is everything that was written, which the authors' rule reads. Gives back whether it is right
    /// by the strict rule.
    pub fn judge(&mut self, item: &Item, answer: &str, written: &str) -> bool {
        let strict = item.kind.is_right(answer, &item.answer);
        self.n += 1;
        self.strict += u64::from(strict);
        self.official += u64::from(item.kind.is_right_officially(written, &item.answer));
        strict
    }

    /// The counts as shares. Nothing judged counts as nothing right.
    pub fn accuracy(&self) -> Accuracy {
        let share = |right: u64| right as f64 / self.n.max(1) as f64;
        Accuracy {
            n: self.n,
            strict: share(self.strict),
            strict_interval: Interval::wilson(self.strict, self.n),
            official: share(self.official),
            official_interval: Interval::wilson(self.official, self.n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AnswerKind;
    use super::*;

    #[test]
    fn both_rules_are_counted_apart() {
        let item = Item {
            question: String::new(),
            answer: "7".to_owned(),
            kind: AnswerKind::Number,
            steps: None,
        };
        let mut tally = Tally::default();
        assert!(tally.judge(&item, "7", "7"));
        assert!(!tally.judge(&item, "8", "8 or 7"));
        assert!(!tally.judge(&item, "8", "8"));
        assert_eq!(
            tally,
            Tally {
                n: 3,
                strict: 1,
                official: 2
            }
        );
        assert_eq!(tally.accuracy().official, 2.0 / 3.0);
        assert_eq!(Tally::default().accuracy().strict, 0.0);
    }
}
