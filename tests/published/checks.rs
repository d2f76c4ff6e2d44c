//! Which values were compared, and how far they were off.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::pair::Pair;

/// What the manifest says of one array.
#[derive(Clone, Debug)]
struct Expected {
    tolerance: f64,
    rms_tolerance: f64,
    /// Tolerance 0 marks what is read, not checked.
    is_input: bool,
    is_compared: bool,
}

/// What was found of one kind of values.
#[derive(Clone, Debug, Default)]
struct Kind {
    arrays: usize,
    values: usize,
    /// The largest difference, over its tolerance.
    greatest: f64,
    /// The largest root mean square, over its tolerance.
    rms: f64,
}

/// The comparisons of one pair.
pub struct Checks {
    pair: String,
    expected: HashMap<(String, String), Expected>,
    kinds: BTreeMap<String, Kind>,
    pub failures: Vec<String>,
}

impl Checks {
    pub fn new(pair: &Pair) -> Self {
        let number = |line: &Value, field: &str| line[field].as_f64();
        let expected = pair.manifest["arrays"]
            .as_array()
            .expect("the manifest lists arrays")
            .iter()
            .map(|line| {
                let text = |field: &str| line[field].as_str().expect("a text").to_owned();
                let tolerance = number(line, "tolerance").expect("a tolerance");
                let expected = Expected {
                    tolerance,
                    rms_tolerance: number(line, "rms_tolerance").unwrap_or(tolerance),
                    is_input: tolerance == 0.0,
                    is_compared: false,
                };
                ((text("file"), text("tensor")), expected)
            })
            .collect();
        Self {
            pair: pair.name(),
            expected,
            kinds: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Whether the manifest lists an array.
    pub fn has(&self, file: &str, tensor: &str) -> bool {
        self.expected
            .contains_key(&(file.to_owned(), tensor.to_owned()))
    }

    /// Compares an array of the manifest.
    pub fn array(&mut self, pair: &Pair, file: &str, tensor: &str, found: &[f32]) {
        let key = (file.to_owned(), tensor.to_owned());
        let Some(expected) = self.expected.get_mut(&key) else {
            self.failures.push(format!(
                "{}: {file} {tensor} is not in the manifest",
                self.pair
            ));
            return;
        };
        expected.is_compared = true;
        let (tolerance, rms_tolerance) = (expected.tolerance, expected.rms_tolerance);
        let weights = pair.expected(file);
        let (_, values) = weights.tensor(tensor).expect("an array of the manifest");
        let values: Vec<f64> = values.iter().copied().map(f64::from).collect();
        let found: Vec<f64> = found.iter().copied().map(f64::from).collect();
        let what = format!("{file} {tensor}");
        self.compare(
            &kind_of(file, tensor),
            &what,
            &found,
            &values,
            tolerance,
            rms_tolerance,
        );
    }

    /// Compares numbers of the manifest that have one tolerance.
    pub fn numbers(&mut self, kind: &str, found: &[f64], expected: &Value, tolerance: &Value) {
        let expected: Vec<f64> = (expected.as_array().expect("a list").iter())
            .map(|number| number.as_f64().expect("a number"))
            .collect();
        let tolerance = tolerance.as_f64().expect("a tolerance");
        self.compare(kind, kind, found, &expected, tolerance, tolerance);
    }

    /// Compares what has to be the same.
    pub fn same<T: PartialEq + std::fmt::Debug>(&mut self, kind: &str, found: T, expected: T) {
        let entry = self.kinds.entry(kind.to_owned()).or_default();
        entry.arrays += 1;
        entry.values += 1;
        if found != expected {
            self.failures.push(format!(
                "{}: {kind}: {found:?}, expected {expected:?}",
                self.pair
            ));
        }
    }

    fn compare(
        &mut self,
        kind: &str,
        what: &str,
        found: &[f64],
        expected: &[f64],
        tolerance: f64,
        rms_tolerance: f64,
    ) {
        if found.len() != expected.len() || expected.is_empty() {
            self.failures.push(format!(
                "{}: {what} has {} values, expected {}",
                self.pair,
                found.len(),
                expected.len()
            ));
            return;
        }
        let differences: Vec<f64> = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .collect();
        // Not a maximum by comparison, which a NaN would pass.
        let greatest = differences
            .iter()
            .fold(0.0, |most: f64, &it| if it <= most { most } else { it });
        let squares: f64 = differences.iter().map(|it| it * it).sum();
        let rms = (squares / differences.len() as f64).sqrt();
        let entry = self.kinds.entry(kind.to_owned()).or_default();
        entry.arrays += 1;
        entry.values += differences.len();
        entry.greatest = entry.greatest.max(greatest / tolerance);
        entry.rms = entry.rms.max(rms / rms_tolerance);
        let is_close = greatest <= tolerance && rms <= rms_tolerance;
        if !is_close {
            self.failures.push(format!(
                "{}: {what}: off by {greatest:.3e} (tolerance {tolerance:.1e}), rms {rms:.3e} ({rms_tolerance:.1e})",
                self.pair
            ));
        }
    }

    /// Fails for every array of the manifest that was not compared; inputs of the checks are none.
    pub fn fail_for_rest(&mut self) {
        let mut rest: Vec<String> = (self.expected.iter())
            .filter(|(_, expected)| !expected.is_compared && !expected.is_input)
            .map(|((file, tensor), _)| format!("{}: {file} {tensor} was not compared", self.pair))
            .collect();
        rest.sort();
        self.failures.extend(rest);
    }

    /// Prints the counts; gives the number of values compared.
    pub fn print(&self, title: &str) -> usize {
        println!("\npair {title}");
        println!(
            "{:<58} {:>7} {:>8} {:>22} {:>18}",
            "kind", "arrays", "values", "greatest / tolerance", "rms / tolerance"
        );
        for (name, kind) in &self.kinds {
            println!(
                "{name:<58} {:>7} {:>8} {:>22.3} {:>18.3}",
                kind.arrays, kind.values, kind.greatest, kind.rms
            );
        }
        let total = |of: fn(&Kind) -> usize| self.kinds.values().map(of).sum::<usize>();
        let most = |of: fn(&Kind) -> f64| self.kinds.values().map(of).fold(0.0, f64::max);
        println!(
            "{:<58} {:>7} {:>8} {:>22.3} {:>18.3}",
            "all",
            total(|kind| kind.arrays),
            total(|kind| kind.values),
            most(|kind| kind.greatest),
            most(|kind| kind.rms)
        );
        let inputs = self.expected.values().filter(|it| it.is_input).count();
        println!("passed over: {inputs} arrays, inputs of these checks");
        total(|kind| kind.values)
    }
}

/// The kind that an array is counted as: its name without numbers of items and layers, for phases the step.
fn kind_of(file: &str, tensor: &str) -> String {
    let file = file
        .trim_start_matches("expected/")
        .trim_end_matches(".safetensors");
    let is_number = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let mut parts = tensor.split('.');
    let first = parts.next().unwrap_or_default();
    match file {
        "forward" => {
            let rest: String = parts
                .filter(|part| !is_number(part))
                .map(|part| format!(".{part}"))
                .collect();
            format!("{first}{rest}")
        }
        "gradients" => match tensor.ends_with("batch_loss") {
            true => "gradients batch_loss".to_owned(),
            false => format!("gradients {first}.{}", parts.next().unwrap_or_default()),
        },
        "baselines" => format!("baselines {first}.{}", parts.next().unwrap_or_default()),
        phase => format!("{phase} {first}"),
    }
}
