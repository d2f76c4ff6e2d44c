//! The tables of a report, as Markdown.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::super::look::{Looked, Share};
use super::super::probe::{Place, Probe, Probed};
use super::super::tally::RightOf;
use super::entries::{Entry, Shown};

/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// The layout of the paper's first table: a row a method, a column a set of questions, in each cell accuracy by the strict
/// rule with its interval, then time and passes.
pub fn accuracy_and_time(entries: &[Entry]) -> String {
    by_questions(entries, |entry| {
        let n = entry.n;
        let cost = entry.cost.as_ref().map_or(String::new(), |cost| {
            format!(
                "<br>{} ms, {} + {} passes",
                digits(cost.ms.mean),
                one(cost.target_passes),
                one(cost.generator_passes)
            )
        });
        format!("{}<br>n = {n}{cost}", share(&entry.strict))
    })
}

/// Accuracy by the strict rule alone.
pub fn accuracy(entries: &[Entry]) -> String {
    by_questions(entries, |entry| {
        format!("{}<br>n = {}", share(&entry.strict), entry.n)
    })
}

/// The same by the rule of the method's authors, beside which the strict rule stands.
pub fn both_rules(entries: &[Entry]) -> String {
    by_questions(entries, |entry| {
        format!(
            "{}<br>strict {}",
            share(&entry.official),
            share(&entry.strict)
        )
    })
}

/// Where the time goes: means a question.
pub fn cost(entries: &[Entry]) -> String {
    let mut rows = Vec::new();
    for entry in entries {
        let Some(cost) = &entry.cost else { continue };
        let phase = |ms: Option<f64>| ms.map_or(NOTHING.to_owned(), digits);
        rows.push(vec![
            entry.subject.questions.clone(),
            entry.subject.name(),
            one(cost.tokens),
            one(cost.target_passes),
            one(cost.generator_passes),
            digits(cost.ms.mean),
            digits(cost.ms.median),
            phase(cost.ms.generator),
            phase(cost.ms.prefill),
            phase(cost.ms.decode),
            entry.device.clone().unwrap_or_else(|| NOTHING.to_owned()),
        ]);
    }
    let head = [
        "questions",
        "method",
        "tokens",
        "passes of the target",
        "of the generator",
        "ms, mean",
        "median",
        "of the mean: generator",
        "prefill",
        "decode",
        "on",
    ];
    table(&head, &rows)
}

/// How far each method lies from a reference, in points, with Newcombe's 95 % interval of the difference.
pub fn differences(entries: &[Entry], reference: &str) -> String {
    let mut rows = Vec::new();
    for entry in entries {
        let name = entry.subject.name();
        let same = |it: &&Entry| {
            it.subject.questions == entry.subject.questions && it.subject.name() == reference
        };
        let Some(base) = entries.iter().find(same).filter(|_| name != reference) else {
            continue;
        };
        let (found, [low, high]) = difference(&entry.strict, &base.strict);
        rows.push(vec![
            entry.subject.questions.clone(),
            name,
            share(&entry.strict),
            share(&base.strict),
            format!(
                "{:+.1} ({:+.1} to {:+.1})",
                100.0 * found,
                100.0 * low,
                100.0 * high
            ),
        ]);
    }
    table(
        &[
            "questions",
            "method",
            "right",
            reference,
            "difference in points",
        ],
        &rows,
    )
}

/// The difference of two shares that were found apart (Newcombe 1998, method 10, from Wilson's intervals).
fn difference(a: &Shown, b: &Shown) -> (f64, [f64; 2]) {
    let distance = |x: f64, y: f64| x.hypot(y);
    let found = a.share - b.share;
    let low = found - distance(a.share - a.interval.low, b.interval.high - b.share);
    let high = found + distance(a.interval.high - a.share, b.share - b.interval.low);
    (found, [low, high])
}

/// Accuracy by number of steps.
pub fn by_steps(entries: &[Entry]) -> String {
    by_kind(entries, "right by number of steps", |it| &it.by_steps)
}

/// The same by the operators that a problem takes.
pub fn by_operators(entries: &[Entry]) -> String {
    by_kind(entries, "right by operators", |it| &it.by_operators)
}

/// How many of each kind of problem were right, of entries with several kinds.
fn by_kind<K: Display>(
    entries: &[Entry],
    title: &str,
    counts: impl Fn(&Entry) -> &BTreeMap<K, RightOf>,
) -> String {
    let rows: Vec<Vec<String>> = entries
        .iter()
        .filter(|entry| counts(entry).len() > 1)
        .map(|entry| {
            let kinds = counts(entry).iter();
            let kinds = kinds.map(|(kind, [right, all])| format!("{kind}: {right} of {all}"));
            vec![
                entry.subject.questions.clone(),
                entry.subject.name(),
                kinds.collect::<Vec<_>>().join("; "),
            ]
        })
        .collect();
    table(&["questions", "method", title], &rows)
}

/// What looks inside the implicit tokens found; a column a family.
pub fn looks(looks: &[(String, &Looked)]) -> String {
    let head: Vec<&str> = std::iter::once("")
        .chain(looks.iter().map(|it| it.0.as_str()))
        .collect();
    let row = |name: &str, value: &dyn Fn(&Looked) -> String| {
        let values = looks.iter().map(|(_, looked)| value(looked));
        std::iter::once(name.to_owned())
            .chain(values)
            .collect::<Vec<_>>()
    };
    let two = |a: f64, b: f64| format!("{a:.3}; {b:.3}");
    let rows = [
        row("questions; other reasonings beside the own one", &|it| {
            format!("{}; {}", it.n, it.bank)
        }),
        row("the own reasoning comes first", &|it| {
            found_share(&it.own_first)
        }),
        row("it is among the first five", &|it| {
            found_share(&it.own_among_five)
        }),
        row(
            "median cosine with it; with the most alike of the others",
            &|it| two(it.own_cosine, it.best_other_cosine),
        ),
        row(
            "median cosine of a vector with the nearest word; of a random direction",
            &|it| two(it.nearest_cosine, it.chance_cosine),
        ),
        row(
            "the answer is among the five nearest words of some vector",
            &|it| found_share(&it.answer_near),
        ),
        row("the answer of another problem is", &|it| {
            found_share(&it.other_answer_near)
        }),
        row("median length of a vector; of a word's embedding", &|it| {
            format!("{:.1}; {:.1}", it.norm, it.embedding_norm)
        }),
    ];
    table(&head, &rows)
}

/// What linear probes read: a row a place, a column a result.
pub fn probes(probed: &Probed) -> String {
    let mut steps: Vec<Option<u32>> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for probe in &probed.probes {
        if !steps.contains(&probe.step) {
            steps.push(probe.step);
        }
        if !places.contains(&probe.from) {
            places.push(probe.from);
        }
    }
    let at = |place: Place, step: Option<u32>| {
        let mut probes = probed.probes.iter();
        probes.find(|it| it.from == place && it.step == step)
    };
    let first = |step: Option<u32>| probed.probes.iter().find(|it| it.step == step);
    let cells = |name: String, cell: &dyn Fn(Option<u32>) -> String| {
        let cells = steps.iter().map(|&step| cell(step));
        std::iter::once(name).chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = places
        .iter()
        .map(|&place| {
            cells(place_name(place), &|step| {
                at(place, step).map_or(NOTHING.to_owned(), |it| found_share(&it.right))
            })
        })
        .collect();
    rows.push(cells(
        "chance: the most frequent result".to_owned(),
        &|step| first(step).map_or(NOTHING.to_owned(), |it| found_share(&it.chance)),
    ));
    rows.push(cells(
        "held-out problems with such a step".to_owned(),
        &|step| first(step).map_or(NOTHING.to_owned(), |it: &Probe| it.n.to_string()),
    ));
    let head: Vec<String> = std::iter::once("read from".to_owned())
        .chain(steps.iter().map(|step| match step {
            Some(step) => format!("result of step {step}"),
            None => "last result".to_owned(),
        }))
        .collect();
    table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

/// Where a probe reads, in words.
pub fn place_name(place: Place) -> String {
    match place {
        Place::ImplicitToken(number) => format!("implicit token {number}"),
        Place::AllImplicitTokens => "all implicit tokens".to_owned(),
        Place::QuestionInGenerator => {
            "control: the question's last state in the generator".to_owned()
        }
        Place::QuestionInTarget => "control: the question's last state in the target".to_owned(),
    }
}

/// What followed from exchanging implicit tokens; a row a file.
pub fn swaps(probed: &[(String, &Probed)]) -> String {
    let rows: Vec<Vec<String>> = probed
        .iter()
        .map(|(name, probed)| {
            let swaps = &probed.swaps;
            vec![
                name.clone(),
                swaps.n.to_string(),
                found_share(&swaps.followed_vectors),
                found_share(&swaps.followed_question),
                found_share(&swaps.followed_neither),
                found_share(&swaps.third_problem),
            ]
        })
        .collect();
    let head = [
        "problems",
        "pairs",
        "the answer follows the implicit tokens",
        "the question",
        "neither",
        "chance: a third problem's answer",
    ];
    table(&head, &rows)
}

/// A row a method, a column a set of questions, both in the order in which they first come.
fn by_questions(entries: &[Entry], cell: impl Fn(&Entry) -> String) -> String {
    let mut questions: Vec<&str> = Vec::new();
    let mut methods: Vec<String> = Vec::new();
    for entry in entries {
        if !questions.contains(&entry.subject.questions.as_str()) {
            questions.push(&entry.subject.questions);
        }
        let name = entry.subject.name();
        if !methods.contains(&name) {
            methods.push(name);
        }
    }
    let rows: Vec<Vec<String>> = methods
        .into_iter()
        .map(|method| {
            let cells = questions.iter().map(|&questions| {
                let found = entries
                    .iter()
                    .find(|it| it.subject.questions == questions && it.subject.name() == method);
                found.map_or(NOTHING.to_owned(), &cell)
            });
            let cells: Vec<String> = cells.collect();
            std::iter::once(method).chain(cells).collect()
        })
        .collect();
    let head: Vec<&str> = std::iter::once("method")
        .chain(questions.iter().copied())
        .collect();
    table(&head, &rows)
}

/// A table; nothing where it has no rows.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.map(|it| it.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    text += &line(&mut head.iter().map(|&it| it.to_owned()));
    let _ = writeln!(text, "|{}", "---|".repeat(head.len()));
    for row in rows {
        text += &line(&mut row.iter().cloned());
    }
    text
}

/// A share with its deviation over seeds, and its interval.
fn share(shown: &Shown) -> String {
    let seeds = shown.seeds.as_ref().map_or(String::new(), |it| {
        format!(" ± {:.1} (sd of {})", 100.0 * it.sd, it.values.len())
    });
    format!(
        "{:.1} %{seeds} ({:.1}–{:.1})",
        100.0 * shown.share,
        100.0 * shown.interval.low,
        100.0 * shown.interval.high
    )
}

fn found_share(found: &Share) -> String {
    // Nothing was measured, such as the answer of a third coin.
    if (found.interval.low, found.interval.high) == (0.0, 1.0) {
        return NOTHING.to_owned();
    }
    share(&Shown {
        share: found.share,
        interval: found.interval,
        seeds: None,
    })
}

fn one(value: f64) -> String {
    format!("{value:.1}")
}

/// Three digits that count.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.0005 => format!("{value:.2}"),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Interval, MeanSd};
    use super::*;

    fn shown(right: u64, n: u64) -> Shown {
        Shown {
            share: right as f64 / n as f64,
            interval: Interval::wilson(right, n),
            seeds: None,
        }
    }

    #[test]
    fn a_difference_has_newcombes_interval() {
        // Newcombe 1998 (Interval estimation for the difference between independent proportions), example (a):
        // 56/70 against 48/80, method 10: 0.2, from 0.0524 to 0.3339.
        let (found, [low, high]) = difference(&shown(56, 70), &shown(48, 80));
        assert!((found - 0.2).abs() < 1e-12);
        assert!(
            (low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5,
            "{low} {high}"
        );
    }

    #[test]
    fn several_seeds_show_their_deviation() {
        assert_eq!(share(&shown(9, 10)), "90.0 % (59.6–98.2)");
        let seeds = Shown {
            seeds: MeanSd::of(vec![0.8, 1.0]),
            ..shown(9, 10)
        };
        assert_eq!(share(&seeds), "90.0 % ± 14.1 (sd of 2) (59.6–98.2)");
    }

    #[test]
    fn numbers_keep_the_digits_that_count() {
        assert_eq!(
            [123.4, 12.34, 1.234, 0.00005].map(digits),
            ["123", "12.3", "1.23", "0"]
        );
    }

    #[test]
    fn a_bar_in_a_name_does_not_break_the_table() {
        let text = table(&["a", "b"], &[vec!["x|y".to_owned(), "z".to_owned()]]);
        assert_eq!(text, "| a | b |\n|---|---|\n| x\\|y | z |\n");
        assert_eq!(table(&["a"], &[]), "");
    }
}
