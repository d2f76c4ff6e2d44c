//! The loop that all stages share: steps, checkpoints, validation, metrics, progress.

use std::fs;
use std::io::Write;
use std::ops::Range;
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
use super::optimizer::{Change, Optimizer, Update};

/// Steps between lines of metrics.
const METRICS_EVERY: usize = 10;

/// What a stage trains and how it is judged. Clones share their weights; threads each work on one.
pub trait Stage: Clone + Send {
    /// All that is trained, in a fixed order.
    fn parameters(&mut self) -> Vec<Named<'_>>;

    /// What a step does to a parameter; rates are factors on the schedule's.
    fn change(&self, parameter: &str, step: usize) -> Change;

    /// Whether the optimizer begins anew at a step, as a schedule may ask for.
    fn forgets_moments(&self, _step: usize) -> bool {
        false
    }

    /// Parts that a step's batch may be cut into, at most `threads`. Every part must have an example.
    fn parts(&self, step: usize, threads: usize) -> usize;

    /// What a part of a step's batch adds to the loss of the batch.
    fn loss(&self, step: usize, part: Part) -> Result<Loss, TrainError>;

    /// Figures on validation problems.
    fn validate(&self) -> Result<Validation, TrainError>;
}

/// Some of a batch: every `count`-th example, from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub index: usize,
    pub count: usize,
}

impl Part {
    /// All of the batch.
    pub const WHOLE: Part = Part { index: 0, count: 1 };

    /// Whether it has this example of the batch.
    pub fn has(&self, example: usize) -> bool {
        example % self.count == self.index
    }
}

/// How a step's batch is cut for computing: into a part for every thread of every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Parts at the same time.
    pub threads: usize,
    /// Times one after the other; what is held of a part is given back before the next.
    pub rounds: usize,
}

impl Cut {
    /// Not at all.
    pub const WHOLE: Cut = Cut {
        threads: 1,
        rounds: 1,
    };
}

/// A loss to go back from, and the terms of it that are worth a line in the metrics.
pub struct Loss {
    pub total: Tensor<1>,
    pub terms: Vec<(&'static str, f32)>,
}

/// The loss of a step's batch and its gradients, in the order of the parameters.
pub struct Gradients {
    pub loss: f32,
    pub terms: Vec<(&'static str, f32)>,
    pub gradients: Vec<Option<Tensor<2>>>,
}

impl Gradients {
    /// Of a part of a batch, on a graph of its own.
    fn of_part<S: Stage>(mut stage: S, step: usize, part: Part) -> Result<Self, TrainError> {
        for (_, tensor) in stage.parameters() {
            *tensor = tensor.clone().inner().autodiff().require_grad();
        }
        let Loss { total, terms } = stage.loss(step, part)?;
        Ok(Self::back_from(total, terms, stage.parameters()))
    }

    /// Goes back from a loss to the parameters that it was computed with.
    pub fn back_from(
        total: Tensor<1>,
        terms: Vec<(&'static str, f32)>,
        parameters: Vec<Named<'_>>,
    ) -> Self {
        let mut gradients = total.backward();
        let of_parameter = |(_, tensor): Named<'_>| tensor.grad_remove(&mut gradients);
        Self {
            gradients: parameters.into_iter().map(of_parameter).collect(),
            loss: total.inner().into_scalar::<f32>(),
            terms,
        }
    }

    /// Of a step's batch, in parts. These are added in their order, so that the same cut always gives the same bits.
    pub fn of_step<S: Stage>(stage: &S, step: usize, cut: Cut) -> Result<Self, TrainError> {
        let threads = cut.threads.max(1);
        let count = stage.parts(step, threads * cut.rounds.max(1)).max(1);
        let mut sum = Self::of_parts(stage, step, 0..threads.min(count), count)?;
        for first in (threads..count).step_by(threads) {
            let indices = first..(first + threads).min(count);
            sum.add(Self::of_parts(stage, step, indices, count)?);
        }
        Ok(sum)
    }

    /// Of some of the `count` parts of a step's batch, each on a thread.
    fn of_parts<S: Stage>(
        stage: &S,
        step: usize,
        indices: Range<usize>,
        count: usize,
    ) -> Result<Self, TrainError> {
        let part = |index| Part { index, count };
        let first = indices.start;
        std::thread::scope(|scope| {
            let others: Vec<_> = (first + 1..indices.end)
                .map(|index| {
                    let stage = stage.clone();
                    scope.spawn(move || Self::of_part(stage, step, part(index)))
                })
                .collect();
            let mut sum = Self::of_part(stage.clone(), step, part(first))?;
            for other in others {
                sum.add(other.join().expect("a part of a batch panicked")?);
            }
            Ok(sum)
        })
    }

    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        for (name, value) in other.terms {
            match self.terms.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += value,
                None => self.terms.push((name, value)),
            }
        }
        for (sum, gradient) in self.gradients.iter_mut().zip(other.gradients) {
            *sum = match (sum.take(), gradient) {
                (Some(a), Some(b)) => Some(a.add(b)),
                (a, b) => a.or(b),
            };
        }
    }
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
    /// Threads that a step's batch is cut among.
    pub threads: usize,
    pub files: &'a StageFiles,
    pub begin: Begin,
    /// Score of the weights that the stage begins with, where only better ones are to replace them.
    pub to_beat: Option<f64>,
    /// What is to be said of the steps since the last validation, beside what validation finds. Of a schedule whose
    /// checkpoints are taken where it validates.
    pub epoch_figures: Option<&'a EpochFigures<'a>>,
    pub device: &'a Device,
}

/// Adds to the figures of a validation, or changes them, given the number of the first step since the last one, from 0
/// on, and what those steps found.
pub type EpochFigures<'a> = dyn Fn(usize, &[Stepped], &mut Map<String, Value>) + 'a;

/// What one step found.
pub struct Stepped {
    pub loss: f32,
    pub terms: Vec<(&'static str, f32)>,
    /// Of all gradients together, before the clip.
    pub gradient_norm: f32,
    pub learning_rate: f64,
}

/// One step of the optimizer, the `step`-th from 0 on.
pub fn take_step<S: Stage>(
    stage: &mut S,
    optimizer: &mut Optimizer,
    schedule: &Schedule,
    step: usize,
    threads: usize,
) -> Result<Stepped, TrainError> {
    let cut = Cut {
        threads,
        rounds: schedule.gradient_accumulation,
    };
    let Gradients {
        loss,
        terms,
        gradients,
    } = Gradients::of_step(stage, step, cut)?;
    if !loss.is_finite() {
        return Err(TrainError::NotFinite { step, loss });
    }
    if stage.forgets_moments(step) {
        optimizer.moments.fill(None);
    }
    let learning_rate = schedule.rate(step);
    let names: Vec<String> = (stage.parameters().into_iter())
        .map(|(name, _)| name)
        .collect();
    let changes: Vec<Change> = (names.iter())
        .map(|name| stage.change(name, step).times(learning_rate))
        .collect();
    let updates = stage
        .parameters()
        .into_iter()
        .zip(changes)
        .map(|(parameter, change)| Update { parameter, change });
    let gradient_norm = optimizer.step(updates.collect(), gradients);
    Ok(Stepped {
        loss,
        terms,
        gradient_norm,
        learning_rate,
    })
}

/// Trains a stage to the end of its schedule and leaves its best weights in `files.best()`; where the schedule has no
/// steps, those that it begins with.
pub fn train<S: Stage>(stage: &mut S, training: &Training<'_>) -> Result<Position, TrainError> {
    let Training {
        schedule, files, ..
    } = training;
    let mut optimizer = Optimizer::new(schedule.optimizer, stage.parameters().len());
    let mut position = start(stage, &mut optimizer, training)?;
    let mut metrics = Metrics::open(&files.metrics(), position.step)?;
    let bar = progress_bar(training.name, schedule.steps, position.step);
    let mut epoch: Vec<Stepped> = Vec::new();

    if schedule.steps == 0 {
        let validation = stage.validate()?;
        position.best = Some((validation.score, 0));
        checkpoint::save(&files.best(), stage.parameters(), None, &position)?;
        metrics.write(
            &json!({ "step": 0, "score": validation.score, "validation": validation.figures }),
        )?;
    }
    while position.step < schedule.steps {
        let step = position.step;
        let began = Instant::now();
        let stepped = take_step(stage, &mut optimizer, schedule, step, training.threads)?;
        position.step += 1;
        let step = position.step;
        bar.set_position(step as u64);

        if step % METRICS_EVERY == 0 || step == schedule.steps {
            let mut line = json!({
                "step": step, "loss": stepped.loss, "gradient_norm": stepped.gradient_norm,
                "learning_rate": stepped.learning_rate, "ms": began.elapsed().as_millis() as u64,
            });
            for (name, value) in &stepped.terms {
                line[name] = json!(value);
            }
            bar.set_message(format!("loss {:.4}", stepped.loss));
            metrics.write(&line)?;
        }
        if training.epoch_figures.is_some() {
            epoch.push(stepped);
        }
        if step % training.validate_every == 0 || step == schedule.steps {
            let mut validation = stage.validate()?;
            if let Some(add) = training.epoch_figures {
                add(step - epoch.len(), &epoch, &mut validation.figures);
                epoch.clear();
            }
            if position.is_better(validation.score) {
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

fn start<S: Stage>(
    stage: &mut S,
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
        (_, false) => {
            let mut position = Position::default();
            if let Some(score) = training.to_beat {
                position.best = Some((score, 0));
                let best = training.files.best();
                checkpoint::save(&best, stage.parameters(), None, &position)?;
            }
            Ok(position)
        }
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
