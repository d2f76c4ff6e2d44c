//! From a generator's file to the weights that training goes on from: the way back from [`super::export`], whose three
//! differences between training and files it undoes.

use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, TensorData};

use super::config::Config;
use super::error::TrainError;
use super::kernels::Kernels;
use super::linear::Linear;
use super::llama::{Layer, Llama};
use super::source::Generator;
use super::vocabulary::Vocabulary;
use crate::formats::source::FileSource;
use crate::model::step::WeightId;
use crate::model::{GateUp, Model, QueryKeyValue, read_weights};

/// Bytes of a weight that are read at once.
const CHUNK_BYTES: usize = 4 << 20;

/// The generator of a file that [`export`](super::export::export) wrote, whatever type its weights have there.
pub fn generator(
    path: &Path,
    config: &Config,
    vocabulary: &Vocabulary,
    kernels: Kernels,
    device: &Device,
) -> Result<Generator, TrainError> {
    let file = File::read(path)?;
    file.check(config, vocabulary)?;
    let sizes = config.generator.sizes;
    let mut model = Llama::zeros(sizes, vocabulary.size, kernels, device);
    let scale = model.embedding_scale();
    let weights = &file.model.weights;
    let rows = |id| file.rows(id).tensor(device);
    let vector = |id| rows(id).reshape([1, -1]);

    let embedding = weights.embedding.expect("generators have a table");
    model.embedding = rows(embedding).div_scalar(scale);
    let thought = (model.embedding.clone()).narrow(0, vocabulary.thought as usize, 1);
    for (layer, found) in model.decoder.layers.iter_mut().zip(&weights.layers) {
        let [query, key_value] = file.query_key_value(found.query_key_value, sizes.head_dim());
        *layer = Layer {
            attention_norm: vector(found.attention_norm),
            query: query.tensor(device).transpose(),
            key_value: key_value.tensor(device).transpose(),
            output: rows(found.attention_output.weight).transpose(),
            ffn_norm: vector(found.feed_forward_norm),
            gate_up: file.gate_up(found.gate_up).tensor(device).transpose(),
            down: rows(found.down).transpose(),
            bias: None,
            lora: None,
        };
    }
    model.decoder.norm = vector(weights.output_norm);
    let projection = weights.projection.expect("generators have a projection");
    let projection = Linear {
        weight: rows(projection.weight).transpose(),
        bias: vector(projection.bias),
    };
    let settings = &config.generator;
    Ok(Generator {
        model,
        thought,
        alignment_projection: settings.alignment_projection.of(&projection),
        projection,
        implicit_from: settings.implicit_from,
        passes: settings.passes,
    })
}

/// A model's file, read.
struct File<'a> {
    path: &'a Path,
    model: Model,
    /// Of every weight, row after row.
    values: Vec<Vec<f32>>,
}

impl<'a> File<'a> {
    fn read(path: &'a Path) -> Result<Self, TrainError> {
        let wrong = |message: String| TrainError::Checkpoint {
            path: path.to_owned(),
            message,
        };
        let source = FileSource::open(path).map_err(|error| wrong(error.to_string()))?;
        let read = async {
            let model = Model::open(&source).await?;
            let list = &model.weights.list;
            let mut values: Vec<Vec<f32>> = (list.iter())
                .map(|weight| vec![0.0; weight.rows * weight.cols])
                .collect();
            read_weights(&source, &model, CHUNK_BYTES, |chunk| {
                let weight = model.weights.get(chunk.weight);
                let found = weight.weight_type.dequantize(&chunk.raw);
                let first = chunk.first_row * weight.cols;
                values[chunk.weight.0][first..first + found.len()].copy_from_slice(&found);
            })
            .await?;
            Ok((model, values))
        };
        let (model, values) = pollster::block_on(read)
            .map_err(|error: crate::model::ModelError| wrong(error.to_string()))?;
        Ok(Self {
            path,
            model,
            values,
        })
    }

    /// That it is a generator of the configuration's sizes, with the run's tokenizer.
    fn check(&self, config: &Config, vocabulary: &Vocabulary) -> Result<(), TrainError> {
        let wrong = |message: String| {
            Err(TrainError::Checkpoint {
                path: self.path.to_owned(),
                message,
            })
        };
        let Some(generator) = self.model.generator else {
            return wrong("is no generator: it has no projection into a target".into());
        };
        let (found, sizes) = (&self.model.config, &config.generator.sizes);
        let numbers = [
            ("hidden_size", found.hidden_size, sizes.hidden_size),
            ("num_layers", found.num_layers, sizes.num_layers),
            ("num_heads", found.num_heads, sizes.num_heads),
            ("num_kv_heads", found.num_kv_heads, sizes.num_kv_heads),
            ("head_dim", found.head_dim, sizes.head_dim()),
            (
                "intermediate_size",
                found.intermediate_size,
                sizes.intermediate_size,
            ),
            ("vocabulary", found.vocab_size, vocabulary.size),
            (
                "target's hidden_size",
                generator.target_hidden_size,
                config.target.sizes.hidden_size,
            ),
            (
                "id of <thought>",
                generator.thought_token_id as usize,
                vocabulary.thought as usize,
            ),
        ];
        for (name, found, expected) in numbers {
            if found != expected {
                return wrong(format!(
                    "its {name} is {found}, that of the run is {expected}"
                ));
            }
        }
        if found.rms_norm_eps != sizes.rms_eps || f64::from(found.rope_theta) != sizes.rope_theta {
            return wrong("its norms or its rotations have other constants than the run's".into());
        }
        let tokens = self.model.vocabulary();
        let tokens = tokens.map_err(|error| TrainError::Checkpoint {
            path: self.path.to_owned(),
            message: error.to_string(),
        })?;
        if tokens.tokens != vocabulary.tokenizer.to_vocabulary().tokens {
            return wrong("has another tokenizer than the run".into());
        }
        Ok(())
    }

    fn rows(&self, id: WeightId) -> Rows {
        let weight = self.model.weights.get(id);
        Rows {
            values: self.values[id.0].clone(),
            cols: weight.cols,
        }
    }

    /// The rows of queries, and those of keys and values together, heads in halves.
    fn query_key_value(&self, found: QueryKeyValue, head_dim: usize) -> [Rows; 2] {
        let config = &self.model.config;
        let (queries, keys) = (config.query_width(), config.kv_width());
        let [query, key, value] = match found {
            QueryKeyValue::Separate { query, key, value } => {
                [query, key, value].map(|map| self.rows(map.weight))
            }
            QueryKeyValue::Stacked(map) => {
                let all = self.rows(map.weight);
                let ends = queries + keys;
                [0..queries, queries..ends, ends..ends + keys].map(|rows| all.part(rows))
            }
        };
        let key_value = key.in_halves(head_dim).with(value);
        [query.in_halves(head_dim), key_value]
    }

    fn gate_up(&self, found: GateUp) -> Rows {
        match found {
            GateUp::Stacked(id) => self.rows(id),
            GateUp::Separate { gate, up } => self.rows(gate).with(self.rows(up)),
        }
    }
}

/// Rows of a matrix of a file, `[outputs, inputs]`.
struct Rows {
    values: Vec<f32>,
    cols: usize,
}

impl Rows {
    fn len(&self) -> usize {
        self.values.len() / self.cols
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        Self {
            values: self.values[rows.start * self.cols..rows.end * self.cols].to_vec(),
            cols: self.cols,
        }
    }

    fn with(mut self, others: Self) -> Self {
        self.values.extend(others.values);
        self
    }

    /// Within each head, neighbours become row i of the first half and row i of the second.
    fn in_halves(&self, head_dim: usize) -> Self {
        let half = head_dim / 2;
        let order = (0..self.len()).map(|row| {
            let (head, within) = (row / head_dim, row % head_dim);
            head * head_dim + 2 * (within % half) + within / half
        });
        let values = order.flat_map(|row| self.values[row * self.cols..][..self.cols].to_vec());
        Self {
            values: values.collect(),
            cols: self.cols,
        }
    }

    fn tensor(&self, device: &Device) -> Tensor<2> {
        let data = TensorData::new(self.values.clone(), [self.len(), self.cols]);
        Tensor::from_data(data, device)
    }
}
