//! The loop that all stages share: steps, checkpoints, validation, metrics, progress.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::Tensor;
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::checkpoint::{self, Position};
use super::config::Schedule;
use super::error::TrainError;
use super::llama::Named;
use super::optimizer::{Optimizer, Update};

/// Steps between lines of metrics.
const METRICS_EVERY: usize = 10;

/// What a stage trains and how it is judged.
pub trait Stage {
    /// All that is trained, in a fixed order.
    fn parameters(&mut self) -> Vec<Named<'_>>;

    /// The factor on the learning rate of a parameter at a step; zero leaves it untouched.
    fn rate_factor(&self, parameter: &str, step: usize) -> f64;

    /// The loss of a step's batch.
    fn loss(&mut self, step: usize) -> Result<Loss, TrainError>;

    /// Figures on validation problems.
    fn validate(&mut self) -> Result<Validation, TrainError>;
}

/// A loss to go back from, and the parts of it that are worth a line in the metrics.
pub struct Loss {
    pub total: Tensor<1>,
    pub parts: Vec<(&'static str, f32)>,
}

/// What validation found.
pub struct Validation {
    /// Higher is better; checkpoints are chosen by it.
    pub score: f64,
    pub figures: Map<String, Value>,
}

/// Where a stage keeps its files.
#[derive(Clone, Debug)]
pub struct StageFiles {
    pub folder: PathBuf,
}

impl StageFiles {
    pub fn new(run: &Path, stage: &str) -> Self {
        Self {
            folder: run.join(stage),
        }
    }

    /// The newest state, to go on from.
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The weights that validated best.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// One JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.folder.join("metrics.jsonl")
    }
}

/// Whether to begin anew or to go on from the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Begin; an error where there is a checkpoint already.
    Anew,
    /// Go on from the checkpoint, or begin where there is none.
    Resume,
}

/// Settings of a run of the loop.
pub struct Training<'a> {
    pub name: &'static str,
    pub schedule: &'a Schedule,
    pub validate_every: usize,
    pub files: &'a StageFiles,
    pub begin: Begin,
    pub device: &'a Device,
}

/// Trains a stage to the end of its schedule and leaves its best weights in `files.best()`.
pub fn train(stage: &mut dyn Stage, training: &Training<'_>) -> Result<Position, TrainError> {
    let Training {
        schedule, files, ..
    } = training;
    let names: Vec<String> = stage
        .parameters()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for (_, tensor) in stage.parameters() {
        *tensor = tensor.clone().require_grad();
    }
    let mut optimizer = Optimizer::new(schedule.optimizer, names.len());
    let mut position = start(stage, &mut optimizer, training)?;
    let mut metrics = Metrics::open(&files.metrics(), position.step)?;
    let bar = progress_bar(training.name, schedule.steps, position.step);

    while position.step < schedule.steps {
        let step = position.step;
        let began = Instant::now();
        let rate = schedule.rate(step);
        let loss = stage.loss(step)?;
        let mut gradients = loss.total.backward();
        let value = loss.total.inner().into_scalar::<f32>();
        if !value.is_finite() {
            return Err(TrainError::NotFinite { step, loss: value });
        }
        let factors: Vec<f64> = names
            .iter()
            .map(|name| stage.rate_factor(name, step))
            .collect();
        let updates = stage
            .parameters()
            .into_iter()
            .zip(factors)
            .map(|(parameter, factor)| Update {
                parameter,
                learning_rate: rate * factor,
            });
        let norm = optimizer.step(updates.collect(), &mut gradients);
        position.step += 1;
        let step = position.step;
        bar.set_position(step as u64);

        if step % METRICS_EVERY == 0 || step == schedule.steps {
            let mut line = json!({
                "step": step, "loss": value, "gradient_norm": norm, "learning_rate": rate,
                "ms": began.elapsed().as_millis() as u64,
            });
            for (name, value) in loss.parts {
                line[name] = json!(value);
            }
            bar.set_message(format!("loss {value:.4}"));
            metrics.write(&line)?;
        }
        if step % training.validate_every == 0 || step == schedule.steps {
            let validation = stage.validate()?;
            if position
                .best
                .is_none_or(|(best, _)| validation.score > best)
            {
                position.best = Some((validation.score, step));
                checkpoint::save(&files.best(), stage.parameters(), None, &position)?;
            }
            let mut line = json!({ "step": step, "score": validation.score });
            line["validation"] = Value::Object(validation.figures);
            bar.println(line.to_string());
            metrics.write(&line)?;
        }
        if step % schedule.checkpoint_every == 0 || step == schedule.steps {
            checkpoint::save(
                &files.checkpoint(),
                stage.parameters(),
                Some(&optimizer),
                &position,
            )?;
        }
    }
    bar.finish();
    Ok(position)
}

fn start(
    stage: &mut dyn Stage,
    optimizer: &mut Optimizer,
    training: &Training<'_>,
) -> Result<Position, TrainError> {
    let path = training.files.checkpoint();
    match (training.begin, path.exists()) {
        (Begin::Resume, true) => {
            let mut position =
                checkpoint::load(&path, stage.parameters(), Some(optimizer), training.device)?;
            // The optimizer has them now, and a checkpoint takes them from there.
            position.optimizer_steps.clear();
            Ok(position)
        }
        (Begin::Anew, true) => Err(TrainError::Started { path }),
        (_, false) => Ok(Position::default()),
    }
}

fn progress_bar(name: &'static str, steps: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64)
        .with_prefix(name)
        .with_position(done as u64);
    let style = ProgressStyle::with_template(
        "{prefix} [{wide_bar}] {pos}/{len} {msg} {per_sec}, {eta} left",
    );
    bar.set_style(style.expect("the template is valid"));
    bar.reset_eta();
    bar
}

/// The metrics file, opened for going on after a step.
struct Metrics {
    path: PathBuf,
    file: fs::File,
}

impl Metrics {
    /// Keeps the lines up to `step`: a killed run may have written more than its checkpoint knows.
    fn open(path: &Path, step: usize) -> Result<Self, TrainError> {
        let old = if step == 0 {
            String::new()
        } else {
            fs::read_to_string(path).unwrap_or_default()
        };
        let kept = old.lines().filter(|line| {
            serde_json::from_str::<Value>(line)
                .is_ok_and(|line| line["step"].as_u64() <= Some(step as u64))
        });
        let text: String = kept.map(|line| format!("{line}\n")).collect();
        checkpoint::write_whole(path, text.as_bytes())?;
        let file = fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(TrainError::file(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    fn write(&mut self, line: &Value) -> Result<(), TrainError> {
        writeln!(self.file, "{line}").map_err(TrainError::file(&self.path))
    }
}
