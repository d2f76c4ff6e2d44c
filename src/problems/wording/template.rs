//! Filling in the marks of a sentence: names, pronouns, numbers and the verb forms that agree with them.

use super::names::{Person, Pronouns};
use super::objects::Object;

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
            "n" => text.push_str(&self.number.to_string()),
            "x" => text.push_str(self.object.counted(self.number)),
            "xs" => text.push_str(self.object.plural),
            "another" if self.number == 1 => text.push_str("1 more"),
            "another" => {
                text.push_str("another ");
                text.push_str(&self.number.to_string());
            }
            "do" => text.push_str(if self.plural_verb() { "do" } else { "does" }),
            "have" => text.push_str(if self.plural_verb() { "have" } else { "has" }),
            unknown => unreachable!("no mark is called {unknown}"),
        }
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
