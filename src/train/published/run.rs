//! The stages of a published run: what each reads, trains and leaves behind in the run's folder.
//!
//! A stage's folder has one for each phase, `linear` and `all`, with the files of the loop that all stages share. So a
//! killed run goes on in the phase that it was in, and the second phase begins with what the first has chosen.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use serde_json::{Map, Value};

use super::super::alignment::Alignment;
use super::super::checkpoint;
use super::super::config::{AlignmentSpace, Schedule};
use super::super::error::TrainError;
use super::super::examples::{Batches, Epochs, Example};
use super::super::generator::{AnswerFrame, GeneratorStage};
use super::super::hub;
use super::super::llama::Llama;
use super::super::sentence_transformer::{SentenceStage, SentenceTransformer};
use super::super::source::{Generator, Source};
use super::super::stages::{Backend, GENERATOR, SENTENCE_TRANSFORMER, keep_configuration};
use super::super::trainer::{Begin, EpochFigures, Stage, StageFiles, Stepped, Training, train};
use super::config::{BestValue, Phase, Phases, PublishedConfig, SelectionItems};
use super::items::{self, PublishedItem};
use super::logged;
use super::orders::{self, Orders};
use super::settings;

/// One run: its configuration, its folders and where it computes.
pub struct PublishedRun {
    pub config: PublishedConfig,
    pub folder: PathBuf,
    /// Where the data files are.
    pub data: Option<PathBuf>,
    pub begin: Begin,
    /// Threads that training cuts a step's batch among, for each device.
    pub threads: usize,
    pub(super) backend: Backend,
    /// Never empty; everything is on the first, the others share the batches.
    devices: Vec<Device>,
}

/// A phase of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PhaseName {
    Linear,
    All,
}

impl PhaseName {
    const BOTH: [Self; 2] = [Self::Linear, Self::All];

    /// Name of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::All => "all",
        }
    }

    fn of(self, phases: Phases) -> Phase {
        match self {
            Self::Linear => phases.linear,
            Self::All => phases.all,
        }
    }

    /// Steps at the start in which the linear layer alone trains.
    fn linear_steps(self, steps: usize) -> usize {
        match self {
            Self::Linear => steps,
            Self::All => 0,
        }
    }
}

/// What is read before a stage: the items, and the order that they come in.
struct Data {
    training: Vec<Example>,
    evaluation: Vec<Example>,
    orders: Orders,
}

/// The batches of a phase.
struct PhaseBatches {
    batches: Batches<'static>,
    steps: usize,
    steps_of_epoch: usize,
}

impl PublishedRun {
    pub fn new(config: PublishedConfig, folder: PathBuf, begin: Begin, backend: Backend) -> Self {
        Self {
            config,
            folder,
            data: None,
            begin,
            threads: backend.default_threads(),
            backend,
            devices: vec![backend.device()],
        }
    }

    /// Of a phase of so many steps.
    fn schedule(&self, phase: Phase, steps: usize, checkpoint_every: usize) -> Schedule {
        Schedule {
            precision: self.config.precision,
            ..settings::schedule(phase, steps, self.config.batch, checkpoint_every)
        }
    }

    /// As [`Run::share_among`](super::super::stages::Run::share_among).
    pub fn share_among(&mut self, devices: NonZeroUsize) -> Result<(), TrainError> {
        self.devices = self.backend.devices(devices)?;
        Ok(())
    }

    pub(super) fn device(&self) -> &Device {
        &self.devices[0]
    }

    /// Puts the configuration, with all that the files say together, into the run's folder.
    pub fn keep_configuration(&self) -> Result<(), TrainError> {
        keep_configuration(&self.config, &self.folder)
    }

    fn data_path(&self, file: &str) -> Result<PathBuf, TrainError> {
        if let Some(fetched) = hub::data_file(file) {
            return fetched;
        }
        let folder = self.data.as_ref().ok_or_else(|| TrainError::Setting {
            field: "data_sets",
            message: format!("say with --data in which folder {file} is"),
        })?;
        Ok(folder.join(file))
    }

    /// The evaluation items, in the order of their file.
    pub fn evaluation_items(&self) -> Result<Vec<PublishedItem>, TrainError> {
        let path = self.data_path(&self.config.data()?.evaluation)?;
        items::read(&path, self.config.items.evaluation)
    }

    fn read_data(&self, target: &Llama, generator_rows: usize) -> Result<Data, TrainError> {
        let config = &self.config;
        let tokenizers = self.tokenizers()?;
        let evaluation = self.evaluation_items()?;
        let path = self.data_path(&config.data()?.train)?;
        let mut training = items::read_training(&path, config.items.train)?;
        items::drop_repeated(&mut training, &evaluation, config.items.repeated);
        let target_rows = target.embedding.dims()[0];
        let examples = |items: &[PublishedItem]| -> Result<Vec<Example>, TrainError> {
            let mut examples = Vec::with_capacity(items.len());
            for item in items {
                let example = tokenizers.example(item)?;
                self.check_ids(&example, target_rows, generator_rows)?;
                examples.push(example);
            }
            Ok(examples)
        };
        Ok(Data {
            orders: Orders::of(config, training.len())?,
            training: examples(&training)?,
            evaluation: examples(&evaluation)?,
        })
    }

    /// A tokenizer may have more tokens than its model has rows.
    fn check_ids(
        &self,
        example: &Example,
        target_rows: usize,
        generator_rows: usize,
    ) -> Result<(), TrainError> {
        let of_target = [
            &example.question,
            &example.reasoning,
            &example.condensed,
            &example.answer,
        ];
        let of_target = of_target.into_iter().flatten().map(|&id| (id, target_rows));
        let of_generator = (example.generator_question.iter()).map(|&id| (id, generator_rows));
        let models = &self.config.models;
        let named = [&models.target, &models.generator];
        let both = of_target
            .map(|it| (it, named[0]))
            .chain(of_generator.map(|it| (it, named[1])));
        for ((id, rows), model) in both {
            if id as usize >= rows {
                return Err(TrainError::Setting {
                    field: "models",
                    message: format!(
                        "the tokenizer of {model} gives token {id}, but its embedding table has {rows} rows: the two do not belong together"
                    ),
                });
            }
        }
        Ok(())
    }

    fn files(&self, stage: &str, phase: PhaseName) -> StageFiles {
        StageFiles::new(&self.folder.join(stage), phase.name())
    }

    fn batches(&self, items: Vec<Example>, orders: orders::Epochs) -> PhaseBatches {
        let batch = self.config.batch;
        let steps_of_epoch = items.len().div_ceil(batch);
        let epochs = Epochs {
            items: Arc::new(items),
            orders: Arc::new(orders),
            seed: self.config.seed,
        };
        PhaseBatches {
            steps: epochs.steps(batch),
            steps_of_epoch,
            batches: Batches::DataSet(epochs),
        }
    }

    /// Trains a phase of a stage to its end; the second begins with what the first has chosen.
    fn train_phase<S: Stage>(
        &self,
        stage: &mut S,
        folder: &'static str,
        phase: PhaseName,
        schedule: &Schedule,
        validate_every: usize,
        epoch_figures: &EpochFigures<'_>,
    ) -> Result<(), TrainError> {
        let mut to_beat = None;
        if phase == PhaseName::All {
            let first = self.files(folder, PhaseName::Linear).best();
            let chosen = checkpoint::load(&first, stage.parameters(), None, self.device())?;
            to_beat = match self.config.best_value {
                BestValue::Restarts => None,
                BestValue::Carried => chosen.best.map(|(score, _)| score),
            };
        }
        let training = Training {
            name: match phase {
                PhaseName::Linear => "linear layer",
                PhaseName::All => "everything",
            },
            schedule,
            validate_every,
            threads: self.threads,
            files: &self.files(folder, phase),
            begin: self.begin,
            to_beat,
            epoch_figures: Some(epoch_figures),
            devices: &self.devices,
        };
        train(stage, &training)?;
        Ok(())
    }

    /// Trains the sentence transformer, both phases.
    pub fn train_sentence_transformer(&self) -> Result<(), TrainError> {
        let target = self.target()?;
        let data = self.read_data(&target, usize::MAX)?;
        let phases = self.config.data()?.sentence_transformer;
        let of = |numbers: &[usize]| -> Vec<Example> {
            let items = numbers.iter().map(|&item| data.training[item].clone());
            items.collect()
        };
        let split = &data.orders.split;
        for phase in PhaseName::BOTH {
            let orders = match phase {
                PhaseName::Linear => data.orders.sentence_linear.clone(),
                PhaseName::All => data.orders.sentence_all.clone(),
            };
            let PhaseBatches {
                batches,
                steps,
                steps_of_epoch,
            } = self.batches(of(&split.train), orders);
            let batch = self.config.batch;
            let schedule = self.schedule(phase.of(phases), steps, steps_of_epoch);
            let mut stage = SentenceStage {
                sentence: self.untrained_sentence_transformer(&target)?,
                settings: settings::sentence(
                    &self.config.sentence_transformer,
                    schedule,
                    phase.linear_steps(steps),
                ),
                target: target.clone(),
                batches,
                validation: Arc::new(of(&split.validation)),
            };
            let (batches, validated) = (stage.batches.clone(), stage.validation.len());
            let figures = |first: usize, steps: &[Stepped], figures: &mut Map<String, Value>| {
                let sizes = (first..).map(|step| batches.count(step, batch));
                let logged = self.config.logged_losses;
                logged::of_sentence_transformer(logged, validated, steps, sizes, figures);
            };
            self.train_phase(
                &mut stage,
                SENTENCE_TRANSFORMER,
                phase,
                &schedule,
                steps_of_epoch,
                &figures,
            )?;
        }
        Ok(())
    }

    fn best_of(&self, stage: &'static str) -> Result<PathBuf, TrainError> {
        let path = self.files(stage, PhaseName::All).best();
        match path.exists() {
            true => Ok(path),
            false => Err(TrainError::EarlierStage { path, stage }),
        }
    }

    /// The trained sentence transformer.
    pub fn sentence_transformer(&self, target: &Llama) -> Result<SentenceTransformer, TrainError> {
        let path = self.best_of(SENTENCE_TRANSFORMER)?;
        let mut sentence = self.untrained_sentence_transformer(target)?;
        checkpoint::load(&path, sentence.parameters(), None, self.device())?;
        Ok(sentence)
    }

    /// The generator's stage in a phase; nothing to align where there is no alignment.
    fn generator_stage(
        &self,
        target: Llama,
        generator: Generator,
        alignment: Option<Alignment>,
        phase: (Batches<'static>, Schedule, usize),
        validation: Vec<Example>,
    ) -> Result<GeneratorStage<'static>, TrainError> {
        let (batches, schedule, linear_steps) = phase;
        let tokenizers = self.tokenizers()?;
        let end = self.target_config()?.eos_id;
        let end = end.ok_or_else(|| TrainError::Setting {
            field: "models.target",
            message: "its config.json names no end token (eos_token_id)".into(),
        })?;
        Ok(GeneratorStage {
            settings: settings::generator(
                &self.config.generator,
                self.config.data()?.alpha,
                generator.model.decoder.sizes,
                schedule,
                linear_steps,
            ),
            source: Source::Generator(Box::new(generator)),
            target,
            alignment,
            frame: AnswerFrame {
                prompt: tokenizers.answer_prompt()?,
                // Read by curricula that replace written steps alone.
                reasoning_prompt: Vec::new(),
                end,
            },
            batches,
            validation: Arc::new(vec![(self.config.data_set.clone(), validation)]),
        })
    }

    /// Trains the generator, both phases.
    pub fn train_generator(&self) -> Result<(), TrainError> {
        let target = self.target()?;
        let generator = self.untrained_generator(&target)?;
        let data = self.read_data(&target, generator.model.embedding.dims()[0])?;
        let alignment = Alignment {
            sentence: match self.config.needs_sentence_transformer()? {
                true => Some(self.sentence_transformer(&target)?),
                false => None,
            },
            hidden_state: match self.config.generator.alignment_space {
                AlignmentSpace::Embeddings => 0,
                AlignmentSpace::SentenceTransformer | AlignmentSpace::HiddenState => {
                    self.config.sentence_transformer.first_layer
                }
            },
        };
        let is_compared = alignment.sentence.is_some()
            || self.config.generator.alignment_space != AlignmentSpace::SentenceTransformer;
        let phases = self.config.data()?.generator;
        let selection = self.config.items.selection;
        let numbers = data.orders.split.generator_items(selection);
        let items = numbers.iter().map(|&item| data.training[item].clone());
        let items: Vec<Example> = items.collect();
        let validation = match selection {
            SelectionItems::Evaluation => data.evaluation,
            SelectionItems::HeldOut => (data.orders.split.validation.iter())
                .map(|&item| data.training[item].clone())
                .collect(),
        };
        for phase in PhaseName::BOTH {
            let orders = match phase {
                PhaseName::Linear => data.orders.generator_linear.clone(),
                PhaseName::All => data.orders.generator_all.clone(),
            };
            let PhaseBatches {
                batches,
                steps,
                steps_of_epoch,
            } = self.batches(items.clone(), orders);
            let batch = self.config.batch;
            let schedule = self.schedule(phase.of(phases), steps, steps_of_epoch);
            let mut stage = self.generator_stage(
                target.clone(),
                generator.clone(),
                is_compared.then(|| alignment.clone()),
                (batches, schedule, phase.linear_steps(steps)),
                validation.clone(),
            )?;
            let batches = stage.batches.clone();
            let batch_loss = stage.settings.batch_loss;
            let figures = |first: usize, steps: &[Stepped], figures: &mut Map<String, Value>| {
                let sizes = (first..).map(|step| batches.count(step, batch));
                logged::of_generator(batch_loss, steps, sizes, figures);
            };
            self.train_phase(
                &mut stage,
                GENERATOR,
                phase,
                &schedule,
                steps_of_epoch,
                &figures,
            )?;
        }
        Ok(())
    }

    /// The trained generator with its target, to be asked.
    pub fn trained(&self) -> Result<GeneratorStage<'static>, TrainError> {
        let path = self.best_of(GENERATOR)?;
        let target = self.target()?;
        let generator = self.untrained_generator(&target)?;
        let none = self.batches(Vec::new(), Vec::new());
        let phase = self.config.data()?.generator.all;
        let schedule = settings::schedule(phase, 0, self.config.batch, 1);
        let mut stage = self.generator_stage(
            target,
            generator,
            None,
            (none.batches, schedule, 0),
            Vec::new(),
        )?;
        checkpoint::load(&path, stage.parameters(), None, self.device())?;
        Ok(stage)
    }
}

/// The folder of a run when none is named: one for each data set.
pub fn default_folder(config: &PublishedConfig) -> PathBuf {
    Path::new("runs").join(format!("{}-{}", config.name, config.data_set))
}
