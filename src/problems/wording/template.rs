//! Filling in the marks of a sentence: names, pronouns, numbers and the verb forms that agree with them.

use super::names::{Person, Pronouns};
use super::objects::{OBJECTS, Object};

/// The tense in which a whole story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// Tom buys.
    Present,
    /// Tom bought.
    Past,
}

/// How a sentence speaks of the person who has the things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// By name. The first person has none, and stays "I".
    Name,
    /// By pronoun.
    Pronoun,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerals {
    /// 23
    Digits,
    /// twenty-three
    Words,
}

/// What things are packed in, in one and in many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container {
    /// As after "1".
    pub singular: &'static str,
    /// As after any other number.
    pub plural: &'static str,
}

/// What the marks of [`super::everyday`] stand for.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// The second number.
    pub second: u32,
    /// What things are packed in.
    pub container: Container,
    /// Things that the question is not about.
    pub thing: Object,
    /// How numbers are written.
    pub numerals: Numerals,
}

impl Default for Detail {
    fn default() -> Self {
        Self {
            second: 0,
            container: Container {
                singular: "pack",
                plural: "packs",
            },
            thing: OBJECTS[0],
            numerals: Numerals::Digits,
        }
    }
}

/// What the marks of one sentence stand for.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Who has the things.
    pub person: Person,
    /// How this sentence speaks of them.
    pub mention: Mention,
    /// A second person.
    pub other: Person,
    /// The things.
    pub object: Object,
    /// How many come or go.
    pub number: u32,
    /// The tense of the story.
    pub tense: Tense,
    /// What only some sentences have.
    pub detail: Detail,
}

impl Scene {
    /// Appends the sentence to the text. See [`super::stories`] for the marks.
    pub fn fill(&self, sentence: &str, text: &mut String) {
        let mut rest = sentence;
        while let Some(start) = rest.find(['{', '[', '(', '<']) {
            text.push_str(&rest[..start]);
            let mark = &rest[start..];
            // The tables are constants, and a test reads every one of them.
            let end = mark.find(['}', ']', ')', '>']).expect("a mark is closed");
            let inside = &mark[1..end];
            match mark.as_bytes()[0] {
                b'{' => self.word(inside, text),
                b'[' => text.push_str(self.verb(inside)),
                b'(' => text.push_str(form(inside, usize::from(self.tense == Tense::Past))),
                _ => {
                    let past = if self.tense == Tense::Past { 2 } else { 0 };
                    text.push_str(form(inside, past + usize::from(self.number != 1)));
                }
            }
            rest = &mark[end + 1..];
        }
        text.push_str(rest);
    }

    fn by_name(&self) -> bool {
        self.mention == Mention::Name && self.person.pronouns != Pronouns::I
    }

    fn plural_verb(&self) -> bool {
        match self.person.pronouns {
            Pronouns::I => true,
            Pronouns::They => !self.by_name(),
            _ => false,
        }
    }

    fn verb<'t>(&self, forms: &'t str) -> &'t str {
        let first_person = self.person.pronouns == Pronouns::I;
        match self.tense {
            Tense::Past if self.plural_verb() && !first_person && forms.split('|').count() == 4 => {
                form(forms, 3)
            }
            Tense::Past => form(forms, 2),
            Tense::Present if first_person && form(forms, 0) == "is" => "am",
            Tense::Present => form(forms, usize::from(self.plural_verb())),
        }
    }

    fn word(&self, mark: &str, text: &mut String) {
        let pronouns = self.person.pronouns;
        match mark {
            "S" | "s" | "Name" => {
                let subject = if pronouns != Pronouns::I && (mark == "Name" || self.by_name()) {
                    self.person.name
                } else {
                    pronouns.subject()
                };
                if mark == "S" {
                    push_capitalized(subject, text)
                } else {
                    text.push_str(subject)
                }
            }
            "o" => text.push_str(if self.by_name() {
                self.person.name
            } else {
                pronouns.object()
            }),
            "p" => text.push_str(pronouns.possessive()),
            "Name's" | "h" => {
                if pronouns != Pronouns::I && (mark == "Name's" || self.by_name()) {
                    text.push_str(self.person.name);
                    text.push_str("'s");
                } else {
                    text.push_str(pronouns.possessive());
                }
            }
            "Other" => text.push_str(self.other.name),
            "n" => text.push_str(&self.numeral(self.number)),
            "k" => text.push_str(&self.numeral(self.detail.second)),
            "xk" => text.push_str(self.object.counted(self.detail.second)),
            "z" => text.push_str(self.detail.thing.counted(self.number)),
            "box" if self.number == 1 => text.push_str(self.detail.container.singular),
            "box" | "boxes" => text.push_str(self.detail.container.plural),
            "abox" => text.push_str(self.detail.container.singular),
            "times" => text.push_str(&self.times()),
            "part" => text.push_str(self.part()),
            "doubles" => text.push_str(match (self.detail.second, self.tense) {
                (2, Tense::Present) => "doubles",
                (2, Tense::Past) => "doubled",
                (_, Tense::Present) => "triples",
                (_, Tense::Past) => "tripled",
            }),
            "x" => text.push_str(self.object.counted(self.number)),
            "xs" => text.push_str(self.object.plural),
            "another" if self.number == 1 => {
                text.push_str(&self.numeral(1));
                text.push_str(" more");
            }
            "another" => {
                text.push_str("another ");
                text.push_str(&self.numeral(self.number));
            }
            "do" => text.push_str(if self.plural_verb() { "do" } else { "does" }),
            "have" => text.push_str(if self.plural_verb() { "have" } else { "has" }),
            unknown => unreachable!("no mark is called {unknown}"),
        }
    }
}

impl Scene {
    fn numeral(&self, number: u32) -> String {
        match self.detail.numerals {
            Numerals::Digits => number.to_string(),
            Numerals::Words => in_words(number),
        }
    }

    fn times(&self) -> String {
        match self.detail.second {
            2 => "twice".to_owned(),
            times => format!("{} times", in_words(times)),
        }
    }

    fn part(&self) -> &'static str {
        match self.detail.second {
            2 => "half",
            3 => "a third",
            4 => "a quarter",
            5 => "a fifth",
            10 => "a tenth",
            parts => unreachable!("one of {parts} parts has no name here"),
        }
    }
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// A number below a thousand as a word; larger ones stay digits, as people write them.
///
/// ```
/// use semcot::problems::wording::template::in_words;
///
/// assert_eq!(in_words(23), "twenty-three");
/// assert_eq!(in_words(105), "one hundred five");
/// assert_eq!(in_words(1000), "1000");
/// ```
pub fn in_words(number: u32) -> String {
    match number {
        0..20 => ONES[number as usize].to_owned(),
        20..100 => {
            let tens = TENS[number as usize / 10];
            match number % 10 {
                0 => tens.to_owned(),
                ones => format!("{tens}-{}", ONES[ones as usize]),
            }
        }
        100..1000 => {
            let hundreds = format!("{} hundred", ONES[number as usize / 100]);
            match number % 100 {
                0 => hundreds,
                rest => format!("{hundreds} {}", in_words(rest)),
            }
        }
        _ => number.to_string(),
    }
}

fn form(forms: &str, number: usize) -> &str {
    forms
        .split('|')
        .nth(number)
        .expect("a verb has all its forms")
}

fn push_capitalized(word: &str, text: &mut String) {
    let mut letters = word.chars();
    text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    text.push_str(letters.as_str());
}
