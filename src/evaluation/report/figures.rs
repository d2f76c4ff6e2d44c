//! The charts of a report, as data: which measurements are drawn in which panel, against what.

use std::collections::BTreeMap;

use super::super::Interval;
use super::super::map::PointMap;
use super::super::probe::{Place, Probed};
use super::super::tally::{RightOf, add_to};
use super::axis::{Axis, Scale};
use super::chart::{Figure, MAX_SERIES, Panel, Point, Series, Style};
use super::entries::{Entry, Shown, Subject};
use super::tables::place_name;

/// Accuracy against the time that an answer takes; a panel a set of questions.
pub fn accuracy_against_time(entries: &[Entry]) -> Option<Figure> {
    let timed = entries.iter().filter(|it| is_plain(&it.subject));
    let timed = timed.filter_map(|it| Some((it, it.cost.as_ref()?.ms.mean)));
    let lines = timed.map(|(entry, ms)| Line {
        panel: entry.subject.questions.clone(),
        name: entry.subject.name(),
        points: vec![point(ms, &entry.strict)],
    });
    let axis = Axis::new("time a question (ms)", Scale::Log);
    figure(
        "Accuracy against time",
        lines.collect(),
        &axis,
        Style::Marks,
        1,
    )
}

/// Accuracy over the number of implicit tokens.
pub fn over_k(entries: &[Entry]) -> Option<Figure> {
    let x = |subject: &Subject| subject.implicit_tokens.map(f64::from);
    let lines = sweep(entries, x, |subject| subject.implicit_tokens = None);
    let axis = Axis::new("number of implicit tokens k", Scale::Whole);
    figure(
        "Accuracy over the number of implicit tokens",
        lines,
        &axis,
        Style::MarkedLine,
        2,
    )
}

/// Accuracy over the weight of the alignment loss.
pub fn over_alpha(entries: &[Entry]) -> Option<Figure> {
    let x = |subject: &Subject| subject.alpha.as_ref()?.parse().ok();
    let lines = sweep(entries, x, |subject| subject.alpha = None);
    let axis = Axis::new("weight of the alignment loss, alpha", Scale::Linear);
    figure(
        "Accuracy over the share of the alignment loss",
        lines,
        &axis,
        Style::MarkedLine,
        2,
    )
}

/// Accuracy over the temperature; greedy answers stand at 0.
pub fn over_temperature(entries: &[Entry]) -> Option<Figure> {
    let x = |subject: &Subject| match &subject.temperature {
        Some(temperature) => temperature.parse().ok(),
        None => Some(0.0),
    };
    let lines = sweep(entries, x, |subject| subject.temperature = None);
    let axis = Axis::new("temperature (0: greedy)", Scale::Linear);
    figure(
        "Accuracy over the temperature",
        lines,
        &axis,
        Style::MarkedLine,
        2,
    )
}

/// Accuracy over the number of steps. Questions that differ in their numbers of steps alone share a line.
pub fn over_steps(entries: &[Entry]) -> Option<Figure> {
    let mut lines: Vec<(Line, BTreeMap<u32, RightOf>)> = Vec::new();
    for entry in entries.iter().filter(|it| is_plain(&it.subject)) {
        let panel = without_steps(&entry.subject.questions);
        let name = entry.subject.name();
        let known = lines
            .iter()
            .position(|(it, _)| it.panel == panel && it.name == name);
        let at = known.unwrap_or_else(|| {
            let line = Line {
                panel,
                name,
                points: Vec::new(),
            };
            lines.push((line, BTreeMap::new()));
            lines.len() - 1
        });
        for (steps, &counted) in &entry.by_steps {
            add_to(&mut lines[at].1, steps, counted);
        }
    }
    let lines = lines.into_iter().map(|(line, by_steps)| Line {
        points: by_steps
            .into_iter()
            .map(|(steps, [right, all])| counted(f64::from(steps), right, all))
            .collect(),
        ..line
    });
    let axis = Axis::new("steps of the problem (coin: people)", Scale::Whole);
    figure(
        "Accuracy over the number of steps",
        lines.collect(),
        &axis,
        Style::MarkedLine,
        2,
    )
}

/// What linear probes read of each step; a panel a file.
pub fn probes(probed: &[(String, &Probed)]) -> Option<Figure> {
    let mut lines = Vec::new();
    for (panel, probed) in probed {
        let mut places: Vec<Place> = Vec::new();
        for probe in &probed.probes {
            if !places.contains(&probe.from) {
                places.push(probe.from);
            }
        }
        let of_steps = || {
            probed
                .probes
                .iter()
                .filter_map(|it| Some((it, f64::from(it.step?))))
        };
        for place in places {
            let at = of_steps().filter(|(it, _)| it.from == place);
            lines.push(Line {
                panel: panel.clone(),
                name: place_name(place),
                points: at
                    .map(|(it, step)| known(step, it.right.share, it.right.interval))
                    .collect(),
            });
        }
        let mut chance: Vec<Point> = of_steps()
            .map(|(it, step)| Point::new(step, 100.0 * it.chance.share))
            .collect();
        chance.dedup_by(|a, b| a.x == b.x);
        lines.push(Line {
            panel: panel.clone(),
            name: "chance".to_owned(),
            points: chance,
        });
    }
    let axis = Axis::new("step whose result is read", Scale::Whole);
    figure(
        "What a linear probe reads, held out",
        lines,
        &axis,
        Style::MarkedLine,
        1,
    )
}

/// The implicit tokens of many questions along their two principal components, by what the questions are; the paper's
/// Figure 5. One figure a file.
pub fn map(name: &str, map: &PointMap) -> Figure {
    let shares = map.shares;
    let axis = |number: usize| {
        let label = format!(
            "component {} ({:.0} % of variance)",
            number + 1,
            100.0 * shares[number]
        );
        Axis::new(&label, Scale::Linear)
    };
    let mut legend = Vec::new();
    let mut panel = |title: &str, classes: Vec<String>| {
        let mut names = classes.clone();
        names.sort_by_key(|it| (it.len(), it.clone()));
        names.dedup();
        names.truncate(MAX_SERIES);
        let series = names.iter().enumerate().map(|(number, name)| {
            let points = map
                .points
                .iter()
                .zip(&classes)
                .filter(|(_, class)| *class == name);
            Series {
                number,
                style: Style::Dots,
                points: points.map(|(it, _)| Point::new(it.x, it.y)).collect(),
            }
        });
        let series = series.collect();
        let named = names
            .iter()
            .enumerate()
            .map(|(number, it)| (number, it.clone()));
        legend.push((title.to_owned(), named.collect::<Vec<_>>()));
        Panel {
            title: format!("colored by {title}"),
            x: axis(0),
            y: axis(1),
            series,
        }
    };
    let panels = vec![
        panel(
            "answer",
            map.points
                .iter()
                .map(|it| answer_class(&it.answer))
                .collect(),
        ),
        panel(
            "number of steps",
            map.points
                .iter()
                .map(|it| format!("{} steps", it.steps))
                .collect(),
        ),
    ];
    let names = (0..MAX_SERIES).map_while(|number| {
        let names = legend
            .iter()
            .filter_map(|(_, named)| Some(&named.get(number)?.1));
        let names: Vec<&str> = names.map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join("; "))
    });
    Figure {
        title: format!("Implicit tokens of {} questions, {name}", map.points.len()),
        panels,
        legend: names.collect(),
    }
}

/// Numbers of an answer's class.
const ANSWER_BIN: i64 = 5;

fn answer_class(answer: &str) -> String {
    match answer.parse::<i64>() {
        Ok(value) => {
            let low = value.div_euclid(ANSWER_BIN) * ANSWER_BIN;
            format!("answer {low}–{}", low + ANSWER_BIN - 1)
        }
        Err(_) => format!("answer {answer}"),
    }
}

/// A line before it has a color.
struct Line {
    panel: String,
    name: String,
    points: Vec<Point>,
}

/// Lines over one setting: what is the same but for it is one line.
fn sweep(
    entries: &[Entry],
    x: impl Fn(&Subject) -> Option<f64>,
    without: impl Fn(&mut Subject),
) -> Vec<Line> {
    let mut lines: Vec<(Subject, Vec<Point>)> = Vec::new();
    for entry in entries {
        let Some(x) = x(&entry.subject) else { continue };
        let mut subject = entry.subject.clone();
        without(&mut subject);
        let point = point(x, &entry.strict);
        match lines.iter_mut().find(|(it, _)| *it == subject) {
            Some((_, points)) => points.push(point),
            None => lines.push((subject, vec![point])),
        }
    }
    let lines = lines.into_iter().map(|(subject, mut points)| {
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Line {
            panel: subject.questions.clone(),
            name: subject.name(),
            points,
        }
    });
    lines.collect()
}

/// A figure of lines with at least so many points, a panel for what they are of; nothing where there are none. More lines
/// than there are colors end where the colors do.
fn figure(
    title: &str,
    lines: Vec<Line>,
    x: &Axis,
    style: Style,
    least_points: usize,
) -> Option<Figure> {
    let mut panels: Vec<Panel> = Vec::new();
    let mut legend: Vec<String> = Vec::new();
    for line in lines
        .into_iter()
        .filter(|it| it.points.len() >= least_points)
    {
        let known = legend.iter().position(|it| *it == line.name);
        let number = known.unwrap_or(legend.len());
        if number == MAX_SERIES {
            continue;
        }
        if known.is_none() {
            legend.push(line.name);
        }
        let series = Series {
            number,
            style,
            points: line.points,
        };
        match panels.iter_mut().find(|it| it.title == line.panel) {
            Some(panel) => panel.series.push(series),
            None => panels.push(Panel {
                title: line.panel,
                x: x.clone(),
                y: Axis::percent("right"),
                series: vec![series],
            }),
        }
    }
    (!panels.is_empty()).then(|| Figure {
        title: title.to_owned(),
        panels,
        legend,
    })
}

/// Greedy, with the model's own settings.
fn is_plain(subject: &Subject) -> bool {
    subject.temperature.is_none() && subject.implicit_tokens.is_none() && subject.alpha.is_none()
}

fn without_steps(questions: &str) -> String {
    let ends = [" step", " steps", " person", " people"];
    let parts = questions.split(", ");
    let parts = parts.filter(|part| !ends.iter().any(|end| part.ends_with(end)));
    parts.collect::<Vec<&str>>().join(", ")
}

fn point(x: f64, shown: &Shown) -> Point {
    known(x, shown.share, shown.interval)
}

fn counted(x: f64, right: u64, all: u64) -> Point {
    let share = right as f64 / all.max(1) as f64;
    known(x, share, Interval::wilson(right, all))
}

fn known(x: f64, share: f64, interval: Interval) -> Point {
    Point {
        x,
        y: 100.0 * share,
        interval: Some([100.0 * interval.low, 100.0 * interval.high]),
    }
}
