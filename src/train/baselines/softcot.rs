//! SoftCoT: a frozen small model reads an instruction, the question and k unknown tokens; only the projection of its states
//! at these into the frozen target trains.

use burn::Tensor;
use burn::tensor::Device;

use super::settings::Instruction;
use crate::train::config::GeneratorSettings;
use crate::train::initialization::Normal;
use crate::train::kernels::Reach;
use crate::train::linear::Linear;
use crate::train::llama::{Llama, Named, Packing};
use crate::train::vocabulary::Vocabulary;

/// What the small model is asked, as published.
const INSTRUCTION: &str =
    "You are helping a large language model solve reasoning problems. Generate helpful thoughts.\n";

/// The small model and the way into the target's embedding space.
#[derive(Clone, Debug)]
pub struct SoftCot {
    pub small: Llama,
    /// Read before the question.
    pub instruction: Vec<u32>,
    /// Read between question and unknown tokens.
    pub after_question: Vec<u32>,
    /// The unknown token, or the end token where there is none.
    pub unknown: u32,
    pub projection: Linear,
}

impl SoftCot {
    /// The small model is a copy of the target: one that does not train must begin as a model that can read, and a run has
    /// no other (the configuration is checked for `start`).
    pub fn new(
        settings: &GeneratorSettings,
        vocabulary: &Vocabulary,
        target: &Llama,
        normal: &mut Normal,
        device: &Device,
    ) -> Self {
        let (instruction, after_question) = match settings.baseline.softcot.instruction {
            Instruction::None => (Vec::new(), Vec::new()),
            Instruction::Published => (vocabulary.text(INSTRUCTION), vocabulary.text("\n")),
        };
        let hidden = target.decoder.sizes.hidden_size;
        Self {
            small: target.clone(),
            instruction,
            after_question,
            unknown: vocabulary.end,
            projection: Linear::uniform([hidden, hidden], normal, device),
        }
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        self.projection.parameters("projection").into()
    }

    /// The projected states at the unknown tokens: `[questions · k, target hidden]`.
    pub fn vectors(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        let unknown = vec![self.unknown; k];
        let read = |question: &&[u32]| {
            [
                &self.instruction[..],
                question,
                &self.after_question,
                &unknown,
            ]
            .concat()
        };
        let sequences: Vec<Vec<u32>> = questions.iter().map(read).collect();
        let packing = Packing {
            lengths: sequences.iter().map(Vec::len).collect(),
            wanted: vec![k; questions.len()],
            before: Vec::new(),
        };
        let x = self.small.embed(&sequences.concat());
        let states = self.small.decoder.hidden(x, &packing, Reach::Causal);
        self.projection.apply(states)
    }
}
