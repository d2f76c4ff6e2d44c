//! The stages of a run by name: what each reads, trains and leaves behind in the run's folder.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
#[cfg(any(feature = "train-wgpu", feature = "train-cuda"))]
use burn::tensor::DeviceType;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::baseline_stage::{BaselineStage, baseline_of};
use super::checkpoint;
use super::config::Config;
use super::error::TrainError;
use super::examples::{Purpose, Stream};
use super::generator::GeneratorStage;
use super::kernels::Kernels;
use super::llama::Llama;
use super::research::check_earlier_folder;
use super::score::{Answers, Score, most_tokens, score};
use super::sentence_transformer::{SentenceStage, SentenceTransformer};
use super::target::{TargetStage, untrained_target};
use super::trainer::{Begin, Stage, StageFiles, Training, train};
use super::vocabulary::Vocabulary;
use crate::problems::Problem;
use crate::reasoning::Mode;

/// Folder names of the stages.
pub const TARGET: &str = "target";
/// See [`TARGET`].
pub const SENTENCE_TRANSFORMER: &str = "sentence-transformer";
/// See [`TARGET`].
pub const GENERATOR: &str = "generator";

/// The configuration of a run, copied into its folder.
pub const CONFIG_FILE: &str = "config.toml";

/// The tokenizer of a run.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// What the tensors live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// burn's CPU backend, with the fused kernels.
    Flex,
    /// burn's wgpu backend.
    #[cfg(feature = "train-wgpu")]
    Wgpu,
    /// burn's CUDA backend.
    #[cfg(feature = "train-cuda")]
    Cuda,
}

impl Backend {
    /// Where tensors are made and computed.
    pub fn device(self) -> Device {
        match self {
            Backend::Flex => Device::flex(),
            #[cfg(feature = "train-wgpu")]
            Backend::Wgpu => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            #[cfg(feature = "train-cuda")]
            Backend::Cuda => Device::cuda(0),
        }
        .autodiff()
    }

    /// The devices that share each step's batch, the first [`Backend::device`] where there is one.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn devices(self, count: NonZeroUsize) -> Result<Vec<Device>, TrainError> {
        let count = count.get();
        let found = self.all_devices();
        if found.len() < count {
            return Err(TrainError::Devices {
                backend: self.name(),
                found: found.len(),
                wanted: count,
            });
        }
        Ok(match count {
            1 => vec![self.device()],
            _ => found
                .into_iter()
                .take(count)
                .map(Device::autodiff)
                .collect(),
        })
    }

    fn all_devices(self) -> Vec<Device> {
        match self {
            Backend::Flex => vec![Device::flex()],
            #[cfg(feature = "train-wgpu")]
            Backend::Wgpu => Device::enumerate(DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "train-cuda")]
            Backend::Cuda => Device::enumerate(DeviceType::Cuda).into_vec(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Backend::Flex => "flex",
            #[cfg(feature = "train-wgpu")]
            Backend::Wgpu => "wgpu",
            #[cfg(feature = "train-cuda")]
            Backend::Cuda => "cuda",
        }
    }

    /// A thread for every processor where the CPU computes, one that feeds the GPU elsewhere.
    pub fn default_threads(self) -> usize {
        match self {
            Backend::Flex => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            #[cfg(any(feature = "train-wgpu", feature = "train-cuda"))]
            _ => 1,
        }
    }

    /// The kernels that training uses there.
    pub(super) fn kernels(self) -> Kernels {
        match self {
            Backend::Flex => Kernels::Fused,
            #[cfg(any(feature = "train-wgpu", feature = "train-cuda"))]
            _ => Kernels::Composed,
        }
    }
}

/// Puts a configuration, with all that its files say together, into a run's folder.
pub fn keep_configuration(config: &impl Serialize, folder: &Path) -> Result<(), TrainError> {
    let path = folder.join(CONFIG_FILE);
    let text = toml::to_string(config).map_err(|error| TrainError::Configuration {
        path: path.clone(),
        message: error.to_string(),
    })?;
    checkpoint::write_whole(&path, text.as_bytes())
}

/// One run: its configuration, its folder and where it computes.
pub struct Run {
    pub config: Config,
    pub folder: PathBuf,
    pub begin: Begin,
    /// Threads that training cuts a step's batch among, for each device; their number decides the order in which numbers are
    /// added.
    pub threads: usize,
    backend: Backend,
    /// Never empty; everything is on the first, the others share the batches.
    devices: Vec<Device>,
}

impl Run {
    pub fn new(config: Config, folder: PathBuf, begin: Begin, backend: Backend) -> Self {
        Self {
            config,
            folder,
            begin,
            threads: 1,
            backend,
            devices: vec![backend.device()],
        }
    }

    /// Shares each step's batch out among so many devices of the backend.
    ///
    /// # Errors
    /// As [`Backend::devices`].
    pub fn share_among(&mut self, devices: NonZeroUsize) -> Result<(), TrainError> {
        self.devices = self.backend.devices(devices)?;
        Ok(())
    }

    fn device(&self) -> &Device {
        &self.devices[0]
    }

    /// See [`Backend::default_threads`].
    pub fn default_threads(&self) -> usize {
        self.backend.default_threads()
    }

    /// Whether the weights of a stage are there without the checkpoint of a training: taken from elsewhere, to be used as
    /// they are.
    pub(super) fn is_given(&self, stage: &str) -> bool {
        let files = self.files(stage);
        files.best().exists() && !files.checkpoint().exists()
    }

    /// Where the best checkpoint of each stage was taken.
    pub fn best_positions(&self) -> Result<Map<String, Value>, TrainError> {
        let mut positions = Map::new();
        for stage in [TARGET, SENTENCE_TRANSFORMER, GENERATOR] {
            let path = self.files(stage).best();
            if path.exists() {
                let (score, step) = checkpoint::position(&path)?.best.unwrap_or_default();
                positions.insert(
                    stage.into(),
                    json!({ "step": step, "validation_score": score }),
                );
            }
        }
        Ok(positions)
    }

    /// Puts the configuration, with all that the files say together, into the run's folder.
    pub fn keep_configuration(&self) -> Result<(), TrainError> {
        keep_configuration(&self.config, &self.folder)
    }

    /// Folder of the stages before the generator.
    fn earlier_folder(&self) -> &Path {
        self.config.earlier.as_deref().unwrap_or(&self.folder)
    }

    fn tokenizer_path(&self) -> PathBuf {
        self.earlier_folder().join(TOKENIZER_FILE)
    }

    fn files(&self, stage: &str) -> StageFiles {
        match stage {
            GENERATOR => StageFiles::new(&self.folder, stage),
            _ => StageFiles::new(self.earlier_folder(), stage),
        }
    }

    /// Trains the tokenizer; gives the size of its vocabulary.
    pub fn train_tokenizer(&self) -> Result<usize, TrainError> {
        let path = self.tokenizer_path();
        if self.begin == Begin::Anew && path.exists() {
            return Err(TrainError::Started { path });
        }
        fs::create_dir_all(&self.folder).map_err(TrainError::file(&self.folder))?;
        let settings = self.config.tokenizer;
        let stream = Stream::new(&self.config, Purpose::Tokenizer);
        let texts = stream.tokenizer_texts(settings.problems)?;
        Vocabulary::train(texts, settings.vocab_size, &path)?;
        Ok(self.vocabulary()?.size)
    }

    /// The trained tokenizer.
    pub fn vocabulary(&self) -> Result<Vocabulary, TrainError> {
        let path = self.tokenizer_path();
        if !path.exists() {
            return Err(TrainError::EarlierStage {
                path,
                stage: "tokenizer",
            });
        }
        Vocabulary::read(&path)
    }

    /// Trains the target.
    pub fn train_target(&self) -> Result<(), TrainError> {
        let vocabulary = self.vocabulary()?;
        let mut stage = TargetStage::new(
            &self.config,
            &vocabulary,
            self.backend.kernels(),
            self.device(),
        )?;
        let files = self.files(TARGET);
        train(
            &mut stage,
            &self.training("target", &self.config.target.schedule, &files),
        )?;
        Ok(())
    }

    /// Trains the sentence transformer.
    pub fn train_sentence_transformer(&self) -> Result<(), TrainError> {
        let vocabulary = self.vocabulary()?;
        let target = self.target(&vocabulary)?;
        let mut stage = SentenceStage::new(&self.config, &vocabulary, target, self.device())?;
        let files = self.files(SENTENCE_TRANSFORMER);
        let schedule = self.config.sentence_transformer.schedule;
        train(
            &mut stage,
            &self.training("sentence transformer", &schedule, &files),
        )?;
        Ok(())
    }

    /// Trains the generator, or the method in its place that the configuration names.
    pub fn train_generator(&self) -> Result<(), TrainError> {
        check_earlier_folder(&self.config)?;
        let vocabulary = self.vocabulary()?;
        let target = self.target(&vocabulary)?;
        let generator = &self.config.generator;
        let files = self.files(GENERATOR);
        let training = self.training("generator", &generator.schedule, &files);
        if let Some(baseline) = baseline_of(&self.config, &vocabulary, &target, self.device()) {
            let mut stage = BaselineStage::new(&self.config, &vocabulary, baseline)?;
            train(&mut stage, &training)?;
            return Ok(());
        }
        let sentence = match self.config.needs_sentence_transformer() {
            true => Some(self.sentence_transformer(&target)?),
            false => None,
        };
        let mut stage =
            GeneratorStage::new(&self.config, &vocabulary, target, sentence, self.device())?;
        train(&mut stage, &training)?;
        Ok(())
    }

    fn training<'a>(
        &'a self,
        name: &'static str,
        schedule: &'a super::config::Schedule,
        files: &'a StageFiles,
    ) -> Training<'a> {
        let validate_every = self.config.validation.every;
        Training {
            name,
            schedule,
            validate_every,
            threads: self.threads,
            files,
            begin: self.begin,
            to_beat: None,
            epoch_figures: None,
            devices: &self.devices,
        }
    }

    fn best_of(&self, stage: &'static str) -> Result<PathBuf, TrainError> {
        let path = self.files(stage).best();
        if path.exists() {
            Ok(path)
        } else {
            Err(TrainError::EarlierStage { path, stage })
        }
    }

    /// The trained target.
    pub fn target(&self, vocabulary: &Vocabulary) -> Result<Llama, TrainError> {
        let path = self.best_of(TARGET)?;
        let mut target = untrained_target(
            &self.config,
            vocabulary,
            self.backend.kernels(),
            self.device(),
        );
        checkpoint::load(&path, target.parameters(), None, self.device())?;
        Ok(target)
    }

    /// The trained sentence transformer of a target.
    pub fn sentence_transformer(&self, target: &Llama) -> Result<SentenceTransformer, TrainError> {
        let path = self.best_of(SENTENCE_TRANSFORMER)?;
        let mut sentence = SentenceTransformer::new(
            &self.config.sentence_transformer,
            self.config.seed,
            target,
            self.device(),
        );
        checkpoint::load(&path, sentence.parameters(), None, self.device())?;
        Ok(sentence)
    }

    /// The trained generator stage (for `Method::Semcot` its generator).
    pub fn generator<'a>(
        &self,
        vocabulary: &'a Vocabulary,
    ) -> Result<GeneratorStage<'a>, TrainError> {
        let path = self.best_of(GENERATOR)?;
        let target = self.target(vocabulary)?;
        let mut stage = GeneratorStage::new(&self.config, vocabulary, target, None, self.device())?;
        checkpoint::load(&path, stage.parameters(), None, self.device())?;
        Ok(stage)
    }
}

impl Run {
    /// How good the run's generator, or the method in its place, is on these problems: on the training backend, the only one
    /// that knows the baselines and controls. Gives also the mode of its answers.
    pub fn score(&self, problems: &[Problem]) -> Result<(Mode, Score), TrainError> {
        let vocabulary = self.vocabulary()?;
        let most = most_tokens(&self.config, &vocabulary)?;
        let target = self.target(&vocabulary)?;
        let scored = |answers: &dyn Answers| {
            let score = score(answers, &vocabulary, problems, most);
            (answers.mode(), score)
        };
        let Some(baseline) = baseline_of(&self.config, &vocabulary, &target, self.device()) else {
            return Ok(scored(&self.generator(&vocabulary)?));
        };
        let path = self.best_of(GENERATOR)?;
        let mut stage = BaselineStage::new(&self.config, &vocabulary, baseline)?;
        checkpoint::load(&path, stage.parameters(), None, self.device())?;
        Ok(scored(&stage))
    }
}

/// The folder of a run when none is named.
pub fn default_folder(config: &Config) -> PathBuf {
    Path::new("runs").join(&config.name)
}
