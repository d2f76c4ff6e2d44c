//! Models and data files of the Hugging Face hub: fetched by name into its usual cache (`HF_HOME`), where they are found
//! again without a network.
//!
//! `hf:OWNER/NAME` and `hf:OWNER/NAME@REVISION` are models, `hf:datasets/OWNER/NAME/FILE` (`NAME@REVISION` here too) are
//! files of data sets. What was fetched of a branch stays as it was then; a commit's hash as the revision says which.
//! `HF_ENDPOINT` names another server, `HF_TOKEN` or the file that `hf auth login` writes opens gated repositories.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde_json::Value;

use super::error::TrainError;

/// What a name of the hub begins with.
const SCHEME: &str = "hf:";
/// Between the scheme and a data set's name.
const DATA_SETS: &str = "datasets/";
/// Where a connection drops, the rest is asked for so many times.
const RETRIES: usize = 5;
/// The revision where none is named.
const MAIN: &str = "main";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A name of the hub, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    /// `OWNER/NAME`.
    repository: String,
    revision: String,
    /// Of a data set; none of a model.
    file: Option<String>,
}

impl Name {
    /// None for a path.
    fn of(text: &str) -> Option<Result<Self, TrainError>> {
        let name = text.strip_prefix(SCHEME)?;
        let data = name.strip_prefix(DATA_SETS);
        // A revision of a model may be a path (refs/pr/1); that of a data set ends before the file.
        let (id, revision, file) = match data {
            None => {
                let (id, revision) = name.split_once('@').unwrap_or((name, MAIN));
                (id.to_owned(), revision, None)
            }
            Some(name) => {
                let (owner, name) = name.split_once('/').unwrap_or((name, ""));
                let (name, file) = name.split_once('/').unwrap_or((name, ""));
                let (name, revision) = name.split_once('@').unwrap_or((name, MAIN));
                (format!("{owner}/{name}"), revision, Some(file))
            }
        };
        let is_word = |word: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !word.is_empty() && word.chars().all(allowed) && !word.contains("..")
        };
        let is_path = |path: &str| path.split('/').all(|part| !part.is_empty() && part != "..");
        let is_right = id.matches('/').count() == 1
            && id.split('/').all(is_word)
            && revision.split('/').all(is_word)
            && file.is_none_or(is_path);
        if !is_right {
            return Some(Err(TrainError::Hub {
                name: text.to_owned(),
                message: "is no name of the hub: hf:OWNER/NAME is a model, hf:datasets/OWNER/NAME/FILE a file of data, and \
                          NAME@REVISION one of their versions"
                    .into(),
            }));
        }
        Some(Ok(Self {
            repository: id,
            revision: revision.to_owned(),
            file: file.map(str::to_owned),
        }))
    }
}

/// The folder of a model on the hub, fetched where it is not there yet; none for a path.
pub fn model_folder(text: &str) -> Option<Result<PathBuf, TrainError>> {
    Some(Name::of(text)?.and_then(|name| {
        if name.file.is_some() {
            return Err(TrainError::Hub {
                name: text.to_owned(),
                message: "is a data file where a model is wanted: hf:OWNER/NAME".into(),
            });
        }
        let repository = Repository::open(text, &name)?;
        let config = repository.file(CONFIG)?;
        repository.file(TOKENIZER)?;
        // A single file that is there already needs no asking for an index.
        let is_split = !repository.has(WEIGHTS) && repository.file_if_any(INDEX)?.is_some();
        if is_split {
            let index = repository.file(INDEX)?;
            for file in files_of(&index)? {
                repository.file(&file)?;
            }
        } else {
            let missing = || {
                let hint = "has no such file (404), and safetensors alone are read: some repositories have them in a revision of \
                            their own, like hf:OWNER/NAME@refs/pr/1";
                repository.error(WEIGHTS, hint)
            };
            repository.file_if_any(WEIGHTS)?.ok_or_else(missing)?;
        }
        let folder = config.parent().unwrap_or(Path::new("."));
        Ok(folder.to_owned())
    }))
}

/// A file of a data set on the hub, fetched where it is not there yet; none for a path.
pub fn data_file(text: &str) -> Option<Result<PathBuf, TrainError>> {
    Some(Name::of(text)?.and_then(|name| match &name.file {
        Some(file) => Repository::open(text, &name)?.file(file),
        None => Err(TrainError::Hub {
            name: text.to_owned(),
            message: "is a model where a data file is wanted: hf:datasets/OWNER/NAME/FILE".into(),
        }),
    }))
}

/// The files that an index of weights names.
fn files_of(index: &Path) -> Result<BTreeSet<String>, TrainError> {
    let wrong = |message: String| TrainError::Data {
        path: index.to_owned(),
        message,
    };
    let text = fs::read_to_string(index).map_err(TrainError::file(index))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let map = json["weight_map"]
        .as_object()
        .ok_or_else(|| wrong("has no weight_map".into()))?;
    let name = |value: &Value| {
        (value.as_str())
            .filter(|name| !name.contains(['/', '\\']) && name.ends_with(".safetensors"))
            .map(str::to_owned)
            .ok_or_else(|| wrong(format!("names {value}, which is no file beside it")))
    };
    map.values().map(name).collect()
}

/// A repository of the hub and its part of the cache.
struct Repository<'a> {
    text: &'a str,
    endpoint: String,
    api: ApiRepo,
    cache: hf_hub::CacheRepo,
}

impl<'a> Repository<'a> {
    fn open(text: &'a str, name: &Name) -> Result<Self, TrainError> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint =
            variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let cache = Cache::from_env();
        let api: Api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_token(variable("HF_TOKEN").or_else(|| cache.token()))
            .with_retries(RETRIES)
            .build()
            .map_err(|error| TrainError::Hub {
                name: text.to_owned(),
                message: error.to_string(),
            })?;
        let kind = match name.file {
            Some(_) => RepoType::Dataset,
            None => RepoType::Model,
        };
        let repo = Repo::with_revision(name.repository.clone(), kind, name.revision.clone());
        Ok(Self {
            text,
            endpoint,
            api: api.repo(repo.clone()),
            cache: cache.repo(repo),
        })
    }

    fn has(&self, file: &str) -> bool {
        self.cache.get(file).is_some()
    }

    fn file(&self, file: &str) -> Result<PathBuf, TrainError> {
        let missing = || self.error(file, "has no such file (404)");
        self.file_if_any(file)?.ok_or_else(missing)
    }

    /// None where the hub says that there is no such file.
    fn file_if_any(&self, file: &str) -> Result<Option<PathBuf>, TrainError> {
        match self.api.get(file) {
            Ok(path) => Ok(Some(path)),
            Err(error) => match status(&error) {
                Some(404) => Ok(None),
                Some(401 | 403) => Err(self.error(
                    file,
                    "may not be read without leave: ask for it on the repository's page, then `hf auth login` or HF_TOKEN",
                )),
                Some(code) => Err(self.error(file, &format!("was answered with status {code}"))),
                None => Err(self.error(
                    file,
                    &format!(
                        "could not be fetched: {error}. Where there is no network, name a folder of your own in its place; what \
                         has come is kept, and running this again goes on from there"
                    ),
                )),
            },
        }
    }

    fn error(&self, file: &str, message: &str) -> TrainError {
        TrainError::Hub {
            name: self.text.to_owned(),
            message: format!("{file} at {}: {message}", self.endpoint),
        }
    }
}

/// The status that the hub answered with, where it answered.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(code) => Some(code),
            _ => None,
        },
        ApiError::TooManyRetries(error) => status(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_taken_apart_and_paths_left_alone() {
        let name = |text: &str| Name::of(text).map(|name| name.map_err(|error| error.to_string()));
        assert_eq!(name("models/mine"), None);
        let model = name("hf:owner/name-1.3B").expect("a name").expect("right");
        assert_eq!(
            (model.repository.as_str(), model.revision.as_str()),
            ("owner/name-1.3B", "main")
        );
        let model = name("hf:owner/name@refs/pr/1")
            .expect("a name")
            .expect("right");
        assert_eq!(model.revision, "refs/pr/1");
        let file = name("hf:datasets/o/n@v1/a/b.json")
            .expect("a name")
            .expect("right");
        assert_eq!(
            (
                file.repository.as_str(),
                file.revision.as_str(),
                file.file.as_deref()
            ),
            ("o/n", "v1", Some("a/b.json"))
        );
        for wrong in [
            "hf:",
            "hf:owner",
            "hf:owner/",
            "hf:owner/na me",
            "hf:../name",
            "hf:owner/name/file",
            "hf:owner/name@",
            "hf:owner/name@a?b",
            "hf:owner/name@../x",
            "hf:datasets/o/n",
            "hf:datasets/o/n/../x",
            "hf:datasets/o/n//x",
        ] {
            let message = name(wrong).expect("a name").expect_err(wrong);
            assert!(message.contains("hf:OWNER/NAME"), "{message}");
        }
    }
}
