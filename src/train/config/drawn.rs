//! Which problems are drawn: the shares of the families, and the lessons that come first.

use serde::{Deserialize, Serialize};

use super::super::error::TrainError;
use super::check_share;
use crate::problems::{self, Family};

/// What the generator's problems are limited to before a step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// The lesson's end: the first step that is past it.
    pub until: usize,
    pub max_steps: u32,
    /// Fewest steps of the stories, where they are others than elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_steps: Option<u32>,
    pub max_people: u32,
    /// Largest number of the stories, where it is smaller than elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_value: Option<u32>,
    /// Shares of the families, where they are others than elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// Share of problems that people wrote, where it is another than elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_share: Option<f64>,
}

impl Lesson {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        if let Some(mixture) = &self.mixture {
            mixture.check()?;
        }
        if let Some(least) = self.min_steps.filter(|&least| least > self.max_steps) {
            return Err(TrainError::Setting {
                field: "curriculum.min_steps",
                message: format!("{least} is more than max_steps, {}", self.max_steps),
            });
        }
        check_share(
            "curriculum.written_share",
            self.written_share.unwrap_or(0.0),
        )
    }

    /// The settings with the lesson's limits: where these are under the smallest number, it is theirs too.
    pub fn limit(&self, settings: problems::Settings) -> problems::Settings {
        let max_steps = settings.max_steps.min(self.max_steps);
        let max_people = settings.max_people.min(self.max_people);
        problems::Settings {
            max_steps,
            min_steps: self.min_steps.unwrap_or(settings.min_steps).min(max_steps),
            max_people,
            min_people: settings.min_people.min(max_people),
            max_value: settings.max_value.min(self.max_value.unwrap_or(u32::MAX)),
        }
    }
}

/// Shares of the families; they need not add up to one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixture {
    pub arithmetic: f64,
    pub coin: f64,
    #[serde(default)]
    pub everyday: f64,
    /// Part of the arithmetic problems that are drawn among those in which somebody borrows.
    #[serde(default)]
    pub borrowing: f64,
}

impl Mixture {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let wrong = |field, message: String| Err(TrainError::Setting { field, message });
        let shares = Family::ALL.map(|family| self.share(family));
        if shares.iter().any(|share| !(0.0..=1e6).contains(share))
            || shares.iter().sum::<f64>() == 0.0
        {
            return wrong(
                "mixture",
                format!("shares {shares:?} must not be negative nor all zero"),
            );
        }
        check_share("mixture.borrowing", self.borrowing)
    }

    /// A family's share.
    pub fn share(&self, family: Family) -> f64 {
        match family {
            Family::Arithmetic => self.arithmetic,
            Family::Coin => self.coin,
            Family::Everyday => self.everyday,
        }
    }

    /// The families that are trained on.
    pub fn families(&self) -> Vec<Family> {
        let all = Family::ALL.into_iter();
        all.filter(|&it| self.share(it) > 0.0).collect()
    }

    /// How many of so many problems are of each family.
    pub fn counts(&self, count: usize) -> [(Family, usize); 3] {
        let part = |share: f64, of: f64, count: usize| match of > 0.0 {
            true => (count as f64 * share / of).round() as usize,
            false => 0,
        };
        let others = self.arithmetic + self.coin;
        let everyday = part(self.everyday, others + self.everyday, count);
        let arithmetic = part(self.arithmetic, others, count - everyday);
        let coin = count - everyday - arithmetic;
        [
            (Family::Arithmetic, arithmetic),
            (Family::Coin, coin),
            (Family::Everyday, everyday),
        ]
    }
}
