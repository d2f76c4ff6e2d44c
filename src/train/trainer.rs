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
use super::gradients::{Cut, Gradients, Loss, Part, Workers};
use super::llama::Named;
use super::optimizer::{Change, Optimizer, Update};

/// Steps between lines of metrics.
const METRICS_EVERY: usize = 10;

/// What a stage trains and how it is judged. Clones share their weights; threads each work on one.
pub trait Stage: Clone + Send {
    /// All that is trained, in a fixed order.
    fn parameters(&mut self) -> Vec<Named<'_>>;

    /// All else that a loss is computed with.
    fn frozen(&mut self) -> Vec<&mut Tensor<2>>;

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
    /// Threads that a step's batch is cut among, for each device.
    pub threads: usize,
    pub files: &'a StageFiles,
    pub begin: Begin,
    /// Score of the weights that the stage begins with, where only better ones are to replace them.
    pub to_beat: Option<f64>,
    /// What is to be said of the steps since the last validation, beside what validation finds. Of a schedule whose
    /// checkpoints are taken where it validates.
    pub epoch_figures: Option<&'a EpochFigures<'a>>,
    /// What computes; the weights live on the first.
    pub devices: &'a [Device],
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
    workers: &Workers<S>,
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
    } = workers.gradients(stage, step, cut)?;
    check_finite(step, "loss", loss)?;
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
    check_finite(step, "norm of the gradients", gradient_norm)?;
    Ok(Stepped {
        loss,
        terms,
        gradient_norm,
        learning_rate,
    })
}

fn check_finite(step: usize, what: &'static str, value: f32) -> Result<(), TrainError> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(TrainError::NotFinite { step, what, value }),
    }
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
    let workers = Workers::new(stage, training.devices, schedule.precision)?;

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
        let threads = training.threads;
        let stepped = take_step(stage, &workers, &mut optimizer, schedule, step, threads)?;
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
            let mut position = checkpoint::load(
                &path,
                stage.parameters(),
                Some(optimizer),
                &training.devices[0],
            )?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::optimizer::OptimizerSettings;
    use crate::train::precision::Precision;

    /// Its loss, or the gradient of it alone, is no number at one step.
    #[derive(Clone)]
    struct Breaking {
        weight: Tensor<2>,
        gradient_alone: bool,
    }

    const BREAKS_AT: usize = 3;

    impl Stage for Breaking {
        fn parameters(&mut self) -> Vec<Named<'_>> {
            vec![("weight".into(), &mut self.weight)]
        }

        fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
            Vec::new()
        }

        fn change(&self, _: &str, _: usize) -> Change {
            Change::Step(1.0)
        }

        fn parts(&self, _: usize, _: usize) -> usize {
            1
        }

        fn loss(&self, step: usize, _: Part) -> Result<Loss, TrainError> {
            let weight = self.weight.clone();
            let total = match (step == BREAKS_AT, self.gradient_alone) {
                (false, _) => weight.sum(),
                (true, true) => weight.mul_scalar(0.0).sqrt().sum(),
                (true, false) => weight.mul_scalar(0.0).log().sum(),
            };
            Ok(Loss {
                total,
                terms: Vec::new(),
            })
        }

        fn validate(&self) -> Result<Validation, TrainError> {
            Ok(Validation {
                score: 0.0,
                figures: Map::new(),
            })
        }
    }

    #[test]
    fn what_is_no_number_ends_training_and_the_checkpoint_before_it_stays() {
        for (gradient_alone, what) in [(true, "norm of the gradients"), (false, "loss")] {
            let folder = tempfile::tempdir().expect("a folder");
            let device = Device::flex().autodiff();
            let mut stage = Breaking {
                weight: Tensor::ones([2, 2], &device),
                gradient_alone,
            };
            let schedule = Schedule {
                steps: 5,
                batch: 1,
                learning_rate: 0.1,
                warmup_steps: 0,
                final_rate: 1.0,
                checkpoint_every: 1,
                gradient_accumulation: 1,
                precision: Precision::F32,
                optimizer: OptimizerSettings::default(),
            };
            let files = StageFiles::new(folder.path(), "stage");
            let training = Training {
                name: "test",
                schedule: &schedule,
                validate_every: 10,
                threads: 1,
                files: &files,
                begin: Begin::Anew,
                to_beat: None,
                epoch_figures: None,
                devices: std::slice::from_ref(&device),
            };
            let message = train(&mut stage, &training).expect_err("no number");
            let message = message.to_string();
            assert!(
                message.contains(&format!("step 3: the {what} is")),
                "{message}"
            );
            let kept = checkpoint::position(&files.checkpoint()).expect("a checkpoint");
            assert_eq!(kept.step, BREAKS_AT);
        }
    }
}
