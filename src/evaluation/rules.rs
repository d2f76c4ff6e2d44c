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

/// A whole text as a number.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(MINUS_SIGNS).unwrap_or(text);
    let (value, bytes) = number_at_start(digits)?;
    (bytes == digits.len()).then_some(if digits.len() < text.len() {
        -value
    } else {
        value
    })
}

/// The first number in the text, with a minus sign that touches it.
fn first_number(text: &str) -> Option<f64> {
    let digit = text.find(|c: char| c.is_ascii_digit())?;
    // A point before the first digit is the number's own (".5") unless it ends a word ("so.5").
    let start = match text[..digit].strip_suffix('.') {
        Some(before) if !before.ends_with(|c: char| c.is_alphanumeric() || c == '.') => digit - 1,
        _ => digit,
    };
    let (value, _) = number_at_start(&text[start..])?;
    let is_negative = text[..start].ends_with(MINUS_SIGNS);
    Some(if is_negative { -value } else { value })
}

/// The hyphen that models write, and the sign of mathematics.
const MINUS_SIGNS: [char; 2] = ['-', '\u{2212}'];

/// The unsigned number that a text begins with, and its length in bytes: digits, commas between thousands
/// ("1,234", but of "3,10" only the 3), and a point with digits behind it.
fn number_at_start(text: &str) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let digits = bytes[from..].iter().take_while(|it| it.is_ascii_digit());
        digits.count()
    };
    let mut end = digits(0);
    if (1..=3).contains(&end) {
        while bytes.get(end) == Some(&b',') && digits(end + 1) == 3 {
            end += 4;
        }
    }
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    // Digits, commas and points are ASCII, so these are whole characters.
    let value = text[..end].replace(',', "").parse().ok()?;
    Some((value, end))
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
    }

    #[test]
    fn the_strict_rule_reads_numbers_as_people_write_them() {
        for (text, answer) in [
            ("7, then 8.", "7"),
            ("1,234", "1,234"),
            ("1234", "1,234"),
            ("$1,234,567 in all", "1234567"),
            ("1,234.50", "1234.5"),
            ("5", "5.0"),
            ("5.0", "5"),
            ("5.00 dollars", "5"),
            ("007", "7"),
            (".5", "0.5"),
            ("0.5", ".5"),
            ("so.5", "5"),
            ("5.", "5"),
            ("\u{2212}5", "-5"),
            ("-1,000", "-1000"),
            ("-0", "0"),
            // Not thousands: a list, a date, a version.
            ("3,10", "3"),
            ("3,1000", "3"),
            ("1234,567", "1234"),
            ("1,2345", "1"),
            ("1.2.3", "1.2"),
            ("12:30", "12"),
            ("50%", "50"),
            ("10-4", "10"),
        ] {
            assert!(Number.is_right(text, answer), "{text} for {answer}");
        }
        for (text, answer) in [
            ("1,234", "1"),
            ("1,234", "234"),
            ("1,234", "1.234"),
            ("5.01", "5"),
            ("5", "-5"),
            ("3,10", "310"),
            ("- 5", "-5"),
        ] {
            assert!(!Number.is_right(text, answer), "{text} for {answer}");
        }
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
            ("5.0", Number),
            ("yes", YesNo),
            ("No", YesNo),
            ("C", Letter),
        ] {
            assert_eq!(AnswerKind::of(answer), Some(kind), "{answer}");
        }
        for answer in [
            "perhaps",
            "",
            "1,23",
            "1.2.3",
            "12 apples",
            "-",
            ".",
            "1e3",
            "NaN",
            "inf",
        ] {
            assert_eq!(AnswerKind::of(answer), None, "{answer}");
        }
    }

    #[test]
    fn texts_with_other_characters_are_read_and_not_cut() {
        assert!(Number.is_right_officially("—12€", "12"));
        assert!(Number.is_right("—12€", "12"));
        assert!(!Number.is_right_officially("１２ −", "12"));
        assert!(!YesNo.is_right_officially("é", "no"));
    }
}
