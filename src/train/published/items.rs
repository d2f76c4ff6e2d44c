//! The authors' data files: questions with full reasoning, condensed reasoning and short answer (METHOD, section 3).

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::super::error::TrainError;
use super::config::Repeated;
use crate::problems::normalized;

/// A question as a file has it; nothing is stripped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PublishedItem {
    pub query: String,
    /// The full reasoning.
    pub reasoning: String,
    /// Items of an evaluation have none.
    #[serde(default)]
    pub condensed_reasoning: String,
    pub answer: String,
}

/// The first items of a file: a JSON list.
pub fn read(path: &Path, most: usize) -> Result<Vec<PublishedItem>, TrainError> {
    let wrong = |message: String| TrainError::Data {
        path: path.to_owned(),
        message,
    };
    let text = fs::read(path).map_err(TrainError::file(path))?;
    let mut items: Vec<PublishedItem> = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!(
            "{error}; a list of items with query, reasoning, condensed_reasoning and answer is read"
        ))
    })?;
    items.truncate(most);
    let empty = |item: &PublishedItem| {
        let needed = [&item.query, &item.reasoning, &item.answer];
        needed.iter().any(|text| text.trim().is_empty())
    };
    match items.iter().position(empty) {
        Some(at) => Err(wrong(format!(
            "item {} has an empty query, reasoning or answer",
            at + 1
        ))),
        None if items.is_empty() => Err(wrong("there are no items in it".into())),
        None => Ok(items),
    }
}

/// Training items, which all need condensed reasoning.
pub fn read_training(path: &Path, most: usize) -> Result<Vec<PublishedItem>, TrainError> {
    let items = read(path, most)?;
    let is_empty = |item: &PublishedItem| item.condensed_reasoning.trim().is_empty();
    match items.iter().position(is_empty) {
        Some(at) => Err(TrainError::Data {
            path: path.to_owned(),
            message: format!("item {} has no condensed_reasoning to train with", at + 1),
        }),
        None => Ok(items),
    }
}

/// Takes out of the training items those whose question, but for case and white space, an evaluation has too.
pub fn drop_repeated(
    training: &mut Vec<PublishedItem>,
    evaluation: &[PublishedItem],
    repeated: Repeated,
) {
    if repeated == Repeated::Dropped {
        let asked: HashSet<String> = (evaluation.iter())
            .map(|item| normalized(&item.query))
            .collect();
        training.retain(|item| !asked.contains(&normalized(&item.query)));
    }
}
