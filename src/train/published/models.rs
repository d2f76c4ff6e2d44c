//! What a published run begins with: the folders of its two models, read, and the linear layers that are new.

use std::path::{Path, PathBuf};

use burn::Tensor;

use super::super::error::TrainError;
use super::super::hub;
use super::super::initialization::Normal;
use super::super::linear::Linear;
use super::super::llama::Llama;
use super::super::pretrained::{Layout, Weights, read_config, read_llama, read_without_head};
use super::super::sentence_transformer::SentenceTransformer;
use super::super::source::Generator;
use super::run::PublishedRun;
use super::settings;
use super::tokens::PairTokenizers;
use crate::convert;

impl PublishedRun {
    /// The target's folder.
    pub fn target_folder(&self) -> Result<PathBuf, TrainError> {
        model_folder("models.target", &self.config.models.target)
    }

    /// The folder that the generator begins from.
    pub fn generator_folder(&self) -> Result<PathBuf, TrainError> {
        model_folder("models.generator", &self.config.models.generator)
    }

    /// What the target's `config.json` says.
    pub(super) fn target_config(&self) -> Result<convert::Config, TrainError> {
        read_config(&self.target_folder()?)
    }

    /// The tokenizers of both models.
    pub fn tokenizers(&self) -> Result<PairTokenizers, TrainError> {
        PairTokenizers::read(
            &self.target_folder()?,
            &self.generator_folder()?,
            &self.config.tokens,
            self.config.prompts,
            self.target_config()?.bos_id,
        )
    }

    /// The target, which is never trained.
    pub fn target(&self) -> Result<Llama, TrainError> {
        let folder = self.target_folder()?;
        let target = read_llama(&folder, self.backend.kernels(), self.device())?;
        let choices = &self.config.sentence_transformer;
        let (last, have) = (
            choices.first_layer + choices.num_layers,
            target.decoder.sizes.num_layers,
        );
        if last > have {
            return Err(TrainError::Setting {
                field: "sentence_transformer",
                message: format!(
                    "layers {}..{last} are asked for, {} has {have}",
                    choices.first_layer,
                    folder.display()
                ),
            });
        }
        Ok(target)
    }

    fn start_weights(&self) -> Result<Option<Weights>, TrainError> {
        let replay = self.config.replay.as_ref();
        replay
            .map(|replay| Weights::read(&replay.start))
            .transpose()
    }

    /// The sentence transformer as it is copied from the target, with a new linear layer.
    pub(super) fn untrained_sentence_transformer(
        &self,
        target: &Llama,
    ) -> Result<SentenceTransformer, TrainError> {
        let schedule = settings::schedule(
            self.config.data()?.sentence_transformer.linear,
            0,
            self.config.batch,
            1,
        );
        let settings = settings::sentence(&self.config.sentence_transformer, schedule, 0);
        let mut sentence =
            SentenceTransformer::new(&settings, self.config.seed, target, self.device());
        if let Some(start) = self.start_weights()? {
            let layer = "embedding_projection";
            sentence.linear = self.start_linear(&start, layer, sentence.linear.weight.dims())?;
        }
        Ok(sentence)
    }

    /// A linear layer among the start values.
    fn start_linear(
        &self,
        start: &Weights,
        layer: &str,
        [inputs, outputs]: [usize; 2],
    ) -> Result<Linear, TrainError> {
        let part = |name: &str, layout, shape| {
            start.matrix_of(&format!("{layer}.{name}"), layout, shape, self.device())
        };
        Ok(Linear {
            weight: part("weight", Layout::Transposed, [inputs, outputs])?,
            bias: part("bias", Layout::Vector, [1, outputs])?,
        })
    }

    /// The generator before training: the small model without its head, `<thought>`, a new projection.
    pub(super) fn untrained_generator(&self, target: &Llama) -> Result<Generator, TrainError> {
        let folder = self.generator_folder()?;
        let model = read_without_head(&folder, self.backend.kernels(), self.device())?;
        let thought = thought_row(&model, self.tokenizers()?.thought, &folder)?;
        let inputs = model.decoder.sizes.hidden_size;
        let outputs = target.decoder.sizes.hidden_size;
        let projection = match self.start_weights()? {
            Some(start) => {
                let layer = "projection_layer";
                self.start_linear(&start, layer, [inputs, outputs])?
            }
            None => {
                let mut normal = Normal::new(!self.config.seed);
                Linear::uniform([inputs, outputs], &mut normal, self.device())
            }
        };
        Ok(Generator {
            model,
            thought,
            alignment_projection: self.config.generator.alignment_projection.of(&projection),
            projection,
            implicit_from: self.config.generator.implicit_from,
            passes: 1,
        })
    }
}

/// The folder of a model, which is not fetched for anybody.
fn model_folder(field: &'static str, folder: &str) -> Result<PathBuf, TrainError> {
    if let Some(fetched) = hub::model_folder(folder) {
        return fetched;
    }
    let path = PathBuf::from(folder);
    match path.is_dir() {
        true => Ok(path),
        false => Err(TrainError::Setting {
            field,
            message: format!(
                "there is no folder {folder}: put the model's config.json, tokenizer.json and safetensors files into it, or name it as hf:OWNER/NAME to have them fetched"
            ),
        }),
    }
}

/// The row of `<thought>`: the table's where it has one for that id, as tables that were rounded up do, else the mean of
/// all, as published.
fn thought_row(model: &Llama, thought: u32, folder: &Path) -> Result<Tensor<2>, TrainError> {
    let [rows, _] = model.embedding.dims();
    let id = thought as usize;
    match id.cmp(&rows) {
        std::cmp::Ordering::Less => Ok(model.embedding.clone().narrow(0, id, 1)),
        std::cmp::Ordering::Equal => Ok(model.embedding.clone().mean_dim(0)),
        std::cmp::Ordering::Greater => Err(TrainError::Setting {
            field: "models.generator",
            message: format!(
                "the tokenizer of {} has {id} tokens, but its embedding table has {rows} rows: the two do not belong together",
                folder.display()
            ),
        }),
    }
}
