//! Problems as token ids, and the endless stream of training batches.

use super::config::{Config, Lesson, Mixture};
use super::error::TrainError;
use super::vocabulary::Vocabulary;
use crate::problems::{Family, Problem, Random, Settings, Split, generate};

/// A problem with its pieces tokenized apart (METHOD, section 4).
#[derive(Clone, Debug)]
pub struct Example {
    pub family: Family,
    pub steps: u32,
    /// Question prompt and question.
    pub question: Vec<u32>,
    pub reasoning: Vec<u32>,
    pub condensed: Vec<u32>,
    pub answer: Vec<u32>,
    /// The result after each step, as answers would be written; the last is the answer.
    pub intermediate: Vec<Vec<u32>>,
}

impl Example {
    pub fn of(problem: &Problem, vocabulary: &Vocabulary) -> Self {
        let piece = |text: &str| vocabulary.text(text);
        let intermediate = intermediate_results(problem);
        Self {
            family: problem.family,
            steps: problem.steps,
            question: vocabulary.question(&problem.query),
            reasoning: piece(&problem.reasoning),
            condensed: piece(&problem.condensed_reasoning),
            answer: piece(&problem.answer),
            intermediate: intermediate.iter().map(|text| piece(text)).collect(),
        }
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
            curriculum: match purpose {
                Purpose::Generator => config.curriculum.clone(),
                _ => Vec::new(),
            },
        }
    }

    /// How hard the problems of a step are.
    fn settings_at(&self, step: usize) -> Settings {
        match self.curriculum.iter().find(|lesson| step < lesson.until) {
            Some(lesson) => lesson.limit(self.settings),
            None => self.settings,
        }
    }

    /// The problems of a step, the families in their shares.
    pub fn problems(&self, step: usize, count: usize) -> Result<Vec<Problem>, TrainError> {
        let settings = self.settings_at(step);
        let drawn = |family| {
            let seed = mixed_seed(self.seed, self.purpose * 8 + family as u64, step as u64);
            generate(family, Split::Train, seed, &settings)
        };
        let mut problems = Vec::with_capacity(count);
        for (family, count) in self.mixture.counts(count) {
            let mut all = drawn(family)?;
            let borrowing = match family {
                Family::Arithmetic => (count as f64 * self.mixture.borrowing).round() as usize,
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

    /// All pieces of so many problems of each family, for the tokenizer.
    pub fn tokenizer_texts(&self, count: usize) -> Result<Vec<String>, TrainError> {
        let mut texts = Vec::new();
        for family in self.mixture.families() {
            let seed = mixed_seed(self.seed, self.purpose * 8 + family as u64, 0);
            for problem in generate(family, Split::Train, seed, &self.settings)?.take(count) {
                texts.push(format!(
                    "{}{}",
                    super::vocabulary::QUESTION_PROMPT,
                    problem.query
                ));
                texts.extend([
                    problem.reasoning,
                    problem.condensed_reasoning,
                    problem.answer,
                ]);
            }
        }
        Ok(texts)
    }

    /// Random numbers of a step for choices besides the problems.
    pub fn choices(&self, step: usize) -> Random {
        Random::new(mixed_seed(self.seed, self.purpose * 8 + 7, step as u64))
    }
}

/// The problems that checkpoints are chosen on, a family at a time.
pub fn validation_examples(
    config: &Config,
    family: Family,
    vocabulary: &Vocabulary,
) -> Result<Vec<Example>, TrainError> {
    let seed = mixed_seed(
        config.seed,
        Purpose::Validation as u64 * 8 + family as u64,
        0,
    );
    Ok(generate(family, Split::Validation, seed, &config.problems)?
        .take(config.validation.problems)
        .map(|problem| Example::of(&problem, vocabulary))
        .collect())
}
