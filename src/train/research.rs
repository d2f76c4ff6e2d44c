//! Many methods on the same problems with the same budget: a list of configurations, trained and measured one after the
//! other with each of some seeds. What is there already is gone on from, so that an interrupted list can be run again.
//!
//! Every run is a folder `NAME-seedN`, with the scores of every family as `FAMILY.json`; the stages that all methods share
//! are in `earlier-seedN`. Of these, weights without a checkpoint are taken as they are.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::Config;
use super::error::TrainError;
use super::score::ScoreFile;
use super::stages::{Backend, CONFIG_FILE, Run, SENTENCE_TRANSFORMER, TARGET, TOKENIZER_FILE};
use super::trainer::Begin;
use crate::problems::{Family, Problem, Settings, Split, generate};

/// Name of the runs of the stages before the generator.
const EARLIER: &str = "earlier";
/// Seed of the held-out problems: the same for all, so that methods are compared on the same questions.
const QUESTIONS_SEED: u64 = 1;

/// What is to be done.
pub struct Research {
    pub configs: Vec<Config>,
    pub seeds: Vec<u64>,
    /// The folder for everything.
    pub runs: PathBuf,
    pub backend: Backend,
    /// By default as many as [`Run::default_threads`].
    pub threads: Option<usize>,
    /// Devices that share each step's batch.
    pub devices: NonZeroUsize,
    /// Held-out problems of each family.
    pub count: usize,
}

impl Research {
    /// Does it; tells `said` what is being done, and every score.
    pub fn run(&self, mut said: impl FnMut(&str)) -> Result<(), TrainError> {
        self.check()?;
        for &seed in &self.seeds {
            let earlier = self.run_earlier(seed, &mut said)?;
            for config in &self.configs {
                let mut config = config.clone();
                config.seed = seed;
                config.earlier = Some(earlier.clone());
                let run = self.begin(config)?;
                said(&format!("seed {seed}, {}: training", run.config.name));
                run.train_generator()?;
                self.score(&run, &mut said)?;
            }
        }
        Ok(())
    }

    /// What can be wrong with a list that is right file by file.
    fn check(&self) -> Result<(), TrainError> {
        let wrong = |message| {
            Err(TrainError::Setting {
                field: "name",
                message,
            })
        };
        for (i, config) in self.configs.iter().enumerate() {
            let name = &config.name;
            if name == EARLIER || self.configs[..i].iter().any(|other| other.name == *name) {
                return wrong(format!(
                    "\"{name}\" is taken: every configuration of a list needs a name of its own"
                ));
            }
            config.check_earlier(&self.configs[0], &self.configs[0].name)?;
        }
        Ok(())
    }

    /// A run of a configuration, in the folder of its name. What lies there must be of the same configuration.
    fn begin(&self, config: Config) -> Result<Run, TrainError> {
        let folder = (self.runs).join(format!("{}-seed{}", config.name, config.seed));
        let path = folder.join(CONFIG_FILE);
        let mut run = Run::new(config, folder, Begin::Resume, self.backend);
        run.threads = self.threads.unwrap_or_else(|| run.default_threads());
        run.share_among(self.devices)?;
        if path.exists() {
            let kept: Config = Config::read(&path)?;
            run.config
                .check_earlier(&kept, &path.display().to_string())?;
            if run.config.name != EARLIER && as_json(&kept) != as_json(&run.config) {
                let message = "is of another configuration than the one given: remove the folder, or name another";
                return Err(TrainError::Configuration {
                    path,
                    message: message.into(),
                });
            }
        } else {
            run.keep_configuration()?;
        }
        Ok(run)
    }

    /// Trains what all methods share; gives its folder.
    fn run_earlier(&self, seed: u64, said: &mut impl FnMut(&str)) -> Result<PathBuf, TrainError> {
        let mut config = self.configs[0].clone();
        config.seed = seed;
        config.name = EARLIER.into();
        let run = self.begin(config)?;
        if !run.folder.join(TOKENIZER_FILE).exists() {
            said(&format!("seed {seed}: tokenizer"));
            run.train_tokenizer()?;
        }
        if !run.is_given(TARGET) {
            said(&format!("seed {seed}: target"));
            run.train_target()?;
        }
        let is_needed = self.configs.iter().any(Config::needs_sentence_transformer);
        if is_needed && !run.is_given(SENTENCE_TRANSFORMER) {
            said(&format!("seed {seed}: sentence transformer"));
            run.train_sentence_transformer()?;
        }
        Ok(run.folder)
    }

    fn score(&self, run: &Run, said: &mut impl FnMut(&str)) -> Result<(), TrainError> {
        for family in run.config.mixture.families() {
            let path = run.folder.join(format!("{}.json", family.name()));
            if path.exists() {
                continue;
            }
            let problems = held_out(family, &run.config.problems, QUESTIONS_SEED, self.count)?;
            let scored = run.score(&problems)?;
            let file = ScoreFile::new(
                self.score_command(run, family, &path),
                &run.config,
                family,
                scored,
            );
            file.write(&path)?;
            let seed = run.config.seed;
            said(&format!(
                "seed {seed}, {}, {}: {}",
                run.config.name,
                family.name(),
                file.summary()
            ));
        }
        Ok(())
    }

    /// The command that measures the same again.
    fn score_command(&self, run: &Run, family: Family, path: &Path) -> Vec<String> {
        let shown = |path: &Path| path.display().to_string();
        let words = [
            "score",
            "--run",
            &shown(&run.folder),
            "--family",
            family.name(),
        ];
        let mut command: Vec<String> = words.map(str::to_owned).into();
        let (settings, default) = (run.config.problems, Settings::default());
        let steps = |it: Settings| match family {
            Family::Arithmetic | Family::Everyday => (it.min_steps, it.max_steps),
            Family::Coin => (it.min_people, it.max_people),
        };
        let ((min, max), usual) = (steps(settings), steps(default));
        let numbers = [
            ("--count", Some(self.count as u64)),
            ("--seed", Some(QUESTIONS_SEED)),
            (
                "--max-value",
                differs(settings.max_value, default.max_value),
            ),
            ("--min-steps", differs(min, usual.0)),
            ("--max-steps", differs(max, usual.1)),
        ];
        for (name, value) in numbers {
            command.extend(
                value
                    .into_iter()
                    .flat_map(|value| [name.to_owned(), value.to_string()]),
            );
        }
        command.extend(["--json".to_owned(), shown(path)]);
        command
    }
}

/// A value where it is not the usual one.
fn differs(value: u32, usual: u32) -> Option<u64> {
    (value != usual).then_some(u64::from(value))
}

/// The first held-out problems of a draw.
pub fn held_out(
    family: Family,
    settings: &Settings,
    seed: u64,
    count: usize,
) -> Result<Vec<Problem>, TrainError> {
    Ok(generate(family, Split::Heldout, seed, settings)?
        .take(count)
        .collect())
}

fn as_json(config: &Config) -> Value {
    serde_json::to_value(config).expect("plain data serializes")
}

impl Config {
    /// Says in which setting the stages before the generator differ from those of another configuration.
    pub fn check_earlier(&self, other: &Config, name: &str) -> Result<(), TrainError> {
        /// What the earlier stages do not depend on.
        const OWN: [&str; 7] = [
            "name",
            "description",
            "notes",
            "earlier",
            "generator",
            "generator_from",
            "curriculum",
        ];
        let fields = |config| match as_json(config) {
            Value::Object(fields) => fields,
            _ => unreachable!("a configuration is a table"),
        };
        let (own, others) = (fields(self), fields(other));
        let all = own.keys().chain(others.keys());
        let is_different = |field: &&String| {
            !OWN.contains(&field.as_str()) && own.get(*field) != others.get(*field)
        };
        match all.into_iter().find(is_different) {
            None => Ok(()),
            Some(field) => Err(TrainError::Setting {
                field: "earlier",
                message: format!(
                    "{} and {name} differ in `{field}`, so that they cannot have one target",
                    self.name
                ),
            }),
        }
    }
}

/// That the run of the earlier stages had the same settings.
pub fn check_earlier_folder(config: &Config) -> Result<(), TrainError> {
    let Some(earlier) = &config.earlier else {
        return Ok(());
    };
    let path = earlier.join(CONFIG_FILE);
    if !fs::exists(&path).map_err(TrainError::file(&path))? {
        return Err(TrainError::EarlierStage {
            path,
            stage: "target",
        });
    }
    config.check_earlier(&Config::read(&path)?, &earlier.display().to_string())
}
