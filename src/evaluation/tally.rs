//! Counting right answers by both rules.

use std::collections::BTreeMap;

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

/// Right by the strict rule, and asked.
pub type RightOf = [u64; 2];

/// How many answers were right by the kind of problem, where it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// By the number of steps.
    pub by_steps: BTreeMap<u32, RightOf>,
    /// By the operators of the steps, `+ -` for a problem that adds and subtracts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_operators: BTreeMap<String, RightOf>,
}

impl Breakdown {
    /// Counts an answer.
    pub fn add(&mut self, item: &Item, strict: bool) {
        let counted = [u64::from(strict), 1];
        if let Some(steps) = item.steps {
            add_to(&mut self.by_steps, &steps, counted);
        }
        if !item.operators.is_empty() {
            add_to(&mut self.by_operators, &item.operators, counted);
        }
    }
}

/// Adds counts to those of a kind.
pub fn add_to<K: Ord + Clone>(counts: &mut BTreeMap<K, RightOf>, kind: &K, counted: RightOf) {
    let [right, all] = counts.entry(kind.clone()).or_default();
    *right += counted[0];
    *all += counted[1];
}

#[cfg(test)]
mod tests {
    use super::super::AnswerKind;
    use super::*;

    #[test]
    fn answers_are_counted_by_what_is_known_of_their_problems() {
        let item = |steps, operators: &str| Item {
            question: String::new(),
            answer: "7".to_owned(),
            kind: AnswerKind::Number,
            steps,
            operators: operators.to_owned(),
        };
        let mut found = Breakdown::default();
        found.add(&item(Some(2), "+ -"), true);
        found.add(&item(Some(2), "+"), false);
        found.add(&item(None, ""), true);
        assert_eq!(found.by_steps, BTreeMap::from([(2, [1, 2])]));
        let by_operators = [("+", [0, 1]), ("+ -", [1, 1])];
        let by_operators = by_operators.map(|(operators, it)| (operators.to_owned(), it));
        assert_eq!(found.by_operators, BTreeMap::from(by_operators));
    }

    #[test]
    fn both_rules_are_counted_apart() {
        let item = Item {
            question: String::new(),
            answer: "7".to_owned(),
            kind: AnswerKind::Number,
            steps: None,
            operators: String::new(),
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
