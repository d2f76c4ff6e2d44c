//! The sentence transformer: upper layers of the target, their mean, a linear layer; trained on reasoning and its
//! condensed form, then frozen (METHOD, section 5).

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, TensorData, activation};
use serde_json::{Map, json};

use super::config::{Config, Directions, SentenceAttention, SentenceSettings};
use super::error::TrainError;
use super::examples::{Batches, Example, Purpose, Stream, validation_sets};
use super::gradients::{Loss, Part};
use super::initialization::Normal;
use super::kernels::{self, Kernels, Reach};
use super::linear::Linear;
use super::llama::{Decoder, Llama, Named, Packing, tensors};
use super::optimizer::Change;
use super::precision::Precision;
use super::target::{best_rows, count_right};
use super::trainer::{Stage, Validation};
use super::vocabulary::Vocabulary;

/// Layers, final norm, mean over rows, linear with bias.
#[derive(Clone, Debug)]
pub struct SentenceTransformer {
    pub decoder: Decoder,
    /// From the mean to the embedding.
    pub linear: Linear,
    reach: Reach,
}

impl SentenceTransformer {
    /// Copies the target's layers; the linear layer starts uniform in ±1/sqrt(hidden), as published.
    pub fn new(settings: &SentenceSettings, seed: u64, target: &Llama, device: &Device) -> Self {
        let mut decoder = target.decoder.clone();
        let last = settings.first_layer + settings.num_layers;
        decoder.layers = decoder.layers[settings.first_layer..last].to_vec();
        decoder.sizes.num_layers = settings.num_layers;
        for (_, tensor) in decoder.parameters() {
            *tensor = tensor.clone().detach();
        }
        let hidden = target.decoder.sizes.hidden_size;
        let mut normal = Normal::new(seed ^ Purpose::SentenceTransformer as u64);
        Self {
            decoder,
            linear: Linear::uniform([hidden, settings.embedding_size], &mut normal, device),
            reach: match settings.attention {
                SentenceAttention::Full => Reach::Full,
                SentenceAttention::Causal => Reach::Causal,
            },
        }
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.decoder.parameters();
        named.extend(self.linear.parameters("linear"));
        named
    }

    /// Embeddings `[sequences, embedding]` of packed hidden states `[rows, hidden]`.
    pub fn embed(&self, x: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        let hidden = self
            .decoder
            .hidden(x, &Packing::whole(lengths.to_vec()), self.reach);
        self.linear.apply(mean_rows(hidden, lengths))
    }
}

/// The mean row of every sequence: `[sequences, width]` of packed `[rows, width]`.
pub fn mean_rows(x: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
    let rows: usize = lengths.iter().sum();
    let mut mean = vec![0.0f32; lengths.len() * rows];
    let mut start = 0;
    for (i, &length) in lengths.iter().enumerate() {
        mean[i * rows + start..i * rows + start + length].fill(1.0 / length as f32);
        start += length;
    }
    let mean = TensorData::new(mean, [lengths.len(), rows]);
    let mean = Tensor::<2>::from_data(mean, &x.device()).cast(x.dtype());
    mean.matmul(x)
}

/// The target's hidden state that the sentence transformer reads: the residual stream before its first layer.
pub fn hidden_state(
    target: &Llama,
    first_layer: usize,
    texts: &[&[u32]],
) -> (Tensor<2>, Vec<usize>) {
    let ids: Vec<u32> = texts.iter().flat_map(|text| text.iter().copied()).collect();
    let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
    let x = target.embed(&ids);
    if first_layer == 0 {
        return (x, lengths);
    }
    let below = target.decoder.first_layers(first_layer);
    let x = below.residual(x, &Packing::whole(lengths.clone()), Reach::Causal);
    (x.detach(), lengths)
}

/// Rows scaled to length one, in f32.
pub fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    let x = Precision::F32.of(x);
    let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-8);
    x.div(length)
}

/// Training of the sentence transformer.
#[derive(Clone)]
pub struct SentenceStage<'a> {
    pub sentence: SentenceTransformer,
    pub settings: SentenceSettings,
    pub target: Llama,
    pub batches: Batches<'a>,
    pub validation: Arc<Vec<Example>>,
}

impl<'a> SentenceStage<'a> {
    pub fn new(
        config: &Config,
        vocabulary: &'a Vocabulary,
        target: Llama,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let sets = validation_sets(config, vocabulary)?.into_iter();
        let validation = sets.flat_map(|(_, examples)| examples).collect();
        Ok(Self {
            sentence: SentenceTransformer::new(
                &config.sentence_transformer,
                config.seed,
                &target,
                device,
            ),
            settings: config.sentence_transformer,
            target,
            batches: Batches::Generated {
                stream: Stream::new(config, Purpose::SentenceTransformer),
                vocabulary,
            },
            validation: Arc::new(validation),
        })
    }

    /// Cosines of every reasoning with every condensed reasoning, over the temperature.
    fn similarities(&self, examples: &[Example]) -> Tensor<2> {
        let embed = |texts: Vec<&[u32]>| {
            let (x, lengths) = hidden_state(&self.target, self.settings.first_layer, &texts);
            unit_rows(self.sentence.embed(x, &lengths))
        };
        let full = embed(
            examples
                .iter()
                .map(|example| example.reasoning.as_slice())
                .collect(),
        );
        let condensed = embed(
            examples
                .iter()
                .map(|example| example.condensed.as_slice())
                .collect(),
        );
        full.matmul(condensed.transpose())
            .div_scalar(self.settings.temperature)
    }

    fn kernels(&self) -> Kernels {
        self.sentence.decoder.kernels
    }
}

impl Stage for SentenceStage<'_> {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.sentence.parameters()
    }

    fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        tensors(self.target.parameters())
    }

    fn change(&self, parameter: &str, step: usize) -> Change {
        let trains = step >= self.settings.linear_steps || parameter.starts_with("linear.");
        if trains {
            Change::Step(1.0)
        } else {
            Change::Keep
        }
    }

    /// Every example is told from all others of the batch, so that there are no parts.
    fn parts(&self, _: usize, _: usize) -> usize {
        1
    }

    fn loss(&self, step: usize, _: Part) -> Result<Loss, TrainError> {
        let examples = self.batches.examples(step, self.settings.schedule.batch)?;
        let similarities = self.similarities(&examples);
        let count = examples.len();
        let own: Vec<u32> = (0..count as u32).collect();
        let loss = |similarities, share: f32| {
            kernels::cross_entropy(
                self.kernels(),
                similarities,
                &own,
                &vec![share / count as f32; count],
            )
        };
        let total = match self.settings.directions {
            Directions::Forward => loss(similarities, 1.0),
            Directions::Both => {
                loss(similarities.clone(), 0.5).add(loss(similarities.transpose(), 0.5))
            }
        };
        Ok(Loss {
            total,
            terms: Vec::new(),
        })
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let examples: &[Example] = &self.validation;
        let similarities = self.similarities(examples).inner();
        let own: Vec<u32> = (0..examples.len() as u32).collect();
        let log = activation::log_softmax(similarities.clone(), 1);
        let loss = log
            .clone()
            .mul(Tensor::eye(examples.len(), &log.device()))
            .sum()
            .into_scalar::<f32>();
        let loss = -f64::from(loss) / examples.len() as f64;
        let found = count_right(best_rows(similarities), &own, &vec![1; examples.len()]);
        let mut figures = Map::new();
        figures.insert("loss".into(), json!(loss));
        figures.insert(
            "pairs_found".into(),
            json!(found as f64 / examples.len() as f64),
        );
        Ok(Validation {
            score: -loss,
            figures,
        })
    }
}
