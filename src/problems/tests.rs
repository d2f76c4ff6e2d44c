use std::collections::{BTreeMap, BTreeSet};

use super::wording::coins::{
    EITHER_SIDE_QUESTIONS, PUBLIC, PUBLIC_NOTE, SAME_SIDE_QUESTIONS, TELLINGS,
};
use super::wording::everyday;
use super::wording::names::{NAME_COUNT, Person, Pronouns, person};
use super::wording::objects::OBJECTS;
use super::wording::stories::{
    CONDITION_OPENING, CONDITION_QUESTIONS, CONNECTORS, Event, GAINS, LOSSES, OPENINGS, QUESTIONS,
};
use super::wording::template::{Detail, Mention, Scene, Tense};
use super::*;

const SETTINGS: Settings = Settings {
    max_value: 20,
    min_steps: 2,
    max_steps: 4,
    min_people: 2,
    max_people: 8,
};

fn problems(family: Family, split: Split, seed: u64, count: usize) -> Vec<Problem> {
    generate(family, split, seed, &SETTINGS)
        .expect("the settings are sound")
        .take(count)
        .collect()
}

/// `5 + 3 = 8` wherever it stands, as (left, sign, right, result).
fn equations(text: &str) -> Vec<(u32, char, u32, u32)> {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |word: &str| word.trim_end_matches(['.', ';']).parse::<u32>();
    let equation = |w: &[&str]| match (number(w[0]), w[1], number(w[2]), w[3], number(w[4])) {
        (Ok(left), "+", Ok(right), "=", Ok(result)) => Some((left, '+', right, result)),
        (Ok(left), "-", Ok(right), "=", Ok(result)) => Some((left, '-', right, result)),
        _ => None,
    };
    words.windows(5).filter_map(equation).collect()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

#[test]
fn the_first_problems_of_a_seed_are_these_on_every_platform() {
    let mut text = String::new();
    for family in Family::ALL {
        for split in [Split::Train, Split::Validation, Split::Heldout] {
            for problem in problems(family, split, 1, 3) {
                text += &serde_json::to_string(&problem).expect("a problem can be written");
                text.push('\n');
            }
        }
    }
    assert_eq!(
        text,
        include_str!("golden.jsonl"),
        "wording or drawing changed: seeds mean other problems now"
    );
}

#[test]
fn no_question_stands_in_two_splits() {
    for family in Family::ALL {
        let texts = |split| -> BTreeSet<String> {
            problems(family, split, 3, 1500)
                .iter()
                .map(|problem| normalized(&problem.query))
                .collect()
        };
        let (train, validation, heldout) = (
            texts(Split::Train),
            texts(Split::Validation),
            texts(Split::Heldout),
        );
        assert!(
            train.is_disjoint(&validation)
                && train.is_disjoint(&heldout)
                && validation.is_disjoint(&heldout)
        );
        assert!(
            train.len() > 1400,
            "{} of 1500 questions are distinct",
            train.len()
        );
    }
}

#[test]
fn arithmetic_values_stay_in_range_and_reasoning_ends_in_the_answer() {
    let settings = Settings {
        max_value: 99,
        max_steps: 6,
        ..SETTINGS
    };
    let hard = generate(Family::Arithmetic, Split::Heldout, 5, &settings)
        .expect("sound")
        .take(500);
    let easy = problems(Family::Arithmetic, Split::Train, 4, 2000).into_iter();
    for (max_value, problem) in easy.map(|p| (20, p)).chain(hard.map(|p| (99, p))) {
        let steps = equations(&problem.reasoning);
        assert_eq!(steps.len(), problem.steps as usize, "{}", problem.reasoning);
        assert_eq!(
            steps,
            equations(&problem.condensed_reasoning),
            "{}",
            problem.condensed_reasoning
        );

        // The question tells the same numbers in the same order.
        let told = numbers(&problem.query);
        assert_eq!(told.len(), steps.len() + 1, "{}", problem.query);
        let mut value = told[0];
        for ((left, sign, right, result), number) in steps.into_iter().zip(&told[1..]) {
            assert_eq!(
                (left, right),
                (value, *number),
                "{}\n{}",
                problem.query,
                problem.reasoning
            );
            assert!(
                right >= 1 && left <= max_value && result <= max_value,
                "{}",
                problem.reasoning
            );
            value = if sign == '+' {
                left + right
            } else {
                left - right
            };
            assert_eq!(value, result, "{}", problem.reasoning);
        }
        assert_eq!(problem.answer, value.to_string());
    }
}

#[test]
fn arithmetic_reasoning_names_no_people_and_no_things() {
    let mut words = BTreeSet::new();
    for problem in problems(Family::Arithmetic, Split::Train, 6, 2000) {
        words.extend(
            problem
                .reasoning
                .split(|c: char| !c.is_alphabetic())
                .map(str::to_owned),
        );
    }
    let known = [
        "", "Then", "We", "away", "come", "comes", "go", "goes", "leaves", "makes", "more", "so",
        "start", "that", "with",
    ];
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), known);
}

#[test]
fn operators_are_those_between_numbers() {
    for (reasoning, expected) in [
        ("10 * 2 = 20; 20 - 17 = 3", "- *"),
        ("18 - 8 = 10; 10 - 6 = 4", "-"),
        ("9 / 3 = 3; 3 + 4 = 7; 7 * 2 = 14", "+ * /"),
        ("heads; no flip: heads; flip: tails", ""),
        ("He has 5 - that is all - and 3 + some", ""),
        ("", ""),
    ] {
        assert_eq!(operators(reasoning), expected, "{reasoning}");
    }
}

#[test]
fn the_coin_answer_follows_from_the_sentences_of_the_question() {
    for problem in problems(Family::Coin, Split::Train, 7, 3000) {
        let text = problem.query.trim_start_matches("Q: ");
        let text = text
            .trim_end_matches(PUBLIC_NOTE)
            .trim_end()
            .trim_end_matches('?');
        let sentences: Vec<&str> = text.split(['.', '?']).map(str::trim).collect();
        let question = sentences[sentences.len() - 1];
        let people = problem.steps as usize;
        let acts = &sentences[sentences.len() - 1 - people..sentences.len() - 1];
        let opening = sentences[..sentences.len() - 1 - people].join(" ");

        let stays = |act: &&str| {
            [
                "not ",
                "n't ",
                " alone",
                " as it ",
                "without",
                "only looks",
                "nothing",
            ]
            .iter()
            .any(|sign| act.contains(sign))
        };
        let flips = acts.iter().filter(|act| !stays(act)).count();
        let heads_at_start = opening.contains("heads");
        assert_ne!(heads_at_start, opening.contains("tails"), "{opening}");
        let heads_at_end = heads_at_start == (flips % 2 == 0);
        let yes = heads_at_end == question.contains("heads");
        assert_eq!(
            problem.answer,
            if yes { "yes" } else { "no" },
            "{}",
            problem.query
        );

        let last = problem.condensed_reasoning.rsplit(": ").next();
        assert_eq!(
            last,
            Some(if heads_at_end { "heads" } else { "tails" }),
            "{}",
            problem.condensed_reasoning
        );
        assert_eq!(problem.condensed_reasoning.split("; ").count(), people + 1);
        assert_eq!(problem.reasoning.matches(". The ").count(), people);
        let side = if heads_at_end { "heads." } else { "tails." };
        assert!(problem.reasoning.ends_with(side), "{}", problem.reasoning);
    }
}

#[test]
fn a_constant_answer_is_rarely_right() {
    // Measured, n 20,000 each: arithmetic 5.0 % (always 8), coin 50.1 % (always yes).
    for (family, most) in [(Family::Arithmetic, 0.06), (Family::Coin, 0.52)] {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for problem in problems(family, Split::Train, 8, 20_000) {
            *counts.entry(problem.answer).or_default() += 1;
        }
        let (answer, count) = counts
            .iter()
            .max_by_key(|entry| entry.1)
            .expect("there are answers");
        let share = f64::from(*count) / 20_000.0;
        println!(
            "{}: always \"{answer}\" is right in {:.1} %",
            family.name(),
            100.0 * share
        );
        assert!(
            share < most,
            "{}: {answer} is right in {share}",
            family.name()
        );
    }
}

#[test]
fn one_thing_is_never_called_by_its_plural_and_many_never_by_the_singular() {
    let singular: BTreeSet<&str> = OBJECTS.iter().map(|object| object.singular).collect();
    let plural: BTreeSet<&str> = OBJECTS.iter().map(|object| object.plural).collect();
    let mut seen_one = 0;
    for problem in problems(Family::Arithmetic, Split::Train, 9, 5000) {
        let words: Vec<&str> = problem
            .query
            .split(' ')
            .map(|word| word.trim_matches(['.', ',', '?']))
            .collect();
        for (index, word) in words.iter().enumerate() {
            let Ok(number) = word.parse::<u32>() else {
                continue;
            };
            let next = words
                .get(index + 1)
                .filter(|next| **next != "more")
                .or(words.get(index + 2));
            let Some(next) = next else { continue };
            let wrong = if number == 1 {
                plural.contains(next)
            } else {
                singular.contains(next)
            };
            assert!(!wrong, "{number} {next}: {}", problem.query);
            seen_one += u32::from(number == 1 && singular.contains(next));
            assert!(
                !(number == 1 && index > 0 && words[index - 1] == "another"),
                "{}",
                problem.query
            );
        }
    }
    assert!(seen_one > 100);
}

fn all_sentences() -> Vec<&'static str> {
    let events = GAINS.iter().chain(&LOSSES).map(|event: &Event| event.text);
    let questions = QUESTIONS
        .iter()
        .chain(&CONDITION_QUESTIONS)
        .map(|question| question.1);
    OPENINGS
        .into_iter()
        .chain([CONDITION_OPENING])
        .chain(events)
        .chain(questions)
        .chain(everyday::ALL.iter().copied().flatten().copied())
        .collect()
}

#[test]
fn every_sentence_can_be_filled_in_for_every_kind_of_person() {
    let i = Person {
        name: "I",
        pronouns: Pronouns::I,
    };
    let people = [i, person(0), person(100), person(NAME_COUNT - 1)];
    let kinds: Vec<Pronouns> = people.iter().map(|person| person.pronouns).collect();
    assert_eq!(
        kinds,
        [Pronouns::I, Pronouns::She, Pronouns::He, Pronouns::They]
    );
    for sentence in all_sentences() {
        for person in people {
            for (mention, tense, number) in [
                (Mention::Name, Tense::Past, 1),
                (Mention::Pronoun, Tense::Present, 1),
                (Mention::Pronoun, Tense::Past, 3),
            ] {
                let scene = Scene {
                    person,
                    mention,
                    other: super::wording::names::person(5),
                    object: OBJECTS[0],
                    number,
                    tense,
                    detail: Detail {
                        second: 3,
                        ..Detail::default()
                    },
                };
                let mut text = String::new();
                scene.fill(sentence, &mut text);
                assert!(
                    !text.contains(['{', '}', '[', ']', '(', ')', '<', '>', '|']),
                    "{text}"
                );
                assert!(!text.contains("  ") && !text.ends_with(' '), "{text}");
                for wrong in ["I is", "I has", "I does", "They is", "They has", "they has"] {
                    assert!(
                        !format!(" {text}").contains(&format!(" {wrong} ")),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn verbs_agree_with_names_pronouns_and_the_first_person() {
    let fill = |person: Person, mention, tense| {
        let scene = Scene {
            person,
            mention,
            other: super::wording::names::person(100),
            object: OBJECTS[0],
            number: 3,
            tense,
            detail: Detail::default(),
        };
        let mut text = String::new();
        scene.fill(
            "{S} [is|are|was|were] given {n} {x}. {S} [buys|buy|bought] 1. {S} {have} {h} {xs}.",
            &mut text,
        );
        text
    };
    let they = person(NAME_COUNT - 1);
    let i = Person {
        name: "I",
        pronouns: Pronouns::I,
    };
    use Mention::{Name, Pronoun};
    use Tense::{Past, Present};
    assert_eq!(
        fill(person(0), Name, Present),
        "Ada is given 3 apples. Ada buys 1. Ada has Ada's apples."
    );
    assert_eq!(
        fill(person(0), Pronoun, Past),
        "She was given 3 apples. She bought 1. She has her apples."
    );
    assert_eq!(
        fill(they, Name, Present),
        "Sky is given 3 apples. Sky buys 1. Sky has Sky's apples."
    );
    assert_eq!(
        fill(they, Pronoun, Present),
        "They are given 3 apples. They buy 1. They have their apples."
    );
    assert_eq!(
        fill(they, Pronoun, Past),
        "They were given 3 apples. They bought 1. They have their apples."
    );
    assert_eq!(
        fill(i, Name, Present),
        "I am given 3 apples. I buy 1. I have my apples."
    );
    assert_eq!(
        fill(i, Pronoun, Past),
        "I was given 3 apples. I bought 1. I have my apples."
    );
}

#[test]
fn there_are_as_many_wordings_as_promised() {
    for events in [&GAINS[..], &LOSSES[..]] {
        assert!(events.iter().filter(|event| event.kinds.is_empty()).count() >= 12);
    }
    assert!(OPENINGS.len() >= 6 && QUESTIONS.len() >= 5 && CONNECTORS.len() >= 5);
    assert!(TELLINGS.len() >= 6 && SAME_SIDE_QUESTIONS.len() + EITHER_SIDE_QUESTIONS.len() >= 6);
    let sentences = all_sentences();
    assert_eq!(
        sentences.iter().collect::<BTreeSet<_>>().len(),
        sentences.len(),
        "a sentence stands twice"
    );
}

#[test]
fn the_wording_of_the_public_coin_set_is_among_the_wordings() {
    assert_eq!(PUBLIC.openings, ["A coin is {side} up."]);
    let problems = problems(Family::Coin, Split::Train, 10, 500);
    let lower = problems
        .iter()
        .find(|p| p.query.starts_with("Q: A coin is heads up. "))
        .expect("the form with Q:");
    assert!(
        lower.query.ends_with("  Is the coin still heads up?"),
        "{}",
        lower.query
    );
    let note = problems
        .iter()
        .find(|p| p.query.ends_with(PUBLIC_NOTE))
        .expect("the form with a note");
    assert!(
        note.query.starts_with("A coin is heads up. "),
        "{}",
        note.query
    );
    assert!(
        note.query
            .contains(" the coin. Is the coin still heads up? Note that"),
        "{}",
        note.query
    );
}

#[test]
fn settings_that_no_problem_fits_are_refused() {
    let refused = |settings: Settings| {
        settings
            .check()
            .expect_err("it must be refused")
            .to_string()
    };
    assert!(
        refused(Settings {
            max_value: 1,
            ..SETTINGS
        })
        .contains("max_value is 1")
    );
    assert!(
        refused(Settings {
            min_steps: 5,
            max_steps: 4,
            ..SETTINGS
        })
        .contains("steps from 5 to 4")
    );
    assert!(
        refused(Settings {
            max_people: 99,
            ..SETTINGS
        })
        .contains("to 99")
    );
    assert!(
        generate(
            Family::Coin,
            Split::Train,
            1,
            &Settings {
                min_steps: 0,
                ..SETTINGS
            }
        )
        .is_err()
    );
}
