//! Word problems: the built-in families, their wording and their splits.

pub mod arithmetic;
pub mod coin;
mod everyday;
mod random;
mod split;
mod story;
#[cfg(test)]
mod tests;
pub mod wording;

pub use random::Random;
pub use split::{Split, normalized};

use serde::{Deserialize, Serialize};

/// One word problem with its truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What a person would type.
    pub query: String,
    /// The full written reasoning R, ending before the answer.
    pub reasoning: String,
    /// The condensed reasoning S.
    pub condensed_reasoning: String,
    /// The short answer A: a number, or `yes` / `no`.
    pub answer: String,
    /// Which family made it.
    pub family: Family,
    /// Number of steps (operations, or people).
    pub steps: u32,
}

/// The built-in problem families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Additions and subtractions told as a story.
    Arithmetic,
    /// People flip a coin or do not.
    Coin,
    /// Problems as people write them: groups, parts, comparisons and shares too.
    Everyday,
}

impl Problem {
    /// Whether somebody borrows: the event that goes both ways in the same words, so that only the names tell who gets
    /// what. Models learn it last, and training can draw more of it.
    pub fn tells_of_borrowing(&self) -> bool {
        self.query.contains(" borrow")
    }

    /// The texts that a model of this problem reads and writes, with the prompt that stands before a question:
    /// what a tokenizer learns its words from.
    pub fn texts(&self, question_prompt: &str) -> [String; 4] {
        [
            format!("{question_prompt}{}", self.query),
            self.reasoning.clone(),
            self.condensed_reasoning.clone(),
            self.answer.clone(),
        ]
    }
}

impl Family {
    /// All families, in the order in which reports name them.
    pub const ALL: [Family; 3] = [Family::Arithmetic, Family::Coin, Family::Everyday];

    /// The name in commands and files.
    pub fn name(self) -> &'static str {
        match self {
            Family::Arithmetic => "arithmetic",
            Family::Coin => "coin",
            Family::Everyday => "everyday",
        }
    }
}

/// The operators between numbers of a condensed reasoning, each once, in the order `+ - * /`.
pub fn operators(condensed_reasoning: &str) -> String {
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let words: Vec<&str> = condensed_reasoning.split([' ', ';']).collect();
    let stands = |operator: &&str| {
        (words.windows(3)).any(|it| it[1] == *operator && is_number(it[0]) && is_number(it[2]))
    };
    let found: Vec<&str> = ["+", "-", "*", "/"].into_iter().filter(stands).collect();
    found.join(" ")
}

/// How hard the problems are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Arithmetic and everyday: the greatest value, at the start and after every step.
    pub max_value: u32,
    /// Arithmetic and everyday: the fewest operations.
    pub min_steps: u32,
    /// Arithmetic and everyday: the most operations.
    pub max_steps: u32,
    /// Coin: the fewest people.
    pub min_people: u32,
    /// Coin: the most people.
    pub max_people: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_value: 20,
            min_steps: 2,
            max_steps: 4,
            min_people: 2,
            max_people: 8,
        }
    }
}

/// Settings that no problem can be made with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Values must leave room for a first value and another one.
    #[error("max_value is {0}: it must be from 2 to 9999")]
    MaxValue(u32),
    /// Steps must be a range within what a story can tell.
    #[error("steps from {0} to {1}: the fewest must be at least 1, the most at most {max}", max = MAX_STEPS)]
    Steps(u32, u32),
    /// People must be a range within what a story can tell.
    #[error("people from {0} to {1}: the fewest must be at least 1, the most at most {max}", max = coin::MAX_PEOPLE)]
    People(u32, u32),
}

/// The most additions and subtractions that a story may have.
pub const MAX_STEPS: u32 = 12;

impl Settings {
    /// Says what is wrong, if anything is.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(2..=9999).contains(&self.max_value) {
            return Err(SettingsError::MaxValue(self.max_value));
        }
        if self.min_steps < 1 || self.min_steps > self.max_steps || self.max_steps > MAX_STEPS {
            return Err(SettingsError::Steps(self.min_steps, self.max_steps));
        }
        if self.min_people < 1
            || self.min_people > self.max_people
            || self.max_people > coin::MAX_PEOPLE
        {
            return Err(SettingsError::People(self.min_people, self.max_people));
        }
        Ok(())
    }
}

/// An endless sequence of problems of a family, all of one split.
///
/// A seed gives the same problems on every platform. Draws of other splits are passed over.
///
/// ```
/// use semcot::problems::{Family, Settings, Split, generate};
///
/// let settings = Settings::default();
/// let problems = generate(Family::Coin, Split::Heldout, 7, &settings)?;
/// for problem in problems.take(3) {
///     assert_eq!(Split::of(&problem.query), Split::Heldout);
/// }
/// # Ok::<(), semcot::problems::SettingsError>(())
/// ```
pub fn generate(
    family: Family,
    split: Split,
    seed: u64,
    settings: &Settings,
) -> Result<impl Iterator<Item = Problem> + Send + use<>, SettingsError> {
    settings.check()?;
    let settings = *settings;
    let mut random = Random::new(seed);
    Ok(
        std::iter::repeat_with(move || draw(&mut random, family, &settings))
            .filter(move |problem| Split::of(&problem.query) == split),
    )
}

/// One problem of a family, of whichever split it falls in.
fn draw(random: &mut Random, family: Family, settings: &Settings) -> Problem {
    match family {
        Family::Arithmetic => arithmetic::draw(random, settings),
        Family::Coin => coin::draw(random, settings),
        Family::Everyday => everyday::draw(random, settings),
    }
}
