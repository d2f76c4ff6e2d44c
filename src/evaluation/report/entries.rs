//! What was measured, by what it is of: model, method, number of implicit tokens, questions. Runs that differ in their seed
//! alone become one entry with mean and deviation.
//!
//! All of it is read from the command that measured, which every evaluation holds, so that no file needs a second
//! description of itself. Names of runs say more: `NAME-seed2` is a further seed of `NAME`, and `-k2` and `-alpha0.25`
//! before that are settings of a sweep.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Interval;
use super::super::MeanSd;
use super::super::run::Timing;
use super::super::tally::{RightOf, add_to};
use super::files::{EvaluationFile, ModeScore};
use super::input::{InputError, Named};
use super::names::{RunName, last_part, option, questions, stem};
use crate::reasoning::Mode;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The model folder or run, without seed and settings of a sweep.
    pub model: String,
    /// The way of answering, or the method of a run.
    pub method: String,
    /// The number of implicit tokens, where command or name give it.
    pub implicit_tokens: Option<u32>,
    /// Weight of the alignment loss, where the name gives it, as written there.
    pub alpha: Option<String>,
    /// The questions.
    pub questions: String,
    /// Temperature as written; greedy where absent.
    pub temperature: Option<String>,
}

impl Subject {
    /// Model, method and settings, for rows and legends.
    pub fn name(&self) -> String {
        let is_plain = self.model.replace('-', "_") == self.method;
        let mut name = match is_plain {
            true => self.model.clone(),
            false => format!("{}, {}", self.model, self.method),
        };
        if let Some(alpha) = &self.alpha {
            name += &format!(", alpha {alpha}");
        }
        if let Some(k) = self.implicit_tokens {
            name += &format!(", k = {k}");
        }
        name
    }
}

/// What was found of a subject, over all its seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Of what.
    pub subject: Subject,
    /// What computed.
    pub device: Option<String>,
    /// Questions.
    pub n: u64,
    /// Share right by the strict rule.
    pub strict: Shown,
    /// Share right by the authors' rule.
    pub official: Shown,
    /// Right and asked, by steps.
    pub by_steps: BTreeMap<u32, RightOf>,
    /// Right and asked, by operators.
    pub by_operators: BTreeMap<String, RightOf>,
    /// Cost a question, where it was measured.
    pub cost: Option<Cost>,
}

/// A share with its interval, and its deviation where there are several seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The share; the mean of several seeds.
    pub share: f64,
    /// Wilson's 95 % interval.
    pub interval: Interval,
    /// Over the seeds.
    pub seeds: Option<MeanSd>,
}

/// Means a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Tokens written.
    pub tokens: f64,
    /// Passes of the target.
    pub target_passes: f64,
    /// Passes of the generator.
    pub generator_passes: f64,
    /// Time.
    pub ms: Timing,
}

/// A measurement before seeds are put together.
struct Measured<'a> {
    path: &'a Path,
    /// Seed of the run of training.
    run_seed: Option<String>,
    /// Seeds of the questions; empty where they are a file's.
    question_seeds: Vec<String>,
    device: Option<String>,
    score: &'a ModeScore,
}

/// All evaluations as entries, in the order in which their subjects first come.
///
/// # Errors
/// When two files hold the same measurement.
pub fn entries(files: &[Named<EvaluationFile>]) -> Result<Vec<Entry>, InputError> {
    let mut order: Vec<Subject> = Vec::new();
    let mut by_subject: BTreeMap<Subject, Vec<Measured<'_>>> = BTreeMap::new();
    for file in files {
        for (subject, measured) in measurements(file) {
            let same = by_subject.entry(subject.clone()).or_insert_with(|| {
                order.push(subject.clone());
                Vec::new()
            });
            if let Some(first) = same.iter().find(|it| it.overlaps(&measured)) {
                return Err(InputError::Twice {
                    first: first.path.to_owned(),
                    second: measured.path.to_owned(),
                    what: format!("{} on {}", subject.name(), subject.questions),
                });
            }
            same.push(measured);
        }
    }
    let entries = order.into_iter().map(|subject| {
        let measured = &by_subject[&subject];
        entry(subject, measured)
    });
    Ok(entries.collect())
}

fn measurements(file: &Named<EvaluationFile>) -> Vec<(Subject, Measured<'_>)> {
    let EvaluationFile {
        command,
        device,
        method,
        modes,
        sampled,
    } = &file.contents;
    let name = option(command, "--model").or_else(|| option(command, "--run"));
    let name = name.map_or_else(|| stem(&file.path), |it| last_part(&it));
    let named = RunName::of(&name);
    let k = option(command, "--implicit-tokens").and_then(|it| it.parse().ok());
    let greedy = in_order(modes).map(|it| (None, it));
    let sampled = sampled.iter().flat_map(|at| {
        let temperature = format!("{}", at.temperature);
        in_order(&at.modes).map(move |it| (Some(temperature.clone()), it))
    });
    let found = greedy.chain(sampled).map(|(temperature, (mode, score))| {
        let subject = Subject {
            model: named.base.clone(),
            method: method.clone().unwrap_or_else(|| mode.clone()),
            // Ways of answering without implicit tokens have no number of them.
            implicit_tokens: (mode == "implicit").then(|| k.or(named.k)).flatten(),
            alpha: named.alpha.clone(),
            questions: questions(command),
            temperature,
        };
        let measured = Measured {
            path: &file.path,
            run_seed: named.seed.clone(),
            question_seeds: question_seeds(command, score),
            device: device.clone(),
            score,
        };
        (subject, measured)
    });
    found.collect()
}

/// Ways of answering in the order in which they are always shown.
fn in_order(modes: &BTreeMap<String, ModeScore>) -> impl Iterator<Item = (&String, &ModeScore)> {
    let mut modes: Vec<_> = modes.iter().collect();
    let known = |name: &str| Mode::ALL.iter().position(|mode| mode.name() == name);
    modes.sort_by_key(|(name, _)| known(name).unwrap_or(Mode::ALL.len()));
    modes.into_iter()
}

impl Measured<'_> {
    /// Whether both hold answers of one run to the same questions.
    fn overlaps(&self, other: &Self) -> bool {
        let mut seeds = self.question_seeds.iter();
        let same_questions = match self.question_seeds.is_empty() {
            true => other.question_seeds.is_empty(),
            false => seeds.any(|it| other.question_seeds.contains(it)),
        };
        self.run_seed == other.run_seed && same_questions
    }
}

/// Seeds that questions were drawn with: those told, else the command's, else the first.
fn question_seeds(command: &[String], score: &ModeScore) -> Vec<String> {
    if option(command, "--data").is_some() {
        return Vec::new();
    }
    match &score.over_seeds {
        Some(found) => found.seeds.iter().map(u64::to_string).collect(),
        None => vec![option(command, "--seed").unwrap_or_else(|| "1".to_owned())],
    }
}

/// How many different questions were asked: those of one seed count once, however many runs answered them.
fn different_questions(measured: &[Measured<'_>]) -> u64 {
    let mut by_seeds: BTreeMap<&[String], u64> = BTreeMap::new();
    for it in measured {
        let n = by_seeds.entry(&it.question_seeds).or_default();
        *n = (*n).max(it.score.accuracy.n);
    }
    by_seeds.values().sum()
}

fn entry(subject: Subject, measured: &[Measured<'_>]) -> Entry {
    let scores = || measured.iter().map(|it| it.score);
    let n = different_questions(measured);
    let first = &measured[0];
    let mut devices = measured.iter().map(|it| &it.device);
    let same_device = devices.all(|it| *it == first.device);
    Entry {
        n,
        strict: shown(
            measured,
            n,
            |it| it.accuracy.strict,
            |it| it.over_seeds.as_ref().map(|it| &it.strict),
        ),
        official: shown(
            measured,
            n,
            |it| it.accuracy.official,
            |it| it.over_seeds.as_ref().map(|it| &it.official),
        ),
        device: first.device.clone().filter(|_| same_device),
        by_steps: summed(scores().map(|it| &it.by_steps)),
        by_operators: summed(scores().map(|it| &it.by_operators)),
        cost: cost(measured),
        subject,
    }
}

/// Counts of several measurements together.
fn summed<'a, K: Ord + Clone + 'a>(
    counts: impl Iterator<Item = &'a BTreeMap<K, RightOf>>,
) -> BTreeMap<K, RightOf> {
    let mut sums = BTreeMap::new();
    for (kind, &counted) in counts.flatten() {
        add_to(&mut sums, kind, counted);
    }
    sums
}

/// The share of all answers, with the interval of as many as there are different questions.
fn shown(
    measured: &[Measured<'_>],
    n: u64,
    share: impl Fn(&ModeScore) -> f64,
    over_seeds: impl Fn(&ModeScore) -> Option<&MeanSd>,
) -> Shown {
    let answers: u64 = measured.iter().map(|it| it.score.accuracy.n).sum();
    let right = measured
        .iter()
        .map(|it| share(it.score) * it.score.accuracy.n as f64);
    let mean = right.sum::<f64>() / answers.max(1) as f64;
    let values = measured.iter().flat_map(|it| match over_seeds(it.score) {
        Some(found) => found.values.clone(),
        None => vec![share(it.score)],
    });
    Shown {
        share: mean,
        interval: Interval::of_share(mean, n),
        seeds: MeanSd::of(values.collect()).filter(|it| it.values.len() > 1),
    }
}

/// Means over the seeds, where all measured it.
fn cost(measured: &[Measured<'_>]) -> Option<Cost> {
    let costs = measured.iter().map(|it| {
        Some(Cost {
            tokens: it.score.tokens?,
            target_passes: it.score.target_passes?,
            generator_passes: it.score.generator_passes?,
            ms: it.score.ms.clone()?,
        })
    });
    let costs: Vec<Cost> = costs.collect::<Option<_>>()?;
    let mean = |of: &dyn Fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>() / costs.len() as f64;
    let phase = |of: fn(&Timing) -> Option<f64>| {
        let values: Option<Vec<f64>> = costs.iter().map(|it| of(&it.ms)).collect();
        values.and_then(MeanSd::of).map(|it| it.mean)
    };
    Some(Cost {
        tokens: mean(&|it| it.tokens),
        target_passes: mean(&|it| it.target_passes),
        generator_passes: mean(&|it| it.generator_passes),
        ms: Timing {
            median: mean(&|it| it.ms.median),
            mean: mean(&|it| it.ms.mean),
            generator: phase(|it| it.generator),
            prefill: phase(|it| it.prefill),
            decode: phase(|it| it.decode),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::super::Accuracy;
    use super::*;

    fn command(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn file(path: &str, text: &str, strict: f64) -> Named<EvaluationFile> {
        let accuracy = Accuracy {
            n: 100,
            strict,
            strict_interval: Interval::of_share(strict, 100),
            official: 1.0,
            official_interval: Interval::of_share(1.0, 100),
        };
        let score = ModeScore {
            accuracy,
            by_steps: BTreeMap::from([(2, [9, 10])]),
            by_operators: BTreeMap::new(),
            tokens: None,
            target_passes: None,
            generator_passes: None,
            ms: None,
            over_seeds: None,
        };
        Named {
            path: PathBuf::from(path),
            contents: EvaluationFile {
                command: command(text),
                device: None,
                method: Some("semcot".to_owned()),
                modes: BTreeMap::from([("implicit".to_owned(), score)]),
                sampled: Vec::new(),
            },
        }
    }

    #[test]
    fn seeds_of_a_run_become_mean_and_deviation() {
        let files = [
            file("a.json", "score --run runs/small-seed1 --family coin", 0.7),
            file("b.json", "score --run runs/other --family coin", 0.5),
            file("c.json", "score --run runs/small-seed2 --family coin", 0.9),
        ];
        let found = entries(&files).expect("three measurements");
        assert_eq!(found.len(), 2);
        let small = &found[0];
        // Both runs answered the same hundred questions.
        assert_eq!(
            (small.subject.name().as_str(), small.n),
            ("small, semcot", 100)
        );
        assert!((small.strict.share - 0.8).abs() < 1e-12);
        let seeds = small.strict.seeds.as_ref().expect("two seeds");
        assert!((seeds.sd - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(
            small.strict.interval,
            Interval::of_share(small.strict.share, 100)
        );
        assert_eq!(small.by_steps[&2], [18, 20]);
        assert!(found[1].strict.seeds.is_none());
    }

    #[test]
    fn the_same_measurement_twice_is_refused_with_both_files() {
        let files = [
            file("a.json", "score --run runs/small --family coin", 0.7),
            file("b.json", "score --run elsewhere/small --family coin", 0.9),
        ];
        let message = entries(&files).expect_err("twice").to_string();
        assert!(
            message.contains("a.json and b.json both hold small, semcot on coin"),
            "{message}"
        );
    }
}
