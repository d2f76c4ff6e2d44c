//! Numbers in a question's text: where they are, texts without them, and others in their place.

use std::ops::Range;

use crate::problems::Random;

use super::formula::whole_number;

/// A number written in digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Where in the text, in bytes.
    pub place: Range<usize>,
    pub value: u32,
    /// Whether it is a count by itself and no part of a fraction, a time, a percentage or a word, so that another number
    /// may stand there.
    pub is_plain: bool,
}

/// The whole numbers of a text, in order.
pub fn numbers(text: &str) -> Vec<Number> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let mut end = at;
        while is_digit(end) || (matches!(bytes.get(end), Some(b',' | b'.')) && is_digit(end + 1)) {
            end += 1;
        }
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        let apart = |c: Option<char>| {
            !c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '%' | ':' | '-' | '.'))
        };
        if let Some(value) = whole_number(&text[at..end]) {
            found.push(Number {
                place: at..end,
                value,
                is_plain: apart(before) && (apart(after) || after == Some('.')),
            });
        }
        at = end;
    }
    found
}

/// The words of a text in lower case, every number as `#`: equal for questions that differ in numbers, case,
/// punctuation and spaces only.
pub fn masked(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let mut masked = String::with_capacity(text.len());
    for word in words.filter(|word| !word.is_empty()) {
        let word = match word.bytes().all(|byte| byte.is_ascii_digit()) {
            true => "#",
            false => word,
        };
        // A number with commas or a point is one number.
        if word == "#" && masked.ends_with('#') {
            continue;
        }
        if !masked.is_empty() {
            masked.push(' ');
        }
        masked.push_str(word);
    }
    masked
}

/// The text with other numbers in these places.
pub fn replaced(text: &str, numbers: &[Number], values: &[u32]) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (number, value) in numbers.iter().zip(values) {
        replaced.push_str(&text[end..number.place.start]);
        replaced.push_str(&value.to_string());
        end = number.place.end;
    }
    replaced.push_str(&text[end..]);
    replaced
}

/// A number of about the size of another. 0 and 1 stay: words around them depend on them.
pub fn similar(random: &mut Random, value: u32) -> u32 {
    match value {
        0 | 1 => value,
        2..=12 => random.between(2, 12),
        13..=99 => random.between(11, 99),
        100..=999 => random.between(100, 999),
        1000..=9999 => random.between(1000, 9999),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_they_stand() {
        let text = "In 2 boxes are 1,200 pens, 3/4 of 50% at 10:30, 2.5 or 7.";
        let found: Vec<(u32, bool)> = numbers(text)
            .iter()
            .map(|number| (number.value, number.is_plain))
            .collect();
        assert_eq!(
            found,
            [
                (2, true),
                (1200, true),
                (3, false),
                (4, false),
                (50, false),
                (10, false),
                (30, false),
                (7, true)
            ]
        );
        let found = numbers(text);
        let values: Vec<u32> = found.iter().map(|_| 5).collect();
        assert_eq!(
            replaced(text, &found, &values),
            "In 5 boxes are 5 pens, 5/5 of 5% at 5:5, 2.5 or 5."
        );
    }

    #[test]
    fn texts_that_differ_in_numbers_and_spelling_of_the_same_words_are_equal() {
        assert_eq!(
            masked(" Tom has 1,200 apples. How many? "),
            masked("tom has 3 apples how many")
        );
        assert_ne!(masked("Tom has 3 apples."), masked("Tom has 3 pears."));
    }
}
