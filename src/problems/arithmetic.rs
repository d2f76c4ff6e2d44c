//! Additions and subtractions told as a story about one person's things.
//!
//! The values are drawn first: every intermediate value is equally likely, so that no answer is much more frequent
//! than another and a constant answer scores about 1 in `max_value + 1`. The wording is then drawn to suit them.
//! Reasoning speaks of numbers only, never of names or things, so that words a model has not learned need no copying.

use super::random::Random;
use super::wording::names::{NAME_COUNT, Person, Pronouns, person};
use super::wording::objects::{OBJECTS, Object};
use super::wording::stories::{Asked, CONNECTORS, Event, GAINS, LOSSES, OPENINGS, QUESTIONS};
use super::wording::template::{Mention, Scene, Tense};
use super::{Family, Problem, Settings};

/// Draws one problem, of any split.
pub(super) fn draw(random: &mut Random, settings: &Settings) -> Problem {
    let steps = random.between(settings.min_steps, settings.max_steps);
    let values = draw_values(random, steps, settings.max_value);
    Problem {
        query: Story::draw(random).tell(random, &values),
        reasoning: reasoning(&values),
        condensed_reasoning: condensed(&values),
        answer: values[values.len() - 1].to_string(),
        family: Family::Arithmetic,
        steps,
    }
}

/// The number of things at the start and after each step. The first is at least 1, and each differs from the last.
fn draw_values(random: &mut Random, steps: u32, max_value: u32) -> Vec<u32> {
    let mut values = vec![random.between(1, max_value)];
    for _ in 0..steps {
        let last = values[values.len() - 1];
        // One of the other values: draw among `max_value` of them and step over the last.
        let draw = random.below(max_value);
        values.push(if draw >= last { draw + 1 } else { draw });
    }
    values
}

fn reasoning(values: &[u32]) -> String {
    let mut text = format!("We start with {}.", values[0]);
    for step in values.windows(2) {
        let (before, after) = (step[0], step[1]);
        let number = before.abs_diff(after);
        text += &match (after > before, number) {
            (true, 1) => format!(" Then 1 more comes, so that makes {before} + 1 = {after}."),
            (true, _) => {
                format!(" Then {number} more come, so that makes {before} + {number} = {after}.")
            }
            (false, 1) => format!(" Then 1 goes away, so that leaves {before} - 1 = {after}."),
            (false, _) => {
                format!(" Then {number} go away, so that leaves {before} - {number} = {after}.")
            }
        };
    }
    text
}

fn condensed(values: &[u32]) -> String {
    let steps = values.windows(2).map(|step| {
        let sign = if step[1] > step[0] { '+' } else { '-' };
        format!(
            "{} {sign} {} = {}",
            step[0],
            step[0].abs_diff(step[1]),
            step[1]
        )
    });
    steps.collect::<Vec<_>>().join("; ")
}

/// Who has what, and how it is told.
struct Story {
    person: Person,
    object: Object,
    tense: Tense,
}

impl Story {
    fn draw(random: &mut Random) -> Self {
        // One story in ten is told by the person who asks.
        let person = if random.chance(1, 10) {
            Person {
                name: "I",
                pronouns: Pronouns::I,
            }
        } else {
            person(random.below(NAME_COUNT as u32) as usize)
        };
        let object = random.pick(&OBJECTS);
        let tense = if random.chance(1, 2) {
            Tense::Present
        } else {
            Tense::Past
        };
        Self {
            person,
            object,
            tense,
        }
    }

    fn tell(&self, random: &mut Random, values: &[u32]) -> String {
        let mut scene = Scene {
            person: self.person,
            mention: Mention::Name,
            other: "",
            object: self.object,
            number: values[0],
            tense: self.tense,
        };
        let mut text = String::with_capacity(64 * values.len());
        scene.fill(random.pick(&OPENINGS), &mut text);

        let mut connected = true;
        let mut named_other = false;
        let mut subject_told = false;
        let mut told_mention = Mention::Name;
        for step in values.windows(2) {
            let event = self.draw_event(random, step[0], step[1]);
            let other = self.draw_other(random);
            let names_other = event.contains("{Other}");
            // After another person was named, "she" could be either, so the name comes back.
            scene.mention = if named_other || random.chance(1, 3) {
                Mention::Name
            } else {
                Mention::Pronoun
            };
            scene.other = other.name;
            scene.number = step[0].abs_diff(step[1]);

            // "… buys 3 more apples." and "She gives …" become "… buys 3 more apples and then gives …".
            let runs_on = subject_told && event.starts_with("{S} [") && random.chance(1, 5);
            if runs_on {
                text.pop();
                text.push_str(" and then");
                scene.mention = told_mention;
                scene.fill(&event["{S}".len()..], &mut text);
                subject_told = false;
            } else {
                text.push(' ');
                if !connected && random.chance(1, 3) {
                    text.push_str(random.pick(&CONNECTORS));
                    text.push(' ');
                    scene.fill(&inside_sentence(event), &mut text);
                    connected = true;
                } else {
                    scene.fill(event, &mut text);
                    connected = false;
                }
                subject_told = event.starts_with("{S} [");
                told_mention = scene.mention;
            }
            named_other = names_other && other.pronouns == self.person.pronouns;
        }

        text.push(' ');
        let gained = values[values.len() - 1] > values[values.len() - 2];
        scene.mention = if named_other || random.chance(3, 4) {
            Mention::Name
        } else {
            Mention::Pronoun
        };
        scene.fill(self.draw_question(random, gained), &mut text);
        text
    }

    /// A sentence for the step that suits the things and the numbers.
    fn draw_event(&self, random: &mut Random, before: u32, after: u32) -> &'static str {
        let events: &[Event] = if after > before { &GAINS } else { &LOSSES };
        loop {
            let event = random.pick(events);
            let suits_kind = event.kinds.is_empty() || event.kinds.contains(&self.object.kind);
            // Nothing can be "more" than none, and all is not "some of them".
            let more = event.text.contains(" more") || event.text.contains("{another}");
            let of_them = event.text.contains(" of ");
            if suits_kind && !(more && before == 0) && !(of_them && after == 0) {
                return event.text;
            }
        }
    }

    fn draw_other(&self, random: &mut Random) -> Person {
        loop {
            let other = person(random.below(NAME_COUNT as u32) as usize);
            if other.name != self.person.name {
                return other;
            }
        }
    }

    fn draw_question(&self, random: &mut Random, gained: bool) -> &'static str {
        loop {
            let (asked, question) = random.pick(&QUESTIONS);
            let suits = match asked {
                Asked::Always => true,
                Asked::AfterLoss => !gained,
                Asked::AfterGain => gained,
                Asked::InPast => self.tense == Tense::Past,
            };
            if suits {
                return question;
            }
        }
    }
}

/// The sentence as it goes on after a connector: "{S}" no longer begins it.
fn inside_sentence(sentence: &str) -> String {
    match sentence.strip_prefix("{S}") {
        Some(rest) => format!("{{s}}{rest}"),
        None => {
            let mut letters = sentence.chars();
            match letters.next() {
                Some(first) if first.is_alphabetic() => {
                    first.to_lowercase().chain(letters).collect()
                }
                _ => sentence.to_owned(),
            }
        }
    }
}
