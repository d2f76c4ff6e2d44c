//! The files that a report is made from, as the commands of this project write them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::Accuracy;
use super::super::look::Looked;
use super::super::probe::Probed;
use super::super::run::{OverSeeds, Timing};
use super::super::tally::RightOf;

/// An evaluation.
#[derive(Debug, Deserialize)]
pub struct EvaluationFile {
    /// The command that measured it.
    pub command: Vec<String>,
    /// What computed; absent where the training backend did.
    pub device: Option<String>,
    /// The method, where a run of training was measured.
    pub method: Option<String>,
    /// By way of answering, greedily.
    pub modes: BTreeMap<String, ModeScore>,
    /// The same with sampled tokens.
    #[serde(default)]
    pub sampled: Vec<SampledScores>,
}

/// Accuracy of one way of answering, and its cost where that was measured.
#[derive(Clone, Debug, Deserialize)]
pub struct ModeScore {
    /// By both rules.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// Right and asked, by steps.
    #[serde(default)]
    pub by_steps: BTreeMap<u32, RightOf>,
    /// Right and asked, by operators.
    #[serde(default)]
    pub by_operators: BTreeMap<String, RightOf>,
    /// Mean tokens written.
    pub tokens: Option<f64>,
    /// Mean passes of the target.
    pub target_passes: Option<f64>,
    /// Mean passes of the generator.
    pub generator_passes: Option<f64>,
    /// Time a question.
    pub ms: Option<Timing>,
    /// Where there were several seeds.
    pub over_seeds: Option<OverSeeds>,
}

/// Scores at one temperature.
#[derive(Debug, Deserialize)]
pub struct SampledScores {
    /// The temperature.
    pub temperature: f64,
    /// By way of answering.
    pub modes: BTreeMap<String, ModeScore>,
}

/// A look inside the implicit tokens of many questions.
#[derive(Debug, Deserialize)]
pub struct LookFile {
    /// The command that looked.
    pub command: Vec<String>,
    /// What was found.
    #[serde(flatten)]
    pub looked: Looked,
}

/// What probes and swaps of implicit tokens showed.
#[derive(Debug, Deserialize)]
pub struct ProbeFile {
    /// The command that probed.
    pub command: Vec<String>,
    /// What was found.
    #[serde(flatten)]
    pub probed: Probed,
}

/// A line of metrics: of a step, or of a validation after it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MetricsLine {
    /// Steps done.
    pub step: u64,
    /// Loss of that step; absent in lines of validations, or where it was no number.
    pub loss: Option<f64>,
    /// Figures of a validation.
    #[serde(default)]
    pub validation: BTreeMap<String, f64>,
}
