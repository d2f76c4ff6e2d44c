use std::collections::{BTreeMap, BTreeSet};

use super::super::{Split, generate};
use super::plan::Operation;
use super::*;

fn settings(max_value: u32, max_steps: u32) -> Settings {
    Settings {
        max_value,
        min_steps: 1,
        max_steps,
        ..Settings::default()
    }
}

fn problems(settings: &Settings, seed: u64, count: usize) -> Vec<Problem> {
    let problems = generate(Family::Everyday, Split::Train, seed, settings);
    problems.expect("sound").take(count).collect()
}

/// `5 * 3 = 15` wherever it stands.
fn operations(text: &str) -> Vec<Operation> {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |word: &str| word.trim_end_matches(['.', ';']).parse::<u32>().ok();
    let operation = |it: &[&str]| {
        let sign = it[1].chars().next().filter(|sign| "+-*/".contains(*sign))?;
        (it[3] == "=").then_some(Operation {
            left: number(it[0])?,
            sign,
            right: number(it[2])?,
            result: number(it[4])?,
        })
    };
    words.windows(5).filter_map(operation).collect()
}

fn numbers(text: &str) -> Vec<u32> {
    let digits = text.split(|it: char| !it.is_ascii_digit());
    digits.filter_map(|it| it.parse().ok()).collect()
}

#[test]
fn reasoning_is_right_step_by_step_and_ends_in_the_answer() {
    for (max_value, max_steps) in [(20, 4), (99, 6), (999, 8), (2, 3)] {
        for problem in problems(&settings(max_value, max_steps), 1, 1500) {
            let steps = operations(&problem.reasoning);
            assert_eq!(steps, operations(&problem.condensed_reasoning));
            assert_eq!(steps.len(), problem.steps as usize, "{problem:?}");
            assert!((1..=max_steps).contains(&problem.steps));
            for &Operation {
                left,
                sign,
                right,
                result,
            } in &steps
            {
                let is_right = match sign {
                    '+' => left + right == result,
                    '-' => left == result + right,
                    '*' => left * right == result,
                    _ => left == result * right,
                };
                assert!(is_right, "{problem:?}");
                for value in [left, right, result] {
                    assert!((1..=max_value).contains(&value), "{problem:?}");
                }
            }
            let last = steps.last().expect("there is a step");
            assert_eq!(problem.answer, last.result.to_string());
        }
    }
}

#[test]
fn a_question_tells_every_number_that_its_reasoning_begins_with() {
    let (mut in_digits, mut in_words, mut beside_the_point) = (0, 0, 0);
    for problem in problems(&settings(99, 6), 2, 3000) {
        let mut told = numbers(&problem.query);
        if told.is_empty() {
            in_words += 1;
            continue;
        }
        in_digits += 1;
        let minutes = problem.query.contains(" minutes");
        beside_the_point += u32::from(minutes);
        let mut results = Vec::new();
        for Operation {
            left,
            sign,
            right,
            result,
        } in operations(&problem.reasoning)
        {
            // "Twice", "half": one number of products and divisions may be told by a word.
            let given = match sign {
                '*' => vec![right],
                '/' => vec![left],
                _ => vec![left, right],
            };
            for number in given {
                if results.contains(&number) {
                    continue;
                }
                let at = told.iter().position(|it| *it == number);
                told.remove(at.unwrap_or_else(|| panic!("{number} in {problem:?}")));
            }
            results.extend([left, result]);
        }
    }
    assert!(in_words > 500 && in_digits > 1500 && beside_the_point > 50);
}

#[test]
fn everything_that_can_happen_happens() {
    let mut seen = BTreeSet::new();
    let mut random = Random::new(3);
    for _ in 0..5000 {
        let plan = Plan::draw(&mut random, &settings(99, 6));
        let name = |it: String| it.split('(').next().expect("a name").to_owned();
        seen.insert(name(format!("opening {:?}", plan.opening)));
        seen.insert(name(format!("ending {:?}", plan.ending)));
        seen.extend(
            plan.events
                .iter()
                .map(|(_, it)| name(format!("event {it:?}"))),
        );
    }
    assert_eq!(seen.len(), 7 + 6 + 7, "{seen:?}");
}

#[test]
fn reasoning_names_no_people_and_no_things() {
    let mut words = BTreeSet::new();
    for problem in problems(&settings(99, 6), 4, 3000) {
        let letters = problem.reasoning.split(|it: char| !it.is_alphabetic());
        words.extend(letters.map(str::to_owned));
    }
    let known = [
        "",
        "At",
        "Both",
        "In",
        "One",
        "The",
        "Then",
        "To",
        "Together",
        "We",
        "are",
        "as",
        "away",
        "come",
        "comes",
        "difference",
        "each",
        "equal",
        "fewer",
        "go",
        "goes",
        "groups",
        "is",
        "leaves",
        "make",
        "makes",
        "many",
        "missing",
        "more",
        "of",
        "parts",
        "so",
        "start",
        "that",
        "there",
        "time",
        "times",
        "with",
    ];
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), known);
}

#[test]
fn a_constant_answer_is_rarely_right() {
    // Measured, n 20,000: 9.4 % (always 2) at values to 20, 3.2 % at values to 99.
    for (max_value, most) in [(20, 0.11), (99, 0.06)] {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for problem in problems(&settings(max_value, 4), 5, 20_000) {
            *counts.entry(problem.answer).or_default() += 1;
        }
        let (answer, count) = counts.iter().max_by_key(|it| it.1).expect("there are some");
        let share = f64::from(*count) / 20_000.0;
        println!(
            "to {max_value}: always {answer} is right in {:.1} %",
            100.0 * share
        );
        assert!(share < most, "to {max_value}: {answer} is right in {share}");
    }
}
