//! Settings of the baselines: the table `[generator.baseline]` of a configuration. Where a published habit is not ours,
//! the setting says what is published (METHOD, sections 8 and 10).

use serde::{Deserialize, Serialize};

use crate::train::lora::LoraSettings;

/// What the baselines and controls that train a target have in common, and what each has of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineSettings {
    pub tuning: Tuning,
    pub lora: LoraSettings,
    pub added_rows: AddedRows,
    pub evaluation: Evaluation,
    pub optimizer_restarts: OptimizerRestarts,
    pub icot_si: IcotSiSettings,
    pub coconut: CoconutSettings,
    pub codi: CodiSettings,
    pub softcot: SoftCotSettings,
}

impl BaselineSettings {
    /// Whether a file need not say anything.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The setting that cannot be, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let LoraSettings {
            rank,
            alpha,
            dropout,
        } = self.lora;
        if rank == 0 || !(alpha.is_finite() && alpha > 0.0) {
            let message = format!("rank {rank} and alpha {alpha} must be above 0");
            return Some(("generator.baseline.lora", message));
        }
        if !(0.0..1.0).contains(&dropout) {
            let message = format!("{dropout} is not from 0 to below 1");
            return Some(("generator.baseline.lora.dropout", message));
        }
        if self.icot_si.removal_steps == 0 {
            let message = "must be at least 1".to_owned();
            return Some(("generator.baseline.icot_si.removal_steps", message));
        }
        if self.coconut.stages == 0 || self.coconut.thoughts_a_line == 0 {
            let message = "stages and thoughts_a_line must be at least 1".to_owned();
            return Some(("generator.baseline.coconut", message));
        }
        let weight = self.codi.distillation;
        (!(weight >= 0.0 && weight.is_finite())).then(|| {
            let message = format!("{weight} is no weight: a number from 0 on is");
            ("generator.baseline.codi.distillation", message)
        })
    }
}

/// What of the target trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tuning {
    /// Changes of low rank, as published.
    #[default]
    Lora,
    /// All of it.
    Whole,
}

/// Which of the tokens that are added to the vocabulary train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddedRows {
    #[default]
    All,
    /// The last, as published, so that those before stay what they began as.
    Last,
}

/// What a baseline is given when it is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluation {
    /// The question.
    #[default]
    Sound,
    /// As published: COCONUT's number of thoughts is that of the true reasoning, and CODI reads the true answer.
    Published,
}

/// When moments of the optimizer are forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerRestarts {
    #[default]
    Never,
    /// With every token that ICoT-SI removes and every stage of COCONUT. Published: so, and COCONUT also with every epoch.
    WithSchedule,
}

/// What a loss on written text covers while some of the reasoning is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossOn {
    /// What is left of the reasoning, and all behind it.
    #[default]
    RestAndAnswer,
    /// Only what is behind it, as published.
    Answer,
}

/// Settings of ICoT-SI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IcotSiSettings {
    /// Steps after which one more token is removed. Published: an eighth of the items, which is 25 steps for 800 in
    /// batches of 4.
    pub removal_steps: usize,
    /// Tokens after which all that is left goes at once. Published: none, so that of long reasoning a part always stays.
    pub most_tokens: usize,
    pub positions: Positions,
    pub loss_on: LossOn,
}

impl Default for IcotSiSettings {
    fn default() -> Self {
        Self {
            removal_steps: 25,
            most_tokens: 128,
            positions: Positions::default(),
            loss_on: LossOn::default(),
        }
    }
}

/// Where the tokens behind removed ones stand in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Where they stand in use, where nobody knows how much was removed.
    #[default]
    Closed,
    /// Where they stood before, as published.
    Kept,
}

/// Settings of COCONUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoconutSettings {
    /// Stages, the first without thoughts among them. Published: 3.
    pub stages: usize,
    /// Thoughts in place of a line. Published: 2.
    pub thoughts_a_line: usize,
    pub line_end: LineEnd,
    pub last_stage: LastStage,
    pub loss_on: LossOn,
    pub newest_thought: NewestThought,
}

impl Default for CoconutSettings {
    fn default() -> Self {
        Self {
            stages: 3,
            thoughts_a_line: 2,
            line_end: LineEnd::default(),
            last_stage: LastStage::default(),
            loss_on: LossOn::default(),
            newest_thought: NewestThought::default(),
        }
    }
}

/// What ends a line of the reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// A full stop: our problems' reasonings are one line of sentences.
    #[default]
    FullStop,
    /// A line feed, as published.
    LineFeed,
}

/// What the last stage leaves of the reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastStage {
    /// Nothing, as in use.
    #[default]
    Nothing,
    /// The lines behind those that it replaces, as published.
    FurtherLines,
}

/// Whether the newest thought is read while the next is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewestThought {
    #[default]
    Read,
    /// By no row, not even its own: the published mask is one short.
    Hidden,
}

/// Settings of CODI.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodiSettings {
    /// Weight of the distillation, as published.
    pub distillation: f32,
    pub last_thought: LastThought,
}

impl Default for CodiSettings {
    fn default() -> Self {
        Self {
            distillation: 20.0,
            last_thought: LastThought::default(),
        }
    }
}

/// Whether training reads the last thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastThought {
    /// As evaluation does.
    #[default]
    Read,
    /// It is made and not read, as published.
    Unread,
}

/// Settings of SoftCoT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftCotSettings {
    pub instruction: Instruction,
}

/// What stands before the question that the small model reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// Nothing: our small models have learnt from problems only and know no instructions.
    #[default]
    None,
    /// A sentence that asks for helpful thoughts, as published.
    Published,
}
