//! People flip a coin or do not: which side is up at the end?
//!
//! Each person flips with chance one half, so yes and no are equally likely. Reasoning counts people as the first,
//! the second and so on and never names them, so that names a model has not learned need no copying.

use super::random::Random;
use super::wording::coins::{
    CODAS, EITHER_SIDE_QUESTIONS, ONSETS, PUBLIC, PUBLIC_NOTE, SAME_SIDE_QUESTIONS, TELLINGS,
    VOWELS,
};
use super::wording::names::{NAME_COUNT, person};
use super::{Family, Problem, Settings};

const ORDINALS: [&str; 12] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
];

/// The most people a problem can have.
pub const MAX_PEOPLE: u32 = ORDINALS.len() as u32;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Heads,
    Tails,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Heads => "heads",
            Side::Tails => "tails",
        }
    }

    fn turned(self) -> Side {
        match self {
            Side::Heads => Side::Tails,
            Side::Tails => Side::Heads,
        }
    }
}

/// Draws one problem, of any split.
pub(super) fn draw(random: &mut Random, settings: &Settings) -> Problem {
    let people = random.between(settings.min_people, settings.max_people);
    let flips: Vec<bool> = (0..people).map(|_| random.chance(1, 2)).collect();
    let (query, start, asked) = if random.chance(1, 4) {
        (tell_as_published(random, &flips), Side::Heads, Side::Heads)
    } else {
        // Most people ask about heads.
        let start = if random.chance(1, 3) {
            Side::Tails
        } else {
            Side::Heads
        };
        let asked = if random.chance(2, 3) {
            start
        } else {
            start.turned()
        };
        (tell(random, &flips, start, asked), start, asked)
    };
    let end = if flips.iter().filter(|&&flips| flips).count() % 2 == 1 {
        start.turned()
    } else {
        start
    };
    Problem {
        query,
        reasoning: reasoning(start, &flips),
        condensed_reasoning: condensed(start, &flips),
        answer: if end == asked { "yes" } else { "no" }.to_owned(),
        family: Family::Coin,
        steps: people,
    }
}

fn reasoning(start: Side, flips: &[bool]) -> String {
    let mut text = format!("The coin starts {} up.", start.name());
    let mut side = start;
    for (number, &flips) in flips.iter().enumerate() {
        let ordinal = ORDINALS[number];
        let person = if number == 0 { " person" } else { "" };
        if flips {
            side = side.turned();
            text += &format!(" The {ordinal}{person} flips it, so it is {}.", side.name());
        } else {
            text += &format!(
                " The {ordinal}{person} does not flip it, so it is still {}.",
                side.name()
            );
        }
    }
    text
}

fn condensed(start: Side, flips: &[bool]) -> String {
    let mut text = start.name().to_owned();
    let mut side = start;
    for &flips in flips {
        if flips {
            side = side.turned();
        }
        text += &format!(
            "; {}: {}",
            if flips { "flip" } else { "no flip" },
            side.name()
        );
    }
    text
}

/// The two forms of the public sets: one begins with "Q:" and has names in lower case and two spaces before the
/// question, the other ends in a note.
fn tell_as_published(random: &mut Random, flips: &[bool]) -> String {
    let lower_case = random.chance(1, 2);
    let invented = random.chance(1, 2);
    let names = draw_names(random, flips.len(), lower_case, invented);
    let mut text = if lower_case {
        "Q: ".to_owned()
    } else {
        String::new()
    };
    text.push_str(&PUBLIC.openings[0].replace("{side}", "heads"));
    for (name, &flips) in names.iter().zip(flips) {
        let sentence = if flips {
            PUBLIC.flips[0]
        } else {
            PUBLIC.leaves[0]
        };
        text.push(' ');
        text.push_str(&sentence.replace("{Name}", name));
    }
    text.push_str(if lower_case { "  " } else { " " });
    text.push_str("Is the coin still heads up?");
    if !lower_case {
        text.push(' ');
        text.push_str(PUBLIC_NOTE);
    }
    text
}

fn tell(random: &mut Random, flips: &[bool], start: Side, asked: Side) -> String {
    let telling = random.pick(&TELLINGS);
    let lower_case = random.chance(1, 10);
    let invented = random.chance(1, 5);
    let names = draw_names(random, flips.len(), lower_case, invented);
    let mut text = random
        .pick(telling.openings)
        .replace("{side}", start.name());
    for (name, &flips) in names.iter().zip(flips) {
        let sentence = random.pick(if flips { telling.flips } else { telling.leaves });
        text.push(' ');
        text.push_str(&sentence.replace("{Name}", name));
    }
    text.push(' ');
    let question = if start == asked && random.chance(2, 3) {
        random.pick(&SAME_SIDE_QUESTIONS)
    } else {
        random.pick(&EITHER_SIDE_QUESTIONS)
    };
    text.push_str(&question.replace("{asked}", asked.name()));
    text
}

/// Distinct names, in some problems invented, so that a model meets names that it must read in pieces.
fn draw_names(random: &mut Random, count: usize, lower_case: bool, invented: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(count);
    while names.len() < count {
        let mut name = if invented {
            invent_name(random)
        } else {
            person(random.below(NAME_COUNT as u32) as usize)
                .name
                .to_owned()
        };
        if lower_case {
            name.make_ascii_lowercase();
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Two or three syllables, such as "Dreenka".
fn invent_name(random: &mut Random) -> String {
    let mut name = String::new();
    for _ in 0..random.between(2, 3) {
        name.push_str(random.pick(&ONSETS));
        name.push_str(random.pick(&VOWELS));
        name.push_str(random.pick(&CODAS));
    }
    name[..1].make_ascii_uppercase();
    name
}
