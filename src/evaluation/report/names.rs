//! What is called what: the questions of a command, the settings in a run's name, the source of metrics.

use std::path::{Path, PathBuf};

/// A run's name, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct RunName {
    /// Without seed and settings.
    pub base: String,
    /// Number of implicit tokens.
    pub k: Option<u32>,
    /// Weight of the alignment loss, as written.
    pub alpha: Option<String>,
    /// The seed, as written.
    pub seed: Option<String>,
}

impl RunName {
    /// From a name.
    pub fn of(name: &str) -> Self {
        let mut rest = name;
        let (mut k, mut alpha, mut seed) = (None, None, None);
        while let Some((before, part)) = rest.rsplit_once('-') {
            if let Some(number) = part.strip_prefix("seed").filter(|it| is_number(it)) {
                seed = Some(number.to_owned());
            } else if let Some(number) = part.strip_prefix("alpha").filter(|it| is_number(it)) {
                alpha = Some(number.to_owned());
            } else if let Some(number) = part.strip_prefix('k').and_then(|it| it.parse().ok()) {
                k = Some(number);
            } else {
                break;
            }
            rest = before;
        }
        Self {
            base: rest.to_owned(),
            k,
            alpha,
            seed,
        }
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>()
        .is_ok_and(|it| it.is_finite() && it >= 0.0)
}

/// What was asked, in a few words: the family with what is not as by default, or the file with its folder.
pub fn questions(command: &[String]) -> String {
    if let Some(path) = option(command, "--data") {
        let parts: Vec<&str> = path
            .split(['/', '\\'])
            .filter(|it| !it.is_empty())
            .collect();
        return parts[parts.len().saturating_sub(2)..].join("/");
    }
    let mut text = option(command, "--family").unwrap_or_else(|| "unnamed questions".to_owned());
    let (step, steps) = match text.as_str() {
        "coin" => ("person", "people"),
        _ => ("step", "steps"),
    };
    match (
        option(command, "--min-steps"),
        option(command, "--max-steps"),
    ) {
        (Some(min), Some(max)) if min == max && max == "1" => text += &format!(", 1 {step}"),
        (Some(min), Some(max)) if min == max => text += &format!(", {min} {steps}"),
        (Some(min), Some(max)) => text += &format!(", {min}–{max} {steps}"),
        (Some(min), None) => text += &format!(", from {min} {steps}"),
        (None, Some(max)) => text += &format!(", to {max} {steps}"),
        (None, None) => {}
    }
    if let Some(most) = option(command, "--max-value") {
        text += &format!(", values to {most}");
    }
    text
}

/// The value of an option, written with a space or an equals sign.
pub fn option(command: &[String], name: &str) -> Option<String> {
    let at = command.iter().position(|it| {
        it == name
            || it
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('='))
    })?;
    match command[at].split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => command.get(at + 1).cloned(),
    }
}

/// The last part of a path, as models and runs are called.
pub fn last_part(path: &str) -> String {
    let mut parts = path.rsplit(['/', '\\']).filter(|it| !it.is_empty());
    parts.next().unwrap_or(path).to_owned()
}

/// A file's name without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |it| it.to_string_lossy().into_owned())
}

/// What metrics are of: `RUN/STAGE` for those in a run's folder, else the file's name.
pub fn metrics_name(path: &Path) -> String {
    let stem = stem(path);
    let folders: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    let folder = |index: usize| {
        let name = folders.get(index).and_then(|it| it.file_name());
        name.map(|it| it.to_string_lossy().into_owned())
    };
    match (stem.as_str(), folder(1), folder(0)) {
        ("metrics", Some(run), Some(stage)) => format!("{run}/{stage}"),
        _ => stem,
    }
}

/// A file's name with as many of its folders as tell it from the others of a list.
pub fn distinct(path: &Path, all: &[&Path]) -> String {
    let parts: Vec<_> = path.components().collect();
    let end = |count: usize| -> PathBuf { parts[parts.len() - count..].iter().collect() };
    let is_alone = |count: &usize| {
        let end = end(*count);
        all.iter().filter(|it| it.ends_with(&end)).count() <= 1
    };
    let count = (1..parts.len()).find(is_alone).unwrap_or(parts.len());
    let names = end(count);
    let names = names.iter().map(|part| part.to_string_lossy());
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn questions_are_named_by_what_is_not_usual_about_them() {
        for (text, expected) in [
            ("eval --family arithmetic --count 9", "arithmetic"),
            (
                "eval --family arithmetic --max-value 99",
                "arithmetic, values to 99",
            ),
            (
                "eval --family=arithmetic --min-steps=5 --max-steps 6",
                "arithmetic, 5–6 steps",
            ),
            (
                "eval --family coin --min-steps 1 --max-steps 1",
                "coin, 1 person",
            ),
            (
                "eval --family coin --min-steps 9 --max-steps 9",
                "coin, 9 people",
            ),
            (
                "eval --data ../shared/data/semcot/coin_flip/eval.json",
                "coin_flip/eval.json",
            ),
            ("eval --data test.jsonl", "test.jsonl"),
            ("eval --data", "unnamed questions"),
        ] {
            assert_eq!(questions(&command(text)), expected);
        }
    }

    #[test]
    fn names_of_runs_say_seed_and_settings() {
        let parts = |name: &str| {
            let RunName {
                base,
                k,
                alpha,
                seed,
            } = RunName::of(name);
            (base, k, alpha, seed)
        };
        let text = |it: &str| Some(it.to_owned());
        assert_eq!(parts("mini"), ("mini".to_owned(), None, None, None));
        assert_eq!(
            parts("small-k2-alpha0.25-seed3"),
            ("small".to_owned(), Some(2), text("0.25"), text("3"))
        );
        assert_eq!(
            parts("no-l-reason-seed1"),
            ("no-l-reason".to_owned(), None, None, text("1"))
        );
        assert_eq!(parts("no-seed"), ("no-seed".to_owned(), None, None, None));
        assert_eq!(parts("alpha-k"), ("alpha-k".to_owned(), None, None, None));
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_folders() {
        let all = ["a/b-seed1/coin.json", "a/b-seed2/coin.json", "a/x.json"].map(Path::new);
        let names = all.map(|path| distinct(path, &all));
        assert_eq!(names, ["b-seed1/coin.json", "b-seed2/coin.json", "x.json"]);
    }

    #[test]
    fn metrics_are_named_by_run_and_stage_or_by_their_file() {
        assert_eq!(
            metrics_name(Path::new("runs/mini/generator/metrics.jsonl")),
            "mini/generator"
        );
        assert_eq!(
            metrics_name(Path::new("reports/training/pause.jsonl")),
            "pause"
        );
        assert_eq!(metrics_name(Path::new("metrics.jsonl")), "metrics");
    }
}
