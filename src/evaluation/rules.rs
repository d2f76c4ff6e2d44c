//! When an answer counts as right: strictly, and by the lenient rule of the method's authors.
//!
//! Both read only what was written after the answer prompt. The strict rule believes the first thing that looks
//! like an answer; the official rule is content if the right one is anywhere in the text.

use crate::problems::Family;

/// What answers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// One letter of several choices.
    Letter,
}

impl From<Family> for AnswerKind {
    fn from(family: Family) -> Self {
        match family {
            Family::Arithmetic | Family::Everyday => AnswerKind::Number,
            Family::Coin => AnswerKind::YesNo,
        }
    }
}

/// Numbers as near as this are the same, in the official rule.
const OFFICIAL_TOLERANCE: f64 = 1e-6;

impl AnswerKind {
    /// The kind that a right answer is of, if it is of any: a number (with or without thousands commas), yes or no,
    /// or one letter.
    pub fn of(answer: &str) -> Option<Self> {
        let answer = answer.trim();
        if number(answer).is_some() {
            return Some(AnswerKind::Number);
        }
        match answer.to_lowercase().as_str() {
            "yes" | "no" => Some(AnswerKind::YesNo),
            letter if letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase() => {
                Some(AnswerKind::Letter)
            }
            _ => None,
        }
    }

    /// The strict rule: the first number, the first yes or no, or the first letter that stands alone.
    ///
    /// ```
    /// use semcot::evaluation::AnswerKind;
    ///
    /// assert!(AnswerKind::Number.is_right("12 apples", "12"));
    /// assert!(!AnswerKind::Number.is_right("11 or 12", "12"));
    /// assert!(AnswerKind::YesNo.is_right("Yes.", "yes"));
    /// ```
    pub fn is_right(self, text: &str, answer: &str) -> bool {
        match self {
            AnswerKind::Number => {
                let written = first_number(text);
                written.is_some() && written == number(answer.trim())
            }
            AnswerKind::YesNo => {
                let written = words(text).find(|word| word == "yes" || word == "no");
                written.is_some() && written == words(answer).next()
            }
            AnswerKind::Letter => {
                let written = words(text)
                    .find(|word| word.len() == 1 && word.as_bytes()[0].is_ascii_lowercase());
                written.is_some() && written == words(answer).next()
            }
        }
    }

    /// The rule of the method's authors (METHOD: inference and evaluation): any number within 1e-6, any word
    /// (yes or heads, no or tails), any character.
    pub fn is_right_officially(self, text: &str, answer: &str) -> bool {
        match self {
            AnswerKind::Number => {
                let Some(truth) = number(answer.trim()) else {
                    return false;
                };
                official_numbers(text).any(|written| (written - truth).abs() < OFFICIAL_TOLERANCE)
            }
            AnswerKind::YesNo => {
                let accepted = match answer.trim().to_lowercase().as_str() {
                    "yes" => ["yes", "heads"],
                    "no" => ["no", "tails"],
                    _ => return false,
                };
                let text = text.to_lowercase();
                text.split_whitespace().any(|word| accepted.contains(&word))
            }
            AnswerKind::Letter => {
                let answer = answer.trim().to_lowercase();
                text.to_lowercase()
                    .chars()
                    .any(|letter| answer.chars().eq([letter]))
            }
        }
    }
}

/// A whole text as a number, thousands commas left out.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    plain.then(|| text.replace(',', "").parse().ok()).flatten()
}

/// The first number in the text: digits with thousands commas, a fraction, a minus sign that touches them.
fn first_number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest
        .char_indices()
        .zip(rest[1..].chars().map(Some).chain([None]));
    // A comma or a point belongs to the number only before another digit, as in "1,234" but not in "7, then".
    let end = end
        .take_while(|((_, c), next)| {
            c.is_ascii_digit()
                || (matches!(c, ',' | '.') && next.is_some_and(|next| next.is_ascii_digit()))
        })
        .map(|((at, c), _)| at + c.len_utf8())
        .last()?;
    let value = number(&rest[..end])?;
    Some(if text[..start].ends_with('-') {
        -value
    } else {
        value
    })
}

/// All matches of `-?\d+\.?\d*`, from left to right, none overlapping.
fn official_numbers(text: &str) -> impl Iterator<Item = f64> {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| {
        bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            let first_digit = start + usize::from(bytes[start] == b'-');
            let whole = digits_from(first_digit);
            if whole == 0 {
                at += 1;
                continue;
            }
            at = first_digit + whole;
            if bytes.get(at) == Some(&b'.') {
                at += 1 + digits_from(at + 1);
            }
            // Sign, digits and point are ASCII, so these are whole characters.
            return text[start..at].trim_end_matches('.').parse().ok();
        }
        None
    })
}

/// The words of the text in lower case, cut at everything but letters and digits.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnswerKind::{Letter, Number, YesNo};

    #[test]
    fn the_strict_rule_believes_the_first_number() {
        let right = [
            ("8", "8"),
            ("8 apples, not 9", "8"),
            ("The answer is 8.", "8"),
            ("1,234", "1234"),
            ("-5", "-5"),
        ];
        for (text, answer) in right {
            assert!(Number.is_right(text, answer), "{text}");
        }
        for (text, answer) in [
            ("", "8"),
            ("9 or 8", "8"),
            ("eight", "8"),
            ("18", "8"),
            ("-8", "8"),
            ("8.5", "8"),
        ] {
            assert!(!Number.is_right(text, answer), "{text}");
        }
        assert!(Number.is_right("7, then 8.", "7"));
        assert!(Number.is_right("1,234", "1,234"));
    }

    #[test]
    fn the_strict_rule_believes_the_first_yes_or_no() {
        for (text, answer) in [
            ("yes", "yes"),
            ("Yes.", "yes"),
            ("No, it is tails", "no"),
            ("it is: no! yes", "no"),
        ] {
            assert!(YesNo.is_right(text, answer), "{text}");
        }
        for (text, answer) in [
            ("", "no"),
            ("heads", "yes"),
            ("no yes", "yes"),
            ("know", "no"),
            ("nothing", "no"),
        ] {
            assert!(!YesNo.is_right(text, answer), "{text}");
        }
    }

    #[test]
    fn the_strict_rule_believes_the_first_letter_that_stands_alone() {
        assert!(Letter.is_right("(C) bank", "C"));
        assert!(Letter.is_right("The answer is B", "B"));
        assert!(!Letter.is_right("The answer is B", "A"));
    }

    #[test]
    fn kinds_are_told_from_the_right_answer() {
        for (answer, kind) in [
            ("12", Number),
            ("1,234", Number),
            ("-0.5", Number),
            ("yes", YesNo),
            ("No", YesNo),
            ("C", Letter),
        ] {
            assert_eq!(AnswerKind::of(answer), Some(kind), "{answer}");
        }
        assert_eq!(AnswerKind::of("perhaps"), None);
        assert_eq!(AnswerKind::of(""), None);
    }

    #[test]
    fn texts_with_other_characters_are_read_and_not_cut() {
        assert!(Number.is_right_officially("—12€", "12"));
        assert!(Number.is_right("—12€", "12"));
        assert!(!Number.is_right_officially("１２ −", "12"));
        assert!(!YesNo.is_right_officially("é", "no"));
    }
}
