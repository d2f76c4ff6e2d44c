//! Reading what a report is made from: evaluations, looks and probes (JSON), and metrics of training (JSON lines). What
//! a file is shows in its fields; what is none of these, or broken, is an error that names it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{Accuracy, Interval};
use super::files::{EvaluationFile, LookFile, MetricsLine, ProbeFile};

/// Largest file that is read: metrics of a long run are a few megabytes.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// A folder with this file is a run of training.
const RUN_FILE: &str = "config.toml";
/// Of a run, and no report.
const TOKENIZER_FILE: &str = "tokenizer.json";
/// Metrics of a stage, in a folder of its name.
const METRICS_FILE: &str = "metrics.jsonl";

/// Why a report was not made. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of a size that no report has.
    #[error("{}: {bytes} bytes, and more than {MAX_FILE_BYTES} are not read; is it a report?", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A folder without anything to report.
    #[error("{}: a folder without reports (*.json, *.jsonl), and no run of training either", path.display())]
    EmptyFolder {
        /// Which.
        path: PathBuf,
    },
    /// Not JSON, or a field is missing or wrong.
    #[error("{}: {message}", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// JSON of another kind.
    #[error(
        "{}: neither an evaluation (\"modes\"), a look (\"own_first\"), a probe (\"probes\") nor metrics of training (\"step\")",
        path.display()
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// The same was measured twice.
    #[error(
        "{} and {} both hold {what}: give one of them, or name runs of several seeds NAME-seed1, NAME-seed2 …",
        first.display(),
        second.display()
    )]
    Twice {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What both hold.
        what: String,
    },
}

/// Everything that was read, each part in the order of the arguments.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What `semcot eval --json` and `semcot score --json` wrote.
    pub evaluations: Vec<Named<EvaluationFile>>,
    /// What `semcot look --json` wrote.
    pub looks: Vec<Named<LookFile>>,
    /// What `semcot probe --json` wrote.
    pub probes: Vec<Named<ProbeFile>>,
    /// Metrics of training.
    pub metrics: Vec<Named<Vec<MetricsLine>>>,
}

/// A file's contents.
#[derive(Debug)]
pub struct Named<T> {
    /// The file.
    pub path: PathBuf,
    /// Its contents.
    pub contents: T,
}

impl Inputs {
    /// Reads files and folders. Of a run's folder the metrics of its stages and the evaluations beside them are read,
    /// of another folder all its JSON files; in the order of their names.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn read(paths: &[PathBuf]) -> Result<Self, InputError> {
        let mut inputs = Self::default();
        for path in paths {
            for file in files_of(path)? {
                inputs.add(file)?;
            }
        }
        Ok(inputs)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), InputError> {
        let text = read(&path)?;
        match kind_of(&path, &text)? {
            Kind::Metrics => {
                let contents = read_metrics(&path, &text)?;
                self.metrics.push(Named { path, contents });
            }
            Kind::Evaluation => {
                let contents: EvaluationFile = parse(&path, &text)?;
                check(&path, &contents)?;
                self.evaluations.push(Named { path, contents });
            }
            Kind::Look => {
                let contents = parse(&path, &text)?;
                self.looks.push(Named { path, contents });
            }
            Kind::Probe => {
                let contents = parse(&path, &text)?;
                self.probes.push(Named { path, contents });
            }
        }
        Ok(())
    }
}

/// What a file can be.
enum Kind {
    Evaluation,
    Look,
    Probe,
    Metrics,
}

fn kind_of(path: &Path, text: &str) -> Result<Kind, InputError> {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first: Option<Value> = first.and_then(|line| serde_json::from_str(line).ok());
    // Metrics are the only kind of many lines; all others are one value.
    let value = match first {
        Some(value) if value["step"].is_u64() => return Ok(Kind::Metrics),
        _ => parse::<Value>(path, text)?,
    };
    let has = |field: &str| value.get(field).is_some();
    if has("modes") {
        Ok(Kind::Evaluation)
    } else if has("own_first") {
        Ok(Kind::Look)
    } else if has("probes") {
        Ok(Kind::Probe)
    } else {
        Err(InputError::Unknown {
            path: path.to_owned(),
        })
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = sorted_entries(path)?;
    let is_run = path.join(RUN_FILE).is_file();
    let mut files = Vec::new();
    for entry in entries {
        let extension = entry.extension().and_then(|it| it.to_str());
        let is_tokenizer = is_run && entry.file_name().is_some_and(|it| it == TOKENIZER_FILE);
        let is_report = matches!(extension, Some("json" | "jsonl")) && !is_tokenizer;
        let metrics = entry.join(METRICS_FILE);
        if entry.is_file() && is_report {
            files.push(entry);
        } else if is_run && metrics.is_file() {
            files.push(metrics);
        }
    }
    match files.is_empty() {
        true => Err(InputError::EmptyFolder {
            path: path.to_owned(),
        }),
        false => Ok(files),
    }
}

fn sorted_entries(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let failed = |source| InputError::File {
        path: path.to_owned(),
        source,
    };
    let entries = fs::read_dir(path).map_err(failed)?;
    let entries = entries.map(|entry| entry.map(|it| it.path()));
    let mut entries: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort();
    Ok(entries)
}

fn read(path: &Path) -> Result<String, InputError> {
    let failed = |source| InputError::File {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(InputError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    fs::read_to_string(path).map_err(failed)
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, InputError> {
    serde_json::from_str(text).map_err(|error| broken(path, error.to_string()))
}

fn broken(path: &Path, message: String) -> InputError {
    InputError::Broken {
        path: path.to_owned(),
        message,
    }
}

fn read_metrics(path: &Path, text: &str) -> Result<Vec<MetricsLine>, InputError> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let lines = lines.map(|(index, line)| {
        serde_json::from_str(line)
            .map_err(|error| broken(path, format!("line {}: {error}", index + 1)))
    });
    lines.collect()
}

/// Shares that are none would become a table that lies.
fn check(path: &Path, file: &EvaluationFile) -> Result<(), InputError> {
    if file.modes.is_empty() {
        return Err(broken(path, "\"modes\" is empty".to_owned()));
    }
    let sampled = file.sampled.iter().flat_map(|it| &it.modes);
    for (mode, score) in file.modes.iter().chain(sampled) {
        let Accuracy {
            n,
            strict,
            strict_interval,
            official,
            official_interval,
        } = score.accuracy;
        let wrong = |field: &str, found: &dyn std::fmt::Debug, expected: &str| {
            Err(broken(
                path,
                format!("modes.{mode}.{field} is {found:?}: {expected}"),
            ))
        };
        if n == 0 {
            return wrong("n", &n, "it must be above 0");
        }
        for (field, share, Interval { low, high }) in [
            ("strict", strict, strict_interval),
            ("official", official, official_interval),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return wrong(field, &share, "it must be from 0 to 1");
            }
            // Ends are computed: at 0 and 1 they are off by rounding.
            let within =
                -1e-9 <= low && low <= share + 1e-9 && share <= high + 1e-9 && high <= 1.0 + 1e-9;
            if !within {
                let field = format!("{field}_interval");
                return wrong(&field, &[low, high], "it must hold the share");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORE: &str = r#"{"n": 10, "strict": 0.9, "strict_interval": {"low": 0.6, "high": 0.98},
        "official": 1.0, "official_interval": {"low": 0.7, "high": 1.0}}"#;

    fn read_one(name: &str, text: &str) -> Result<Inputs, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        Inputs::read(&[path]).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_told_by_what_stands_in_them() {
        let evaluation = format!(
            r#"{{"command": ["score"], "method": "pause", "modes": {{"implicit": {SCORE}}}}}"#
        );
        let read = read_one("it.txt", &evaluation).expect("an evaluation");
        let found = &read.evaluations[0].contents;
        assert_eq!(found.modes["implicit"].accuracy.n, 10);
        assert_eq!(found.method.as_deref(), Some("pause"));
        let metrics = "{\"step\": 100, \"loss\": 0.5, \"ms\": 3}\n\n{\"step\": 100, \"score\": 1, \"validation\": {\"coin\": 0.25}}\n";
        let read = read_one("it.json", metrics).expect("metrics");
        let lines = &read.metrics[0].contents;
        assert_eq!(
            (lines[0].loss, lines[1].validation["coin"]),
            (Some(0.5), 0.25)
        );
    }

    #[test]
    fn what_is_broken_or_something_else_is_refused_by_name() {
        let with = |from: &str, to: &str| {
            assert!(SCORE.contains(from), "{from}");
            let score = SCORE.replacen(from, to, 1);
            format!(r#"{{"command": [], "modes": {{"implicit": {score}}}}}"#)
        };
        for (text, expected) in [
            ("", "it.json: EOF"),
            ("{", "it.json: EOF"),
            ("[1, 2]", "neither an evaluation"),
            (r#"{"kernels": []}"#, "neither an evaluation"),
            (r#"{"command": [], "modes": {}}"#, "\"modes\" is empty"),
            (r#"{"modes": {}}"#, "missing field `command`"),
            (
                r#"{"command": [], "modes": {"implicit": {}}}"#,
                "missing field `n`",
            ),
            (
                &with("\"strict\": 0.9", "\"strict\": 1.5"),
                "modes.implicit.strict is 1.5: it must be from 0 to 1",
            ),
            (
                &with("\"strict\": 0.9", "\"strict\": \"good\""),
                "invalid type",
            ),
            (&with("10", "0"), "modes.implicit.n is 0"),
            (
                &with("0.6", "0.95"),
                "modes.implicit.strict_interval is [0.95, 0.98]",
            ),
            (
                "{\"step\": 1, \"loss\": 1}\n{\"loss\": 2}\n",
                "line 2: missing field `step`",
            ),
            (
                "{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"lo",
                "line 2: EOF",
            ),
            ("{\"step\": 1, \"loss\": \"much\"}", "line 1: invalid type"),
            (r#"{"own_first": 1}"#, "it.json: missing field"),
        ] {
            let message = read_one("it.json", text).expect_err(text);
            assert!(
                message.contains("it.json") && message.contains(expected),
                "{message}, expected {expected}"
            );
        }
        let missing =
            Inputs::read(&[PathBuf::from("nowhere/at-all.json")]).expect_err("nothing is there");
        assert!(missing.to_string().starts_with("nowhere/at-all.json: "));
    }

    #[test]
    fn of_a_run_the_metrics_are_read_and_of_a_folder_the_reports() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        let read = || Inputs::read(&[folder.path().to_owned()]);
        assert!(matches!(read(), Err(InputError::EmptyFolder { .. })));
        put("b.jsonl", "{\"step\": 2}\n");
        put("a.jsonl", "{\"step\": 1}\n");
        put("notes.txt", "nothing to read");
        put("target/metrics.jsonl", "{\"step\": 3}\n");
        put("tokenizer.json", "{}");
        assert!(
            matches!(read(), Err(InputError::Unknown { .. })),
            "tokenizer.json is no report"
        );
        put("config.toml", "");
        let steps: Vec<u64> = read()
            .expect("a run")
            .metrics
            .iter()
            .map(|it| it.contents[0].step)
            .collect();
        assert_eq!(steps, [1, 2, 3]);
    }
}
