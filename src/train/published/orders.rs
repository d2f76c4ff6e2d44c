//! The order of items in every epoch, and which of them the sentence transformer is chosen on: drawn from the seed, or those
//! of a run of the published code.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::error::TrainError;
use super::config::{DataSet, ItemSettings, PublishedConfig, SelectionItems};
use crate::problems::Random;

/// For every epoch the numbers of its items.
pub type Epochs = Vec<Vec<usize>>;

/// All that is drawn before training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    pub split: SentenceSplit,
    /// Positions in `split.train`.
    pub sentence_linear: Epochs,
    pub sentence_all: Epochs,
    /// Positions among the generator's training items.
    pub generator_linear: Epochs,
    pub generator_all: Epochs,
}

/// Numbers of the training items that train the sentence transformer, and of those that it is chosen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentenceSplit {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
}

impl SentenceSplit {
    /// The numbers of the items that the generator trains on.
    pub fn generator_items(&self, selection: SelectionItems) -> Vec<usize> {
        match selection {
            SelectionItems::Evaluation => (0..self.train.len() + self.validation.len()).collect(),
            SelectionItems::HeldOut => self.train.clone(),
        }
    }
}

/// The numbers below `count` in an order of their own.
fn shuffled(count: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last as u32 + 1) as usize);
    }
    order
}

impl Orders {
    /// Of so many training items: those that the configuration names, or drawn from its seed.
    pub fn of(config: &PublishedConfig, items: usize) -> Result<Self, TrainError> {
        let data = config.data()?;
        match &config.replay {
            Some(replay) => Self::read(&replay.orders, config, data, items),
            None => Self::drawn(config.seed, &config.items, data, items),
        }
    }

    fn drawn(
        seed: u64,
        settings: &ItemSettings,
        data: &DataSet,
        items: usize,
    ) -> Result<Self, TrainError> {
        // Rounded down, as published: 0.8 times the items.
        let train = ((1.0 - settings.sentence_validation) * items as f64) as usize;
        if train == 0 || train == items {
            return Err(TrainError::Setting {
                field: "items.sentence_validation",
                message: format!(
                    "of {items} training items none is left to train on or to choose on"
                ),
            });
        }
        // Every list has draws of its own, so that one with other epochs leaves the others as they are.
        let random = |list: u64| Random::new(Random::new(seed).bits().wrapping_add(list));
        let epochs = |list, count, epochs| {
            let mut random = random(list);
            (0..epochs).map(|_| shuffled(count, &mut random)).collect()
        };
        let order = shuffled(items, &mut random(0));
        let (first, rest) = order.split_at(train);
        let split = SentenceSplit {
            train: first.to_vec(),
            validation: rest.to_vec(),
        };
        let generator_items = split.generator_items(settings.selection).len();
        let (sentence, generator) = (data.sentence_transformer, data.generator);
        Ok(Self {
            sentence_linear: epochs(1, train, sentence.linear.epochs),
            sentence_all: epochs(2, train, sentence.all.epochs),
            generator_linear: epochs(3, generator_items, generator.linear.epochs),
            generator_all: epochs(4, generator_items, generator.all.epochs),
            split,
        })
    }

    fn read(
        path: &Path,
        config: &PublishedConfig,
        data: &DataSet,
        items: usize,
    ) -> Result<Self, TrainError> {
        let wrong = |message: String| TrainError::Data {
            path: path.to_owned(),
            message,
        };
        let bytes = fs::read(path).map_err(TrainError::file(path))?;
        let orders: Self =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        let SentenceSplit { train, validation } = &orders.split;
        if !is_order(&[&train[..], &validation[..]].concat(), items)
            || train.is_empty()
            || validation.is_empty()
        {
            return Err(wrong(format!(
                "split must have each of the {items} training items once, some on either side"
            )));
        }
        let generator_items = orders.split.generator_items(config.items.selection).len();
        let (sentence, generator) = (data.sentence_transformer, data.generator);
        for (name, epochs, count, expected) in [
            (
                "sentence_linear",
                &orders.sentence_linear,
                train.len(),
                sentence.linear.epochs,
            ),
            (
                "sentence_all",
                &orders.sentence_all,
                train.len(),
                sentence.all.epochs,
            ),
            (
                "generator_linear",
                &orders.generator_linear,
                generator_items,
                generator.linear.epochs,
            ),
            (
                "generator_all",
                &orders.generator_all,
                generator_items,
                generator.all.epochs,
            ),
        ] {
            if epochs.len() != expected {
                let found = epochs.len();
                return Err(wrong(format!(
                    "{name} has {found} epochs, the configuration asks for {expected}"
                )));
            }
            if let Some(epoch) = epochs.iter().position(|order| !is_order(order, count)) {
                return Err(wrong(format!(
                    "epoch {} of {name} must have each number below {count} once",
                    epoch + 1
                )));
            }
        }
        Ok(orders)
    }
}

/// Whether a list has every number below `count` once.
fn is_order(list: &[usize], count: usize) -> bool {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().eq(0..count)
}
