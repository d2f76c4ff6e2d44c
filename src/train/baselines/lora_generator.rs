//! The variation without a small generator: the target itself, with changes of low rank and a `<thought>` of its own, makes
//! the implicit tokens, and its states need no projection.

use burn::Tensor;
use burn::tensor::Device;

use super::adapted::{AdaptedTarget, Piece};
use super::settings::{AddedRows, BaselineSettings, Tuning};
use crate::formats::manifest::ImplicitFrom;
use crate::train::config::GeneratorSettings;
use crate::train::initialization::Normal;
use crate::train::kernels::Reach;
use crate::train::llama::{Llama, Named, Packing};

/// A copy of the target as generator.
#[derive(Clone, Debug)]
pub struct LoraGenerator {
    /// Its only added token is `<thought>`.
    pub model: AdaptedTarget,
    pub implicit_from: ImplicitFrom,
}

impl LoraGenerator {
    pub fn new(
        settings: &GeneratorSettings,
        target: &Llama,
        normal: &mut Normal,
        device: &Device,
    ) -> Self {
        let adapted = BaselineSettings {
            tuning: Tuning::Lora,
            added_rows: AddedRows::Last,
            ..settings.baseline
        };
        Self {
            model: AdaptedTarget::new(&adapted, target.clone(), 1, normal, device),
            implicit_from: settings.implicit_from,
        }
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        self.model.parameters()
    }

    /// The vectors for every question: `[questions · k, target hidden]`.
    pub fn vectors(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        let thoughts = vec![self.model.added_id(0); self.implicit_from.thoughts_read(k)];
        let sequences: Vec<Vec<Piece<'_>>> = (questions.iter())
            .map(|question| vec![Piece::Ids(question), Piece::Ids(&thoughts)])
            .collect();
        let (x, lengths) = self.model.pack(&sequences, None);
        let packing = Packing {
            lengths,
            wanted: vec![k; questions.len()],
            before: Vec::new(),
        };
        (self.model.model.decoder).hidden(x, &packing, Reach::Causal)
    }
}
