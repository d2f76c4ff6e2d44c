//! Does it reason? What can be read from implicit tokens, and what follows from exchanging them.
//!
//! *Probes*: a linear probe is fitted, on problems of the training split, to read each step's result from each vector,
//! and asked on held-out ones. Beside it stand the most frequent result (chance) and the same probe on what the models
//! know of the question before there are any implicit tokens. *Swaps*: a question gets the vectors of another; does the
//! answer follow the vectors or the question?

mod logistic;
mod results;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use logistic::LinearProbe;
pub use results::{Readable, results_of};

use super::look::Share;
use crate::model::run::Inspect;
use crate::problems::Problem;
use crate::reasoning::{AskError, AskOptions, Mode, Pair};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Held-out problems.
    pub n: u64,
    /// Problems of the training split that the probes were fitted on.
    pub fitted_on: u64,
    /// Number of implicit tokens.
    pub implicit_tokens: u32,
    /// What was read from where.
    pub probes: Vec<Probe>,
    /// What followed from exchanging implicit tokens.
    pub swaps: Swaps,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Where it reads.
    pub from: Place,
    /// What it reads: the result of this step, from 1 on; the last one, which is the answer, where absent.
    pub step: Option<u32>,
    /// Held-out problems that have such a step.
    pub n: u64,
    /// How many of them it read right.
    pub right: Share,
    /// How many have the result that is most frequent where the probe was fitted.
    pub chance: Share,
}

/// Where a probe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The implicit token of this number, from 1 on.
    ImplicitToken(u32),
    /// All implicit tokens, side by side.
    AllImplicitTokens,
    /// Control: the generator's state at the last token of the question, projected as implicit tokens are.
    QuestionInGenerator,
    /// Control: the target's hidden state at the last token of the question.
    QuestionInTarget,
}

/// What followed from exchanging implicit tokens between two problems, both of which are answered right with their own
/// and have different answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Swaps {
    /// Pairs of problems.
    pub n: u64,
    /// The answer was that of the problem whose vectors they are.
    pub followed_vectors: Share,
    /// It was that of the problem whose question it is.
    pub followed_question: Share,
    /// It was neither.
    pub followed_neither: Share,
    /// It was that of a third problem with another answer than both: what chance gives.
    pub third_problem: Share,
}

/// How far a run of probes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many questions' states have been read.
    States(usize),
    /// So many probes have been fitted.
    Probes(usize),
    /// So many pairs have been exchanged.
    Swaps(usize),
}

/// Fits probes on `train`, asks them on `heldout`, and exchanges implicit tokens between the latter.
///
/// # Errors
/// As [`Pair::ask`].
pub async fn probe<E: Inspect>(
    pair: &mut Pair<E>,
    train: &[Problem],
    heldout: &[Problem],
    implicit_tokens: Option<u32>,
    mut on_progress: impl FnMut(Progress),
) -> Result<Probed, AskError<E::Error>> {
    let mut states = Vec::with_capacity(train.len() + heldout.len());
    for problem in train.iter().chain(heldout) {
        states.push(states_of(pair, &problem.query, implicit_tokens).await?);
        on_progress(Progress::States(states.len()));
    }
    let (train_states, heldout_states) = states.split_at(train.len());
    let places: Vec<Place> = train_states
        .first()
        .map_or(Vec::new(), |it| it.keys().copied().collect());
    let most_steps = train.iter().map(|it| results_of(it).len()).max();
    let steps = (1..=most_steps.unwrap_or(0) as u32).map(Some).chain([None]);
    let mut probes = Vec::new();
    for step in steps {
        for &place in &places {
            let fitted = examples(train, train_states, place, step);
            let asked = examples(heldout, heldout_states, place, step);
            if !fitted.is_empty() && !asked.is_empty() {
                probes.push(read(place, step, &fitted, &asked));
                on_progress(Progress::Probes(probes.len()));
            }
        }
    }
    let swaps = swap(pair, heldout, implicit_tokens, &mut on_progress).await?;
    Ok(Probed {
        n: heldout.len() as u64,
        fitted_on: train.len() as u64,
        implicit_tokens: implicit_tokens.unwrap_or_else(|| pair.implicit_tokens()),
        probes,
        swaps,
    })
}

type States = BTreeMap<Place, Vec<f32>>;

async fn states_of<E: Inspect>(
    pair: &mut Pair<E>,
    question: &str,
    implicit_tokens: Option<u32>,
) -> Result<States, AskError<E::Error>> {
    let states = pair.states(question, implicit_tokens).await?;
    let width = states.question_in_target.len();
    let tokens = states.implicit_tokens.chunks_exact(width);
    let tokens = tokens
        .zip(1..)
        .map(|(vector, number)| (Place::ImplicitToken(number), vector.to_vec()));
    let mut by_place: States = tokens.collect();
    by_place.insert(Place::AllImplicitTokens, states.implicit_tokens);
    by_place.insert(Place::QuestionInGenerator, states.question_in_generator);
    by_place.insert(Place::QuestionInTarget, states.question_in_target);
    Ok(by_place)
}

/// Vectors at a place with what is to be read from them, of the problems that have it.
fn examples(
    problems: &[Problem],
    states: &[States],
    place: Place,
    step: Option<u32>,
) -> Vec<(Vec<f32>, Readable)> {
    let examples = problems.iter().zip(states).filter_map(|(problem, states)| {
        let results = results_of(problem);
        let result = match step {
            Some(step) => results.get(step as usize - 1),
            None => results.last(),
        };
        Some((states.get(&place)?.clone(), result?.clone()))
    });
    examples.collect()
}

fn read(
    from: Place,
    step: Option<u32>,
    fitted: &[(Vec<f32>, Readable)],
    asked: &[(Vec<f32>, Readable)],
) -> Probe {
    let mut counts: BTreeMap<&Readable, usize> = BTreeMap::new();
    for (_, result) in fitted {
        *counts.entry(result).or_default() += 1;
    }
    let classes: Vec<&Readable> = counts.keys().copied().collect();
    let class = |result: &Readable| classes.binary_search(&result).ok();
    let labels: Vec<usize> = fitted
        .iter()
        .filter_map(|(_, result)| class(result))
        .collect();
    let vectors: Vec<Vec<f32>> = fitted.iter().map(|(vector, _)| vector.clone()).collect();
    let probe = LinearProbe::fit(&vectors, &labels, classes.len());
    // Of equally frequent ones the first.
    let most = counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| **count)
        .map(|(result, _)| *result);
    let right = asked
        .iter()
        .filter(|(vector, result)| class(result) == Some(probe.class_of(vector)));
    let by_chance = asked.iter().filter(|(_, result)| Some(result) == most);
    let n = asked.len() as u64;
    Probe {
        from,
        step,
        n,
        right: Share::of(right.count() as u64, n),
        chance: Share::of(by_chance.count() as u64, n),
    }
}

async fn swap<E: Inspect>(
    pair: &mut Pair<E>,
    problems: &[Problem],
    implicit_tokens: Option<u32>,
    on_progress: &mut impl FnMut(Progress),
) -> Result<Swaps, AskError<E::Error>> {
    let options = AskOptions {
        implicit_tokens,
        ..AskOptions::new(Mode::Implicit)
    };
    let mut right: Vec<&Problem> = Vec::new();
    for problem in problems {
        let answer = pair.ask_with_implicit_tokens_of(&problem.query, &problem.query, &options);
        if answer.await?.answer == problem.answer {
            right.push(problem);
        }
    }
    let (mut vectors, mut question, mut third) = (0, 0, 0);
    let (mut n, mut with_third) = (0, 0);
    for (index, problem) in right.iter().enumerate() {
        let behind = || right[index + 1..].iter().chain(&right[..index]);
        let Some(other) = behind().find(|it| it.answer != problem.answer) else {
            continue;
        };
        let answer = pair.ask_with_implicit_tokens_of(&problem.query, &other.query, &options);
        let answer = answer.await?.answer;
        n += 1;
        vectors += u64::from(answer == other.answer);
        question += u64::from(answer == problem.answer);
        let different =
            behind().find(|it| it.answer != problem.answer && it.answer != other.answer);
        if let Some(different) = different {
            with_third += 1;
            third += u64::from(answer == different.answer);
        }
        on_progress(Progress::Swaps(n as usize));
    }
    Ok(Swaps {
        n,
        followed_vectors: Share::of(vectors, n),
        followed_question: Share::of(question, n),
        followed_neither: Share::of(n - vectors - question, n),
        third_problem: Share::of(third, with_third),
    })
}
