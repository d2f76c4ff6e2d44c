//! Llama-shaped models: what a file says about its model ([`Model`]), the forward pass as a list
//! of steps ([`forward`]), and one answer as data ([`run`]). Nothing here computes: `gpu` and
//! `reference` do.

mod config;
mod error;
mod generate;
mod kv_cache;
mod llama;
mod load;
mod request;
mod rope;
pub mod run;
mod sampling;
mod state;
pub mod step;
mod throughput;
mod vocabulary;
mod weights;

pub use config::{Architecture, LlamaConfig, RopePairing};
pub use error::{ModelError, ModelFault};
pub use generate::{EndedBy, GenerateOptions, Generated, generate};
pub use kv_cache::KvType;
pub use llama::{ForwardOptions, Head, forward};
pub use load::{Chunk, read_weights};
pub use request::{
    MOST_PASSES, RequestError, check_ids, check_pair, check_sentence_transformer, insert_given,
};
pub use rope::{rope_frequencies, rope_table};
pub use sampling::{REPETITION_WINDOW, Sampling};
pub use state::RunState;
pub use throughput::{Bandwidth, Throughput};
pub use vocabulary::{read_vocabulary, set_vocabulary};
pub use weights::{GateUp, HeadNorms, LayerWeights, LinearMap, QueryKeyValue, Weight, Weights};

use crate::formats::gguf::{Header, Metadata, read_header};
use crate::formats::manifest::ImplicitFrom;
use crate::formats::source::ByteSource;

/// A model as its file describes it, checked; the weights themselves stay in the file until
/// [`read_weights`].
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Name of the file, for messages.
    pub file: String,
    /// All metadata, the tokenizer's included.
    pub metadata: Metadata,
    /// Shape and constants.
    pub config: LlamaConfig,
    /// Which weights there are and where they lie.
    pub weights: Weights,
    /// What makes the model a generator of implicit tokens; absent in others.
    pub generator: Option<Generator>,
    /// What makes the model a sentence transformer; absent in others.
    pub sentence: Option<Sentence>,
}

/// Where a sentence transformer takes its input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The target's residual stream before this layer is its input.
    pub first_layer: usize,
}

/// How a generator is asked for implicit tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generator {
    /// The token that is written k times behind the question.
    pub thought_token_id: u32,
    /// Number of implicit tokens k that it was trained with.
    pub implicit_tokens: u32,
    /// Which of its rows become implicit tokens.
    pub implicit_from: ImplicitFrom,
    /// How often it goes over its `<thought>` positions.
    pub passes: u32,
    /// Width of an implicit token: the target's hidden size.
    pub target_hidden_size: usize,
}

impl Model {
    /// Number of weights, those of the norms and a generator's projection included.
    pub fn parameters(&self) -> u64 {
        let sizes = self.weights.list.iter().map(|it| it.rows * it.cols);
        sizes.sum::<usize>() as u64
    }

    /// Reads the header of a file and checks that it describes a model of ours.
    pub async fn open(source: &impl ByteSource) -> Result<Self, ModelError> {
        let file = source.name().to_owned();
        let header = read_header(source).await;
        let model = header
            .map_err(ModelFault::Gguf)
            .and_then(|header| Self::from_header(header, &file));
        model.map_err(|fault| ModelError { file, fault })
    }

    fn from_header(header: Header, file: &str) -> Result<Self, ModelFault> {
        let config = LlamaConfig::from_header(&header)?;
        let weights = Weights::from_header(&header, &config)?;
        let generator = match weights.projection {
            Some(projection) => {
                let rows = weights.get(projection.weight).rows;
                Some(Generator::from_metadata(&header.metadata, &config, rows)?)
            }
            None => None,
        };
        Ok(Self {
            file: file.to_owned(),
            metadata: header.metadata,
            config,
            weights,
            generator,
            sentence: None,
        })
    }

    /// Reads the header of a sentence transformer's file: layers of a target, and what makes one vector
    /// of a text of their hidden states.
    pub async fn open_sentence_transformer(source: &impl ByteSource) -> Result<Self, ModelError> {
        let file = source.name().to_owned();
        let header = read_header(source).await;
        let model = header
            .map_err(ModelFault::Gguf)
            .and_then(|header| Self::sentence_transformer_from_header(header, &file));
        model.map_err(|fault| ModelError { file, fault })
    }

    fn sentence_transformer_from_header(header: Header, file: &str) -> Result<Self, ModelFault> {
        let config = LlamaConfig::of_sentence_transformer(&header)?;
        let weights = Weights::of_sentence_transformer(&header, &config)?;
        let first_layer = header
            .metadata
            .required_u32("semcot.sentence.first_layer")?;
        Ok(Self {
            file: file.to_owned(),
            metadata: header.metadata,
            config,
            weights,
            generator: None,
            sentence: Some(Sentence {
                first_layer: first_layer as usize,
            }),
        })
    }
}

impl Generator {
    fn from_metadata(
        metadata: &Metadata,
        config: &LlamaConfig,
        target_hidden_size: usize,
    ) -> Result<Self, ModelFault> {
        let thought_token_id = metadata.required_u32("semcot.thought_token_id")?;
        if thought_token_id as usize >= config.vocab_size {
            return Err(ModelFault::config(
                "semcot.thought_token_id",
                thought_token_id,
                "a token of the vocabulary",
            ));
        }
        let implicit_tokens = metadata.required_u32("semcot.implicit_tokens")?;
        if implicit_tokens == 0 || implicit_tokens as usize > config.context_length {
            return Err(ModelFault::config(
                "semcot.implicit_tokens",
                implicit_tokens,
                "a number from 1 to the context length",
            ));
        }
        let implicit_from = match metadata.required_str("semcot.implicit_from")? {
            "thought_positions" => ImplicitFrom::ThoughtPositions,
            "last_question_token" => ImplicitFrom::LastQuestionToken,
            other => {
                return Err(ModelFault::config(
                    "semcot.implicit_from",
                    other,
                    "\"thought_positions\" or \"last_question_token\"",
                ));
            }
        };
        let passes = metadata.u32("semcot.passes")?.unwrap_or(1);
        if !(1..=MOST_PASSES).contains(&passes) {
            let expected = "a number from 1 to 16";
            return Err(ModelFault::config("semcot.passes", passes, expected));
        }
        Ok(Self {
            thought_token_id,
            implicit_tokens,
            implicit_from,
            passes,
            target_hidden_size,
        })
    }
}
