//! Problems as token ids, and the batches of training: an endless stream of generated problems, or a data set again and
//! again.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use super::config::{Config, Lesson, Mixture};
use super::error::TrainError;
use super::vocabulary::{QUESTION_PROMPT, Vocabulary};
use super::written::{Written, WrittenSettings};
use crate::problems::{Family, Problem, Random, Settings, Split, generate};

/// A problem with its pieces tokenized apart (METHOD, section 4).
#[derive(Clone, Debug)]
pub struct Example {
    pub family: Family,
    pub steps: u32,
    /// Question prompt and question, as the target reads them.
    pub question: Vec<u32>,
    /// The same as the generator reads them: with its own tokenizer's ids, where it has one.
    pub generator_question: Vec<u32>,
    pub reasoning: Vec<u32>,
    pub condensed: Vec<u32>,
    pub answer: Vec<u32>,
    /// The result after each step, as answers would be written; the last is the answer.
    pub intermediate: Vec<Vec<u32>>,
    /// Tokens of the reasoning up to the end of each step's sentence; none where it has fewer sentences than steps.
    pub step_ends: Vec<usize>,
}

impl Example {
    pub fn of(problem: &Problem, vocabulary: &Vocabulary) -> Self {
        let piece = |text: &str| vocabulary.text(text);
        let intermediate = intermediate_results(problem);
        let question = vocabulary.question(&problem.query);
        let reasoning = piece(&problem.reasoning);
        Self {
            family: problem.family,
            steps: problem.steps,
            generator_question: question.clone(),
            question,
            step_ends: step_ends(&reasoning, intermediate.len(), &vocabulary.full_stops),
            reasoning,
            condensed: piece(&problem.condensed_reasoning),
            answer: piece(&problem.answer),
            intermediate: intermediate.iter().map(|text| piece(text)).collect(),
        }
    }

    /// Steps that the first `vectors` of `k` vectors have been through, where a step of arithmetic has `per_step` of them.
    pub fn steps_of(&self, vectors: usize, k: usize, per_step: usize) -> usize {
        let steps = self.intermediate.len();
        match self.family {
            Family::Arithmetic | Family::Everyday => (vectors / per_step).min(steps),
            // More people than vectors: each vector stands for its part of them.
            Family::Coin => (vectors * steps).div_ceil(k),
        }
    }

    /// For each of `k` vectors the tokens of the reasoning that say its steps; for those that are left over the last ones,
    /// and all where sentences and steps do not match.
    pub fn reasoning_parts(&self, k: usize, per_step: usize) -> Vec<Range<usize>> {
        if self.step_ends.is_empty() {
            return vec![0..self.reasoning.len(); k];
        }
        let end = |steps: usize| match steps {
            0 => 0,
            steps => self.step_ends[steps - 1],
        };
        let mut parts: Vec<Range<usize>> = Vec::with_capacity(k);
        for first in (0..k).step_by(per_step) {
            let vectors = (k - first).min(per_step);
            let steps = |vectors| self.steps_of(vectors, k, per_step);
            let part = end(steps(first))..end(steps(first + vectors));
            let last = parts.last().cloned().unwrap_or(0..end(1));
            let part = if part.is_empty() { last } else { part };
            parts.extend(iter::repeat_n(part, vectors));
        }
        parts
    }
}

/// Where the sentences of a reasoning end, the last of them as many as there are steps.
fn step_ends(reasoning: &[u32], steps: usize, full_stops: &[bool]) -> Vec<usize> {
    let is_end = |id: u32| full_stops.get(id as usize).copied().unwrap_or(false);
    let mut ends: Vec<usize> = (reasoning.iter().enumerate())
        .filter(|&(_, &id)| is_end(id))
        .map(|(at, _)| at + 1)
        .collect();
    if ends.last() != Some(&reasoning.len()) {
        ends.push(reasoning.len());
    }
    match ends.len().checked_sub(steps) {
        Some(before) => ends.split_off(before),
        None => Vec::new(),
    }
}

/// What the answer would be after each step: running values, or whether the side asked for is up.
fn intermediate_results(problem: &Problem) -> Vec<String> {
    match problem.family {
        Family::Arithmetic | Family::Everyday => (problem.condensed_reasoning.split(';'))
            .filter_map(|step| step.rsplit('=').next().map(|value| value.trim().to_owned()))
            .collect(),
        Family::Coin => {
            let sides: Vec<&str> = (problem.condensed_reasoning.split(';').skip(1))
                .filter_map(|step| step.rsplit(':').next().map(str::trim))
                .collect();
            let last = sides.last().copied().unwrap_or_default();
            let opposite = if problem.answer == "yes" { "no" } else { "yes" };
            (sides.iter())
                .map(|&side| {
                    if side == last {
                        problem.answer.clone()
                    } else {
                        opposite.to_owned()
                    }
                })
                .collect()
        }
    }
}

/// Draws of one seed that no other purpose shares.
fn mixed_seed(seed: u64, purpose: u64, step: u64) -> u64 {
    let mut random = Random::new(seed ^ purpose.wrapping_mul(0xa076_1d64_78bd_642f));
    random.bits() ^ Random::new(step).bits()
}

/// The stream of training problems: which ones a step sees depends on the seed, the stage and the step alone.
#[derive(Clone, Debug)]
pub struct Stream {
    seed: u64,
    purpose: u64,
    mixture: Mixture,
    settings: Settings,
    written: Option<(WrittenSettings, Arc<Written>)>,
    /// Empty but for the generator.
    curriculum: Vec<Lesson>,
}

/// Number of a stage's stream; stages must not see each other's problems in the same order.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Tokenizer = 1,
    Target = 2,
    SentenceTransformer = 3,
    Generator = 4,
    Validation = 5,
}

impl Stream {
    pub fn new(config: &Config, purpose: Purpose) -> Self {
        Self {
            seed: config.seed,
            purpose: purpose as u64,
            mixture: config.mixture,
            settings: config.problems,
            written: (config.written.clone()).zip(config.written_problems.clone()),
            curriculum: match purpose {
                Purpose::Generator => config.curriculum.clone(),
                _ => Vec::new(),
            },
        }
    }

    fn lesson_at(&self, step: usize) -> Option<&Lesson> {
        self.curriculum.iter().find(|lesson| step < lesson.until)
    }

    /// The problems of a step, the families in their shares.
    pub fn problems(&self, step: usize, count: usize) -> Result<Vec<Problem>, TrainError> {
        let lesson = self.lesson_at(step);
        let settings = lesson.map_or(self.settings, |lesson| lesson.limit(self.settings));
        let mixture = lesson.and_then(|it| it.mixture).unwrap_or(self.mixture);
        let drawn = |family| {
            let seed = mixed_seed(self.seed, self.purpose * 8 + family as u64, step as u64);
            generate(family, Split::Train, seed, &settings)
        };
        let mut problems = Vec::with_capacity(count);
        if let Some((written, all)) = &self.written {
            let seed = mixed_seed(self.seed, self.purpose * 8 + 6, step as u64);
            let mut random = Random::new(seed);
            let share = lesson.and_then(|it| it.written_share);
            let part = (count as f64 * share.unwrap_or(written.share)).round() as usize;
            problems.extend((0..part).map(|_| all.draw(&mut random, settings.max_steps)));
        }
        let count = count - problems.len();
        for (family, count) in mixture.counts(count) {
            let mut all = drawn(family)?;
            let borrowing = match family {
                Family::Arithmetic => (count as f64 * mixture.borrowing).round() as usize,
                Family::Coin | Family::Everyday => 0,
            };
            problems.extend(all.by_ref().take(count - borrowing));
            problems.extend(all.filter(Problem::tells_of_borrowing).take(borrowing));
        }
        Ok(problems)
    }

    /// [`Stream::problems`] as token ids.
    pub fn examples(
        &self,
        step: usize,
        count: usize,
        vocabulary: &Vocabulary,
    ) -> Result<Vec<Example>, TrainError> {
        let problems = self.problems(step, count)?;
        Ok(problems
            .iter()
            .map(|problem| Example::of(problem, vocabulary))
            .collect())
    }

    /// All pieces of so many problems of each family, and of all that people wrote, for the tokenizer.
    pub fn tokenizer_texts(&self, count: usize) -> Result<Vec<String>, TrainError> {
        let mut problems = Vec::new();
        for family in self.mixture.families() {
            let seed = mixed_seed(self.seed, self.purpose * 8 + family as u64, 0);
            problems.extend(generate(family, Split::Train, seed, &self.settings)?.take(count));
        }
        if let Some((_, written)) = &self.written {
            problems.extend(written.training());
        }
        let texts = problems.iter().flat_map(|it| it.texts(QUESTION_PROMPT));
        Ok(texts.collect())
    }

    /// Random numbers of a step for choices besides the problems.
    pub fn choices(&self, step: usize) -> Random {
        Random::new(mixed_seed(self.seed, self.purpose * 8 + 7, step as u64))
    }
}

/// Where a stage's batches come from.
#[derive(Clone)]
pub enum Batches<'a> {
    Generated {
        stream: Stream,
        vocabulary: &'a Vocabulary,
    },
    DataSet(Epochs),
}

impl Batches<'_> {
    /// The examples of a step; `count` of them, fewer at the end of an epoch.
    pub fn examples(&self, step: usize, count: usize) -> Result<Vec<Example>, TrainError> {
        match self {
            Batches::Generated { stream, vocabulary } => stream.examples(step, count, vocabulary),
            Batches::DataSet(epochs) => Ok(epochs.examples(step, count)),
        }
    }

    /// How many examples [`Batches::examples`] gives.
    pub fn count(&self, step: usize, count: usize) -> usize {
        match self {
            Batches::Generated { .. } => count,
            Batches::DataSet(epochs) => epochs.batch(step, count).len(),
        }
    }

    /// Random numbers of a step for choices besides the examples.
    pub fn choices(&self, step: usize) -> Random {
        match self {
            Batches::Generated { stream, .. } => stream.choices(step),
            Batches::DataSet(epochs) => Random::new(mixed_seed(epochs.seed, 7, step as u64)),
        }
    }
}

/// A data set in epochs, each with an order of its own; after the last comes the first again. Batches are runs of the
/// order, the last of an epoch may be smaller (METHOD, sections 5 and 6).
#[derive(Clone, Debug)]
pub struct Epochs {
    pub items: Arc<Vec<Example>>,
    /// For every epoch the numbers of its items.
    pub orders: Arc<Vec<Vec<usize>>>,
    /// Choices besides the order follow from it.
    pub seed: u64,
}

impl Epochs {
    /// Steps of all epochs.
    pub fn steps(&self, batch: usize) -> usize {
        self.orders
            .iter()
            .map(|order| order.len().div_ceil(batch))
            .sum()
    }

    fn examples(&self, step: usize, batch: usize) -> Vec<Example> {
        let items = self.batch(step, batch).iter();
        items.map(|&item| self.items[item].clone()).collect()
    }

    /// Numbers of the items of a step.
    fn batch(&self, step: usize, batch: usize) -> &[usize] {
        let mut step = step % self.steps(batch);
        for order in self.orders.iter() {
            let steps = order.len().div_ceil(batch);
            if step < steps {
                let end = ((step + 1) * batch).min(order.len());
                return &order[step * batch..end];
            }
            step -= steps;
        }
        unreachable!("the step is below the sum of the epochs' steps");
    }
}

/// The problems that checkpoints are chosen on: those of each family, and those that people wrote, by name.
pub fn validation_sets(
    config: &Config,
    vocabulary: &Vocabulary,
) -> Result<Vec<(String, Vec<Example>)>, TrainError> {
    let purpose = Purpose::Validation as u64 * 8;
    let count = config.validation.problems;
    let example = |problem: Problem| Example::of(&problem, vocabulary);
    let mut sets = Vec::new();
    for family in config.mixture.families() {
        let seed = mixed_seed(config.seed, purpose + family as u64, 0);
        let problems = generate(family, config.validation.split, seed, &config.problems)?;
        let examples = problems.take(count).map(example).collect();
        sets.push((family.name().to_owned(), examples));
    }
    if let Some(written) = &config.written_problems {
        let examples = written.validation().take(count).map(example).collect();
        sets.push(("written".to_owned(), examples));
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_end_in_a_smaller_batch_and_begin_anew_after_the_last() {
        let items = (0..5)
            .map(|id| Example {
                family: Family::Arithmetic,
                steps: 0,
                question: vec![id],
                generator_question: vec![id],
                reasoning: vec![],
                condensed: vec![],
                answer: vec![],
                intermediate: vec![],
                step_ends: vec![],
            })
            .collect();
        let epochs = Epochs {
            items: Arc::new(items),
            orders: Arc::new(vec![vec![4, 2, 0], vec![1, 3]]),
            seed: 0,
        };
        let drawn = |step| -> Vec<u32> {
            (epochs.examples(step, 2).iter())
                .map(|example| example.question[0])
                .collect()
        };
        assert_eq!(epochs.steps(2), 3);
        assert_eq!(drawn(0), [4, 2]);
        assert_eq!(drawn(1), [0]);
        assert_eq!(drawn(2), [1, 3]);
        assert_eq!(drawn(3), [4, 2]);
    }

    /// Sentences of 2, 3 and 4 tokens; 9 is a full stop.
    fn example(family: Family, steps: usize) -> Example {
        let reasoning = vec![1, 9, 2, 2, 9, 3, 3, 3, 9];
        let full_stops: Vec<bool> = (0..10).map(|id| id == 9).collect();
        Example {
            family,
            steps: steps as u32,
            question: vec![],
            generator_question: vec![],
            step_ends: step_ends(&reasoning, steps, &full_stops),
            reasoning,
            condensed: vec![],
            answer: vec![],
            intermediate: vec![vec![0]; steps],
        }
    }

    #[test]
    fn every_vector_has_the_sentences_of_its_steps() {
        // The first sentence says what there is, and belongs to the first step.
        let two_steps = example(Family::Arithmetic, 2);
        assert_eq!(two_steps.step_ends, [5, 9]);
        assert_eq!(
            two_steps.reasoning_parts(1, 1),
            std::slice::from_ref(&(0..5))
        );
        assert_eq!(two_steps.reasoning_parts(3, 1), [0..5, 5..9, 5..9]);
        assert_eq!(two_steps.reasoning_parts(4, 2), [0..5, 0..5, 5..9, 5..9]);
        // Three people for two vectors, and two for three.
        let three_people = example(Family::Coin, 3);
        assert_eq!(three_people.step_ends, [2, 5, 9]);
        assert_eq!(three_people.reasoning_parts(2, 1), [0..5, 5..9]);
        let two_people = example(Family::Coin, 2);
        assert_eq!(two_people.reasoning_parts(3, 1), [0..5, 5..9, 5..9]);
        // Fewer sentences than steps.
        let four_steps = example(Family::Arithmetic, 4);
        assert!(four_steps.step_ends.is_empty());
        assert_eq!(four_steps.reasoning_parts(2, 1), [0..9, 0..9]);
    }
}
