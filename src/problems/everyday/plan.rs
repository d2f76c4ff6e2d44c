//! What happens to the numbers of an everyday problem, before any word is chosen: where the number of things comes
//! from, what happens to it, and what is asked about it.

use super::super::random::Random;
use super::super::{MAX_STEPS, Settings};

/// The largest number of groups, of things in a group, and of parts.
const MOST_GROUPS: u32 = 12;

/// Parts that have a name: half, a third, a quarter, a fifth, a tenth.
const PARTS: [u32; 5] = [2, 3, 4, 5, 10];

/// `left sign right = result`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The first number.
    pub left: u32,
    /// `+`, `-`, `*` or `/`.
    pub sign: char,
    /// The second number.
    pub right: u32,
    /// What it makes; divisions leave no rest.
    pub result: u32,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            left,
            sign,
            right,
            result,
        } = self;
        write!(f, "{left} {sign} {right} = {result}")
    }
}

/// Where the number of things comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is told.
    Told(u32),
    /// So many groups of so many.
    Groups(u32, u32),
    /// So many times so many: a rate.
    Rate(u32, u32),
    /// Two parts.
    Sum(u32, u32),
    /// So many more than somebody else's.
    More(u32, u32),
    /// So many fewer than somebody else's.
    Fewer(u32, u32),
    /// So many times somebody else's.
    Times(u32, u32),
}

/// What happens to the number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many come.
    Gain(u32),
    /// So many go.
    Loss(u32),
    /// So many groups of so many come.
    GroupsCome(u32, u32),
    /// So many groups of so many go.
    GroupsGo(u32, u32),
    /// One of so many equal parts goes.
    PartGoes(u32),
    /// The number becomes so many times as large.
    Multiplies(u32),
}

/// What is asked about the number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The number itself.
    Number,
    /// How many are in each of so many equal parts.
    Share(u32),
    /// How many groups of so many they make.
    Pack(u32),
    /// How far it is from somebody else's number.
    Compare(u32),
    /// How many there are with somebody else's.
    Together(u32),
    /// How many are missing to so many.
    Goal(u32),
    /// What they bring at so much each.
    Price(u32),
}

/// The numbers of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the number comes from.
    pub opening: Opening,
    /// What happens to it, each with the number before.
    pub events: Vec<(u32, Event)>,
    /// What is asked.
    pub ending: Ending,
    /// The number before the question.
    pub value: u32,
}

impl Plan {
    /// Draws one. No number is 0 or larger than `max_value`, and there are as many operations as the settings say.
    pub fn draw(random: &mut Random, settings: &Settings) -> Self {
        // A plan that runs out of numbers is drawn anew. Small values allow some plan of any number of steps: all
        // additions of 1 and subtractions of 1.
        loop {
            let steps = random.between(settings.min_steps, settings.max_steps);
            if let Some(plan) = Self::try_draw(random, steps, settings.max_value) {
                return plan;
            }
        }
    }

    fn try_draw(random: &mut Random, steps: u32, most: u32) -> Option<Self> {
        let mut left = steps.min(MAX_STEPS);
        let has_opening = left > 0 && random.chance(2, 3);
        left -= u32::from(has_opening);
        let has_ending = left > 0 && random.chance(1, 2);
        left -= u32::from(has_ending);

        let opening = if has_opening {
            draw_opening(random, most)?
        } else {
            Opening::Told(random.between(1, most))
        };
        let mut value = opening.value();
        let mut events = Vec::new();
        while left > 0 {
            let event = draw_event(random, value, left, most)?;
            events.push((value, event));
            let operations = event.operations(value);
            value = operations[operations.len() - 1].result;
            left -= operations.len() as u32;
        }
        let ending = if has_ending {
            draw_ending(random, value, most)?
        } else {
            Ending::Number
        };
        Some(Self {
            opening,
            events,
            ending,
            value,
        })
    }

    /// All operations in their order.
    pub fn operations(&self) -> Vec<Operation> {
        let events = self.events.iter();
        let events = events.flat_map(|(before, event)| event.operations(*before));
        let opening = self.opening.operation().into_iter();
        opening
            .chain(events)
            .chain(self.ending.operation(self.value))
            .collect()
    }

    /// The number that is asked for.
    pub fn answer(&self) -> u32 {
        let asked = self.ending.operation(self.value);
        asked.map_or(self.value, |it| it.result)
    }
}

fn operation(left: u32, sign: char, right: u32) -> Operation {
    let result = match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ => left / right,
    };
    Operation {
        left,
        sign,
        right,
        result,
    }
}

impl Opening {
    fn operation(self) -> Option<Operation> {
        Some(match self {
            Self::Told(_) => return None,
            Self::Groups(groups, each) | Self::Rate(groups, each) => operation(groups, '*', each),
            Self::Sum(one, other) | Self::More(one, other) => operation(one, '+', other),
            Self::Fewer(one, less) => operation(one, '-', less),
            Self::Times(one, times) => operation(times, '*', one),
        })
    }

    fn value(self) -> u32 {
        match self {
            Self::Told(value) => value,
            other => other.operation().expect("all others have one").result,
        }
    }
}

impl Event {
    fn operations(self, before: u32) -> Vec<Operation> {
        match self {
            Self::Gain(number) => vec![operation(before, '+', number)],
            Self::Loss(number) => vec![operation(before, '-', number)],
            Self::GroupsCome(groups, each) => {
                let all = operation(groups, '*', each);
                vec![all, operation(before, '+', all.result)]
            }
            Self::GroupsGo(groups, each) => {
                let all = operation(groups, '*', each);
                vec![all, operation(before, '-', all.result)]
            }
            Self::PartGoes(parts) => {
                let part = operation(before, '/', parts);
                vec![part, operation(before, '-', part.result)]
            }
            Self::Multiplies(times) => vec![operation(times, '*', before)],
        }
    }
}

impl Ending {
    fn operation(self, value: u32) -> Option<Operation> {
        Some(match self {
            Self::Number => return None,
            Self::Share(parts) | Self::Pack(parts) => operation(value, '/', parts),
            Self::Compare(other) => operation(value.max(other), '-', value.min(other)),
            Self::Together(other) => operation(value, '+', other),
            Self::Goal(wanted) => operation(wanted, '-', value),
            Self::Price(price) => operation(value, '*', price),
        })
    }
}

/// A number from `least` to `most`, where there is one.
fn between(random: &mut Random, least: u32, most: u32) -> Option<u32> {
    (least <= most).then(|| random.between(least, most))
}

/// Two factors from 2 on whose product is at most `most`.
fn factors(random: &mut Random, most: u32) -> Option<(u32, u32)> {
    let one = between(random, 2, MOST_GROUPS.min(most / 2))?;
    Some((one, between(random, 2, MOST_GROUPS.min(most / one))?))
}

/// How many equal parts, at least 2, a number can be cut into, so that each has at least 2.
fn parts(random: &mut Random, value: u32) -> Option<u32> {
    let all = (2..=MOST_GROUPS).filter(|it| value.is_multiple_of(*it) && value / it >= 2);
    let all: Vec<u32> = all.collect();
    (!all.is_empty()).then(|| random.pick(&all))
}

fn draw_opening(random: &mut Random, most: u32) -> Option<Opening> {
    Some(match random.below(6) {
        0 => {
            let (groups, each) = factors(random, most)?;
            Opening::Groups(groups, each)
        }
        1 => {
            let (times, each) = factors(random, most)?;
            Opening::Rate(times, each)
        }
        2 => {
            let sum = between(random, 4, most)?;
            let one = random.between(2, sum - 2);
            Opening::Sum(one, sum - one)
        }
        3 => {
            let sum = between(random, 2, most)?;
            let one = random.between(1, sum - 1);
            Opening::More(one, sum - one)
        }
        4 => {
            let one = between(random, 2, most)?;
            Opening::Fewer(one, random.between(1, one - 1))
        }
        _ => {
            let times = between(random, 2, 5.min(most / 2))?;
            Opening::Times(random.between(1, most / times), times)
        }
    })
}

fn draw_event(random: &mut Random, value: u32, left: u32, most: u32) -> Option<Event> {
    if left >= 2 && random.chance(1, 4) {
        return Some(match random.below(3) {
            0 => {
                let (groups, each) = factors(random, most.checked_sub(value)?)?;
                Event::GroupsCome(groups, each)
            }
            1 => {
                let (groups, each) = factors(random, value - 1)?;
                Event::GroupsGo(groups, each)
            }
            _ => {
                let named = PARTS.iter().copied().filter(|it| value.is_multiple_of(*it));
                let named: Vec<u32> = named.collect();
                Event::PartGoes((!named.is_empty()).then(|| random.pick(&named))?)
            }
        });
    }
    Some(match random.below(8) {
        0 => Event::Multiplies(between(random, 2, 3.min(most / value))?),
        1..=3 => Event::Gain(between(random, 1, most - value)?),
        _ => Event::Loss(between(random, 1, value - 1)?),
    })
}

fn draw_ending(random: &mut Random, value: u32, most: u32) -> Option<Ending> {
    Some(match random.below(6) {
        0 => Ending::Share(parts(random, value)?),
        1 => Ending::Pack(parts(random, value)?),
        2 => {
            let other = random.between(1, most);
            Ending::Compare((other != value).then_some(other)?)
        }
        3 => Ending::Together(between(random, 1, most - value)?),
        4 => Ending::Goal(between(random, value + 1, most)?),
        _ => Ending::Price(between(random, 2, MOST_GROUPS.min(most / value))?),
    })
}
