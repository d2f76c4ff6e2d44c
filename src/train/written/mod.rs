//! Problems that people wrote: public sets, read from disk, beside those that are generated.
//!
//! Their reasoning is the chain of operations that the set gives, one a sentence, so that all that the target learns to
//! write has one form. The same text is told again with other numbers wherever the chain stays one of whole numbers, of
//! which a set of some thousand questions has too few. What resembles a question of an evaluation in all but its numbers
//! is left out, and counted.

mod files;
mod formula;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::files::Item;
use self::formula::{Leaf, Operand, Sign, Step};
use self::numbers::{Number, masked, numbers, replaced, similar};
use super::error::TrainError;
use super::hub;
use crate::problems::{Family, Problem, Random, Split};

/// Which files, and how they are used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSettings {
    /// Part of a batch.
    pub share: f64,
    /// Part of these that are told with other numbers.
    pub renumbered: f64,
    /// Longer questions are left out.
    pub max_words: usize,
    /// Questions with more operations are left out.
    pub max_steps: u32,
    /// Below the folder of data: what is trained on.
    pub files: Vec<PathBuf>,
    /// Below the folder of data: evaluations, whose questions are left out of training.
    pub evaluations: Vec<PathBuf>,
}

/// What was read, and what of it is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub train: usize,
    pub validation: usize,
    /// Questions of an evaluation, but for numbers, case and punctuation.
    pub overlaps: usize,
    /// The same question a second time.
    pub repeated: usize,
    /// Solutions that are no chain of whole numbers, or not the answer's.
    pub without_chain: usize,
    /// Too many words or operations.
    pub too_long: usize,
    /// Of those in use, the ones that can be told with other numbers.
    pub renumberable: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} problems that people wrote to train on and {} to validate with ({} of them can be told with other numbers); \
            left out: {} that an evaluation asks, {} repeated, {} without a chain of whole numbers, {} too long",
            self.train,
            self.validation,
            self.renumberable,
            self.overlaps,
            self.repeated,
            self.without_chain,
            self.too_long
        )
    }
}

/// The problems of all files.
#[derive(Clone, Debug)]
pub struct Written {
    train: Vec<WrittenProblem>,
    validation: Vec<WrittenProblem>,
    renumbered: f64,
    counts: Counts,
}

/// A question, its numbers and its chain of operations.
#[derive(Clone, Debug)]
struct WrittenProblem {
    text: String,
    numbers: Vec<Number>,
    steps: Vec<Step>,
    /// Whether each operand is known to be this number of the question and no other of the same value.
    is_renumberable: bool,
}

/// Draws of other numbers before the old ones are kept.
const TRIES: usize = 100;

/// Numbers that words mean, each by the beginning of a word: where a question has both, which one a chain means is not
/// known.
const MEANT: [(&str, &[u32]); 18] = [
    ("twice", &[2]),
    ("double", &[2]),
    ("half", &[2]),
    ("halves", &[2]),
    ("pair", &[2]),
    ("couple", &[2]),
    ("both", &[2]),
    ("two", &[2]),
    ("tripl", &[3]),
    ("third", &[3]),
    ("three", &[3]),
    ("quarter", &[4]),
    ("four", &[4]),
    ("week", &[7, 52]),
    ("dozen", &[12]),
    ("year", &[12, 52, 365]),
    ("hour", &[24, 60]),
    ("day", &[7, 24, 30]),
];

/// The largest result of a step with other numbers.
const MAX_RESULT: u32 = 99_999;

impl Written {
    /// Reads the files of the settings below `folder`.
    pub fn read(settings: &WrittenSettings, folder: &Path) -> Result<Self, TrainError> {
        let mut known = HashSet::new();
        for file in &settings.evaluations {
            let path = place(folder, file)?;
            let questions = files::read_questions(&text(&path)?).map_err(data_error(&path))?;
            known.extend(questions.iter().map(|question| masked(question)));
        }
        let asked = known.clone();
        let mut counts = Counts::default();
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for file in &settings.files {
            let path = place(folder, file)?;
            let read = files::read(&text(&path)?).map_err(data_error(&path))?;
            counts.without_chain += read.without_expressions;
            for item in &read.items {
                let masked = masked(&item.question);
                if asked.contains(&masked) {
                    counts.overlaps += 1;
                    continue;
                }
                let Some(problem) = WrittenProblem::of(item) else {
                    counts.without_chain += 1;
                    continue;
                };
                if problem.steps.len() > settings.max_steps as usize
                    || problem.text.split_whitespace().count() > settings.max_words
                {
                    counts.too_long += 1;
                    continue;
                }
                // The same words with other numbers would be in training and validation both.
                let split = Split::of(&masked);
                if !known.insert(masked) {
                    counts.repeated += 1;
                    continue;
                }
                counts.renumberable += usize::from(problem.is_renumberable);
                match split {
                    Split::Validation => validation.push(problem),
                    Split::Train | Split::Heldout => train.push(problem),
                }
            }
        }
        counts.train = train.len();
        counts.validation = validation.len();
        if train.is_empty() {
            return Err(TrainError::Setting {
                field: "written.files",
                message: format!("nothing is left to train on: {counts}"),
            });
        }
        Ok(Self {
            train,
            validation,
            renumbered: settings.renumbered,
            counts,
        })
    }

    /// What was read and left out.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// One to train on, of at most so many steps where there is one.
    pub fn draw(&self, random: &mut Random, max_steps: u32) -> Problem {
        let drawn =
            |random: &mut Random| &self.train[random.below(self.train.len() as u32) as usize];
        let mut problem = drawn(random);
        for _ in 0..TRIES {
            if problem.steps.len() <= max_steps as usize {
                break;
            }
            problem = drawn(random);
        }
        let is_renumbered = f64::from(random.below(1 << 20)) < self.renumbered * f64::from(1 << 20);
        let values = is_renumbered
            .then(|| problem.other_values(random))
            .flatten();
        problem.told_with(&values.unwrap_or_else(|| problem.values()))
    }

    /// Those to choose checkpoints by, as they were written.
    pub fn validation(&self) -> impl Iterator<Item = Problem> + '_ {
        (self.validation.iter()).map(|problem| problem.told_with(&problem.values()))
    }

    /// All to train on, as they were written.
    pub fn training(&self) -> impl Iterator<Item = Problem> + '_ {
        (self.train.iter()).map(|problem| problem.told_with(&problem.values()))
    }
}

/// Where a file of the settings is: of a data set on the hub, or below the folder.
fn place(folder: &Path, file: &Path) -> Result<PathBuf, TrainError> {
    let of_hub = file.to_str().and_then(hub::data_file);
    of_hub.unwrap_or_else(|| Ok(folder.join(file)))
}

fn text(path: &Path) -> Result<String, TrainError> {
    fs::read_to_string(path).map_err(TrainError::file(path))
}

fn data_error(path: &Path) -> impl FnOnce(String) -> TrainError {
    let path = path.to_owned();
    move |message| TrainError::Data { path, message }
}

impl WrittenProblem {
    /// None where the expressions do not come to the answer by whole numbers.
    fn of(item: &Item) -> Option<Self> {
        let numbers = numbers(&item.question);
        let values: Vec<u32> = numbers.iter().map(|number| number.value).collect();
        let mut is_renumberable = true;
        let mut steps = Vec::new();
        // Expressions whose results later ones may name.
        let mut whole: Vec<(u32, usize)> = Vec::new();
        for (expression, stated) in &item.expressions {
            let mut operand = |leaf| match leaf {
                Leaf::Named(place) => {
                    // Where it stands in the text is known only if no other number is equal.
                    let value = *item.named.get(place)?;
                    let (found, is_sure) = of_question(&numbers, value);
                    is_renumberable &= is_sure;
                    Some(found.unwrap_or(Operand::Constant(value)))
                }
                Leaf::Value(value) => {
                    let result = whole.iter().rev().find(|(result, _)| *result == value);
                    let (found, is_sure) = of_question(&numbers, value);
                    is_renumberable &= is_sure && !(result.is_some() && found.is_some());
                    let result = result.map(|(_, step)| Operand::Result(*step));
                    Some(result.or(found).unwrap_or(Operand::Constant(value)))
                }
            };
            let Operand::Result(last) = expression.push_steps(&mut steps, &mut operand)? else {
                // `<<5=5>>` computes nothing.
                continue;
            };
            let result = *results(&steps, &values)?.get(last)?;
            if stated.is_some_and(|stated| stated != result) {
                return None;
            }
            whole.push((result, last));
        }
        let lower = item.question.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).collect();
        let is_meant = |value: u32| {
            let meanings = (MEANT.iter()).filter(|(_, values)| values.contains(&value));
            let mut beginnings = meanings.map(|(beginning, _)| *beginning);
            beginnings.any(|beginning| words.iter().any(|word| word.starts_with(beginning)))
        };
        let operands = steps.iter().flat_map(|step| [step.left, step.right]);
        let mut used = vec![0; numbers.len()];
        for operand in operands {
            if let Operand::Number(place) = operand {
                used[place] += 1;
                is_renumberable &= !is_meant(values[place]);
            }
        }
        // A small number that is used twice may be two numbers, one of them not in digits.
        is_renumberable &= (used.iter().zip(&values)).all(|(used, value)| *used < 2 || *value > 12);
        let problem = Self {
            text: item.question.clone(),
            numbers,
            steps,
            is_renumberable,
        };
        let found = *results(&problem.steps, &values)?.last()?;
        (found == item.answer).then_some(problem)
    }

    fn values(&self) -> Vec<u32> {
        self.numbers.iter().map(|number| number.value).collect()
    }

    /// Other numbers for the question with which every step still comes to a whole number above 0.
    fn other_values(&self, random: &mut Random) -> Option<Vec<u32>> {
        if !self.is_renumberable {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let values: Vec<u32> = (self.numbers.iter())
                .map(|number| match number.is_plain {
                    true => similar(random, number.value),
                    false => number.value,
                })
                .collect();
            let results = results(&self.steps, &values)?;
            let is_sound = results
                .iter()
                .all(|result| (1..=MAX_RESULT).contains(result));
            is_sound.then_some(values)
        })
    }

    fn told_with(&self, values: &[u32]) -> Problem {
        let results = results(&self.steps, values).expect("the chain was checked with them");
        let value = |operand| value(operand, values, &results);
        let operations: Vec<String> = (self.steps.iter().zip(&results))
            .map(|(step, result)| {
                let (left, right) = (value(step.left), value(step.right));
                format!("{left} {} {right} = {result}", step.sign)
            })
            .collect();
        Problem {
            query: replaced(&self.text, &self.numbers, values),
            reasoning: format!("First {}.", operations.join(". Then ")),
            condensed_reasoning: operations.join("; "),
            answer: results.last().expect("there is a step").to_string(),
            family: Family::Everyday,
            steps: self.steps.len() as u32,
        }
    }
}

/// The question's number of this value, and whether there is no second one.
fn of_question(numbers: &[Number], value: u32) -> (Option<Operand>, bool) {
    let mut places = (numbers.iter().enumerate()).filter(|(_, number)| number.value == value);
    let first = places.next().map(|(place, _)| Operand::Number(place));
    (first, places.next().is_none())
}

fn value(operand: Operand, values: &[u32], results: &[u32]) -> u32 {
    match operand {
        Operand::Number(place) => values[place],
        Operand::Constant(value) => value,
        Operand::Result(step) => results[step],
    }
}

/// What each step comes to; none where one is no whole number from 0 on.
fn results(steps: &[Step], values: &[u32]) -> Option<Vec<u32>> {
    let mut results = Vec::with_capacity(steps.len());
    for step in steps {
        let value = |operand| value(operand, values, &results);
        let (left, right) = (value(step.left), value(step.right));
        results.push(Sign::apply(step.sign, left, right)?);
    }
    Some(results)
}
