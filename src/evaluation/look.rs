//! What looking at implicit tokens shows over many questions: how often they read most like the
//! question's own reasoning, and how often an answer stands among their nearest words, beside what
//! chance gives for both.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::Interval;
use super::map::{MapPoint, PointMap, principal_components};
use crate::model::run::Inspect;
use crate::problems::Problem;
use crate::reasoning::inspect::Compare;
use crate::reasoning::{AskError, InspectOptions, Inspection, Pair};

/// Nearest words that are looked at of each vector.
const NEAREST: u32 = 5;

/// How many of how many, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// As a fraction.
    pub share: f64,
    /// 95 %.
    pub interval: Interval,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// Questions looked at.
    pub n: u64,
    /// Different reasonings of other questions that each was compared with (one fewer where a question's
    /// own was among them).
    pub bank: usize,
    /// The question's own reasoning came first; by chance 1 / (bank + 1).
    pub own_first: Share,
    /// It was among the first five.
    pub own_among_five: Share,
    /// Median place of the question's own reasoning.
    pub median_rank: f64,
    /// Median cosine of the vectors with the question's own reasoning.
    pub own_cosine: f64,
    /// Median over questions of the largest cosine with another one's.
    pub best_other_cosine: f64,
    /// The question's answer was among the five words nearest to some vector.
    pub answer_near: Share,
    /// The answer of another question was, one that is different.
    pub other_answer_near: Share,
    /// Median cosine of a vector with the word nearest to it.
    pub nearest_cosine: f64,
    /// Median cosine of a random direction with the word nearest to it.
    pub chance_cosine: f64,
    /// Median length of a vector.
    pub norm: f64,
    /// Median length of an embedding of the vocabulary.
    pub embedding_norm: f64,
    /// Median over questions of the mean cosine between two of its vectors; 0 where there is one.
    pub vector_cosine: f64,
    /// All vectors of each question, side by side, along their principal components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PointMap>,
}

/// Values gathered on the way.
#[derive(Default)]
struct Sums {
    ranks: Vec<f64>,
    own_cosines: Vec<f64>,
    best_other_cosines: Vec<f64>,
    answer_near: u64,
    other_answer_near: u64,
    other_answers: u64,
    nearest_cosines: Vec<f64>,
    norms: Vec<f64>,
    vector_cosines: Vec<f64>,
    chance_cosine: f64,
    embedding_norm: f64,
}

/// Looks at the implicit tokens of every problem, beside the reasonings of `others`; `on_question` gets
/// how many are done and may end it there.
///
/// # Errors
/// As [`Pair::inspect`].
pub async fn look<E: Inspect>(
    pair: &mut Pair<E>,
    problems: &[Problem],
    others: &[Problem],
    implicit_tokens: Option<u32>,
    mut on_question: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Looked, AskError<E::Error>> {
    let bank: BTreeSet<&String> = others.iter().map(|it| &it.reasoning).collect();
    let bank: Vec<String> = bank.into_iter().cloned().collect();
    let mut sums = Sums::default();
    let mut vectors = Vec::with_capacity(problems.len());
    for (index, problem) in problems.iter().enumerate() {
        let options = InspectOptions {
            implicit_tokens,
            nearest: NEAREST,
            compare: Some(Compare {
                reasoning: Some(problem.reasoning.clone()),
                bank: bank.clone(),
            }),
        };
        let found = pair.inspect(&problem.query, &options).await?;
        let behind = problems[index + 1..].iter().chain(&problems[..index]);
        let mut different = behind.filter(|it| it.answer != problem.answer);
        sums.add(&found, &problem.answer, different.next());
        vectors.push(found.values);
        if on_question(index as u64 + 1).is_break() {
            break;
        }
    }
    Ok(Looked {
        map: Some(map(problems, &vectors)),
        ..sums.finish(bank.len())
    })
}

/// Places to four digits behind the point: more than a chart shows.
fn map(problems: &[Problem], vectors: &[Vec<f32>]) -> PointMap {
    let (shares, places) = principal_components(vectors);
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    let points = problems
        .iter()
        .zip(places)
        .map(|(problem, [x, y])| MapPoint {
            x: rounded(x),
            y: rounded(y),
            answer: problem.answer.clone(),
            steps: problem.steps,
        });
    PointMap {
        shares,
        points: points.collect(),
    }
}

impl Sums {
    fn add(&mut self, found: &Inspection, answer: &str, other: Option<&Problem>) {
        let near = |answer: &str| {
            let words = found.vectors.iter().flat_map(|it| &it.nearest);
            u64::from(words.into_iter().any(|it| it.text.trim() == answer))
        };
        self.answer_near += near(answer);
        if let Some(other) = other {
            self.other_answers += 1;
            self.other_answer_near += near(&other.answer);
        }
        if let Some(alignment) = &found.alignment {
            self.ranks.push(alignment.rank as f64);
            self.own_cosines.push(f64::from(alignment.cosine));
            let other = alignment.ranking.iter().find(|it| !it.own);
            let other = other.map(|it| f64::from(it.cosine));
            self.best_other_cosines.extend(other);
        }
        for vector in &found.vectors {
            self.norms.push(f64::from(vector.norm));
            let nearest = vector.nearest.first().map(|it| f64::from(it.cosine));
            self.nearest_cosines.extend(nearest);
        }
        let k = found.cosines.len();
        let all: f64 = found
            .cosines
            .iter()
            .flatten()
            .map(|&it| f64::from(it))
            .sum();
        let pairs = (k * (k - 1)).max(1) as f64;
        self.vector_cosines.push((all - k as f64) / pairs);
        if let Some(vocabulary) = found.vocabulary {
            self.chance_cosine = f64::from(vocabulary.chance_cosine);
            self.embedding_norm = f64::from(vocabulary.median_norm);
        }
    }

    fn finish(self, bank: usize) -> Looked {
        let n = self.ranks.len() as u64;
        let within = |most: f64| self.ranks.iter().filter(|&&it| it <= most).count() as u64;
        Looked {
            n,
            bank,
            own_first: Share::of(within(1.0), n),
            own_among_five: Share::of(within(5.0), n),
            answer_near: Share::of(self.answer_near, n),
            other_answer_near: Share::of(self.other_answer_near, self.other_answers),
            median_rank: median(self.ranks),
            own_cosine: median(self.own_cosines),
            best_other_cosine: median(self.best_other_cosines),
            nearest_cosine: median(self.nearest_cosines),
            chance_cosine: self.chance_cosine,
            norm: median(self.norms),
            embedding_norm: self.embedding_norm,
            vector_cosine: median(self.vector_cosines),
            map: None,
        }
    }
}

impl Share {
    /// So many of so many.
    pub fn of(right: u64, n: u64) -> Self {
        Self {
            share: right as f64 / n.max(1) as f64,
            interval: Interval::wilson(right, n),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (None, _) => 0.0,
        (Some(&it), 1) => it,
        (Some(&it), _) => (values[middle - 1] + it) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
