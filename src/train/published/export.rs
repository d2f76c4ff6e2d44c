//! From a published run to a model folder: first the trained parts as the method's authors save them, then those and the
//! target converted as any published checkpoint is.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::Tensor;
use safetensors::tensor::{Dtype, TensorView};

use super::super::checkpoint::write_whole;
use super::super::config::SentenceAttention;
use super::super::error::TrainError;
use super::super::linear::Linear;
use super::super::llama::{Llama, LlamaSizes, Named};
use super::super::pretrained::stored_tensors;
use super::super::sentence_transformer::SentenceTransformer;
use super::super::source::{Generator, Source};
use super::run::PublishedRun;
use crate::convert::{ConvertOptions, Converted, GeneratorOptions, Role, SentenceOptions, convert};
use crate::formats::manifest::Manifest;
use crate::reasoning::pairing::{self, PairingOptions};
use crate::weights::WeightType;

/// Folder of the run in which the trained parts lie as the authors save them.
const CHECKPOINT: &str = "published";
/// License of the models that a pair is made of; who trains one knows it.
const LICENSE: &str = "as the models' authors say";

/// A tensor as a file has it.
type Stored = (String, Vec<usize>, Vec<f32>);

impl PublishedRun {
    /// Writes the model folder of the run, its matrices as `weight_type`. Beside it the run's folder has `published/` then,
    /// the trained parts under their published names.
    pub fn export(&self, out: &Path, weight_type: WeightType) -> Result<Manifest, TrainError> {
        let stage = self.trained()?;
        let Source::Generator(generator) = &stage.source else {
            unreachable!("a published run trains a generator");
        };
        let folder = self.folder.join(CHECKPOINT).join(pairing::GENERATOR);
        write(&folder, self.generator_tensors(generator)?)?;
        let tokenizer = self.tokenizers()?.generator_json()?;
        write_whole(&folder.join("tokenizer.json"), tokenizer.as_bytes())?;
        let choices = &self.config.generator;
        let role = Role::Generator(GeneratorOptions {
            implicit_tokens: choices.eval_implicit_tokens as u32,
            implicit_from: choices.implicit_from,
        });
        let converted = |name: &str, source: &Path, base: Option<PathBuf>, role| {
            let options = ConvertOptions {
                weight_type,
                shard_bytes: None,
                stem: name.to_owned(),
                base,
                tokenizer: None,
                role,
            };
            let converted = convert(source, out, &options);
            let converted: Converted = converted.map_err(|error| not_exported(source, error))?;
            if let Some(reason) = converted.without_tokenizer {
                return Err(not_exported(source, reason));
            }
            (pairing::remove_replaced(out, name, &converted.files))
                .map_err(|error| not_exported(out, error))
        };
        converted(pairing::TARGET, &self.target_folder()?, None, Role::Model)?;
        converted(
            pairing::GENERATOR,
            &folder,
            Some(self.generator_folder()?),
            role,
        )?;
        if self.config.needs_sentence_transformer()? {
            self.write_sentence_transformer(&stage.target, |source, role| {
                let base = Some(self.target_folder()?);
                converted(pairing::SENTENCE_TRANSFORMER, source, base, role)
            })?;
        }
        let options = PairingOptions {
            prompts: self.config.prompts.prompts(),
            license: LICENSE.to_owned(),
            max_tokens: self.config.evaluation.max_tokens as u32,
        };
        pollster::block_on(pairing::write_manifest(out, &options))
            .map_err(|error| not_exported(out, error))
    }

    fn write_sentence_transformer(
        &self,
        target: &Llama,
        converted: impl Fn(&Path, Role) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let choices = &self.config.sentence_transformer;
        if choices.attention != SentenceAttention::Full {
            return Err(TrainError::Setting {
                field: "sentence_transformer.attention",
                message: "only those that see all positions, as published, are exported".into(),
            });
        }
        let sentence = self.sentence_transformer(target)?;
        let folder = (self.folder.join(CHECKPOINT)).join(pairing::SENTENCE_TRANSFORMER);
        write(&folder, sentence_tensors(sentence))?;
        let first_layer = choices.first_layer as u32;
        converted(
            &folder,
            Role::SentenceTransformer(SentenceOptions { first_layer }),
        )
    }

    /// All of a generator, the row of `<thought>` in its place in the embedding table.
    fn generator_tensors(&self, generator: &Generator) -> Result<Vec<Stored>, TrainError> {
        let mut model = generator.model.clone();
        let [rows, _] = model.embedding.dims();
        let thought = self.tokenizers()?.thought as usize;
        let table = model.embedding.clone();
        let before = table.clone().narrow(0, 0, thought);
        let mut parts = vec![before, generator.thought.clone()];
        if thought + 1 < rows {
            parts.push(table.narrow(0, thought + 1, rows - thought - 1));
        }
        model.embedding = Tensor::cat(parts, 0);
        let sizes = model.decoder.sizes;
        let mut stored = named_tensors("model.", model.parameters(), &sizes);
        stored.extend(linear_layer("projection_layer", &generator.projection));
        Ok(stored)
    }
}

fn sentence_tensors(mut sentence: SentenceTransformer) -> Vec<Stored> {
    let sizes = sentence.decoder.sizes;
    let mut stored = named_tensors("", sentence.decoder.parameters(), &sizes);
    stored.extend(linear_layer("embedding_projection", &sentence.linear));
    stored
}

fn named_tensors(prefix: &str, parameters: Vec<Named<'_>>, sizes: &LlamaSizes) -> Vec<Stored> {
    let of_parameter = |(parameter, tensor): Named<'_>| stored_tensors(&parameter, tensor, sizes);
    let stored = parameters.into_iter().flat_map(of_parameter);
    stored
        .map(|(name, shape, values)| (format!("{prefix}{name}"), shape, values))
        .collect()
}

fn linear_layer(name: &str, layer: &Linear) -> [Stored; 2] {
    let [inputs, outputs] = layer.weight.dims();
    let values = |tensor: Tensor<2>| {
        (tensor.inner().try_into_vec_as::<f32>()).expect("tensors in training are f32")
    };
    [
        (
            format!("{name}.weight"),
            vec![outputs, inputs],
            values(layer.weight.clone().transpose()),
        ),
        (
            format!("{name}.bias"),
            vec![outputs],
            values(layer.bias.clone()),
        ),
    ]
}

/// Writes a folder's one file of tensors.
fn write(folder: &Path, stored: Vec<Stored>) -> Result<(), TrainError> {
    fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
    let path = folder.join("model.safetensors");
    let views = stored.iter().map(|(name, shape, values)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values))
            .expect("bytes are of the shape's size");
        (name.clone(), view)
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata));
    let bytes = bytes.map_err(|error| not_exported(&path, error))?;
    write_whole(&path, &bytes)
}

fn not_exported(path: &Path, error: impl ToString) -> TrainError {
    TrainError::Export {
        path: path.to_owned(),
        message: error.to_string(),
    }
}
