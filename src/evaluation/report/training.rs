//! Curves of training: the loss and what validation found, stage by stage, several runs in one figure.

use super::axis::{Axis, Scale};
use super::chart::{Figure, MAX_SERIES, Panel, Point, Series, Style};
use super::files::MetricsLine;

/// Points of a line of losses: each is a mean over the steps between, without which noise hides the course.
const LOSS_POINTS: usize = 60;

/// The figures of some metrics by name: those that validate the same things stand in one figure, as many as there are
/// colors.
pub fn figures(metrics: &[(String, &[MetricsLine])]) -> Vec<(String, Figure)> {
    let mut groups: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (index, (_, lines)) in metrics.iter().enumerate() {
        let keys = validated(lines);
        match groups.iter_mut().find(|(it, _)| *it == keys) {
            Some((_, members)) => members.push(index),
            None => groups.push((keys, vec![index])),
        }
    }
    let mut figures = Vec::new();
    for (keys, members) in groups {
        let (name, title) = stage(&keys);
        for (part, members) in members.chunks(MAX_SERIES).enumerate() {
            let runs: Vec<&(String, &[MetricsLine])> =
                members.iter().map(|&it| &metrics[it]).collect();
            let suffix = if part == 0 {
                String::new()
            } else {
                format!("-{}", part + 1)
            };
            figures.push((
                format!("training-{name}{suffix}"),
                figure(title, &keys, &runs),
            ));
        }
    }
    figures
}

/// What validation names, in order.
fn validated(lines: &[MetricsLine]) -> Vec<String> {
    let keys = lines.iter().flat_map(|line| line.validation.keys());
    let mut keys: Vec<String> = keys.cloned().collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Which stage validates such things: a name for the file and a title.
fn stage(keys: &[String]) -> (String, &'static str) {
    let any = |ends: fn(&str) -> bool| keys.iter().any(|it| ends(it));
    if keys.is_empty() {
        ("loss".to_owned(), "Training, without validation")
    } else if any(|it| it.ends_with("_explicit")) {
        ("target".to_owned(), "Training of targets")
    } else if any(|it| it == "pairs_found") {
        (
            "sentence-transformer".to_owned(),
            "Training of sentence transformers",
        )
    } else {
        // One file for each set of things validated.
        let name = format!("generator-{}", keys.join("-"));
        (name, "Training of generators and controls")
    }
}

fn figure(title: &str, keys: &[String], runs: &[&(String, &[MetricsLine])]) -> Figure {
    let panel = |title: String, y: Axis, points: &dyn Fn(&[MetricsLine]) -> Vec<Point>| Panel {
        title,
        x: Axis::new("steps", Scale::Linear),
        y,
        series: runs
            .iter()
            .enumerate()
            .map(|(number, (_, lines))| Series {
                number,
                style: Style::Line,
                points: points(lines),
            })
            .collect(),
    };
    let loss = Axis::new("loss", Scale::Log);
    let mut panels = vec![panel("loss in training".to_owned(), loss, &losses)];
    for key in keys {
        let in_percent = key != "loss";
        let (axis, factor) = match in_percent {
            true => (Axis::percent("right"), 100.0),
            false => (Axis::new("loss", Scale::Linear), 1.0),
        };
        let title = format!("validation: {}", key.replace('_', ", "));
        panels.push(panel(title, axis, &|lines| {
            let figures = lines
                .iter()
                .filter_map(|line| Some((line.step, line.validation.get(key)?)));
            figures
                .map(|(step, value)| Point::new(step as f64, factor * value))
                .collect()
        }));
    }
    Figure {
        title: title.to_owned(),
        panels,
        legend: runs.iter().map(|(name, _)| name.clone()).collect(),
    }
}

/// Losses as means over equal parts of a run.
fn losses(lines: &[MetricsLine]) -> Vec<Point> {
    let losses: Vec<(u64, f64)> = lines
        .iter()
        .filter_map(|line| Some((line.step, line.loss?)))
        .collect();
    let part = losses.len().div_ceil(LOSS_POINTS).max(1);
    let parts = losses.chunks(part).map(|part| {
        let mean = part.iter().map(|(_, loss)| loss).sum::<f64>() / part.len() as f64;
        let step = part.iter().map(|(step, _)| *step as f64).sum::<f64>() / part.len() as f64;
        Point::new(step, mean)
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn step(step: u64, loss: f64) -> MetricsLine {
        MetricsLine {
            step,
            loss: Some(loss),
            validation: BTreeMap::new(),
        }
    }

    fn validation(step: u64, key: &str, value: f64) -> MetricsLine {
        MetricsLine {
            step,
            loss: None,
            validation: BTreeMap::from([(key.to_owned(), value)]),
        }
    }

    #[test]
    fn many_losses_become_means_over_equal_parts() {
        let lines: Vec<MetricsLine> = (1..=120).map(|it| step(it, it as f64)).collect();
        let points = losses(&lines);
        assert_eq!(points.len(), 60);
        assert_eq!((points[0].x, points[0].y), (1.5, 1.5));
        assert_eq!((points[59].x, points[59].y), (119.5, 119.5));
        assert_eq!(losses(&[]), []);
    }

    #[test]
    fn runs_that_validate_the_same_share_figures_of_eight() {
        let generator = [step(1, 1.0), validation(2, "coin", 0.5)];
        let target = [step(1, 1.0), validation(2, "coin_explicit", 0.5)];
        let mut metrics: Vec<(String, &[MetricsLine])> = (0..9)
            .map(|it| (format!("run-{it}"), &generator[..]))
            .collect();
        metrics.insert(3, ("target".to_owned(), &target[..]));
        let figures = figures(&metrics);
        let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "training-generator-coin",
                "training-generator-coin-2",
                "training-target"
            ]
        );
        assert_eq!(
            (figures[0].1.legend.len(), figures[1].1.legend.len()),
            (8, 1)
        );
        let validation = &figures[1].1.panels[1];
        assert_eq!(validation.title, "validation: coin");
        assert_eq!(validation.series[0].points, [Point::new(2.0, 50.0)]);
    }
}
