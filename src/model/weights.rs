//! Which weights a model has: one list, and the place of each in the model. A weight is a matrix
//! `[rows, cols]` (a vector has one row) stacked from one or more tensors of a file.

use std::collections::BTreeSet;

use super::step::WeightId;
use super::{Architecture, LlamaConfig, ModelFault};
use crate::formats::gguf::{Header, TensorInfo};
use crate::weights::WeightType;

/// The linear map behind a sentence transformer's mean, `[embedding_size, hidden_size]`.
pub(super) const SENTENCE_HEAD: &str = "semcot.sentence.weight";

/// Tensors outside the layers that some models compute with and that are not read here.
const UNSUPPORTED: [&str; 5] = [
    "output.bias",
    "output_norm.bias",
    "position_embd.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
];

/// A weight and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Name: its tensor's, or its tensors' joined by `+`.
    pub name: String,
    /// Type of all its tensors.
    pub weight_type: WeightType,
    /// Rows, the outputs of a linear map.
    pub rows: usize,
    /// Columns, the inputs of a linear map; a whole number of the type's blocks.
    pub cols: usize,
    /// The tensors whose rows follow each other in this weight.
    pub parts: Vec<TensorInfo>,
}

/// The weights of a model, by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// All of them; a [`WeightId`] is an index into this list.
    pub list: Vec<Weight>,
    /// Embedding table `[vocab_size, hidden_size]`; none in a sentence transformer, whose input is given.
    pub embedding: Option<WeightId>,
    /// Layers from the input on.
    pub layers: Vec<LayerWeights>,
    /// Norm before the head `[hidden_size]`.
    pub output_norm: WeightId,
    /// Head `[vocab_size, hidden_size]`; the embedding table where they are tied.
    pub output: WeightId,
    /// `[vocab_size]`; only of a sentence transformer.
    pub output_bias: Option<WeightId>,
    /// Divisors of the rotation frequencies `[head_dim / 2]`.
    pub rope_factors: Option<WeightId>,
    /// From a generator's hidden states to the target's embeddings.
    pub projection: Option<Projection>,
}

/// The weights of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerWeights {
    /// Norm before attention `[hidden_size]`.
    pub attention_norm: WeightId,
    /// Queries, keys and values.
    pub query_key_value: QueryKeyValue,
    /// Norms on the heads of queries and keys.
    pub head_norms: Option<HeadNorms>,
    /// `[hidden_size, num_heads * head_dim]`.
    pub attention_output: LinearMap,
    /// Norm before the feed-forward part `[hidden_size]`.
    pub feed_forward_norm: WeightId,
    /// The gate and what it lets through.
    pub gate_up: GateUp,
    /// `[hidden_size, intermediate_size]`.
    pub down: WeightId,
}

/// A linear map that may have a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearMap {
    /// `[out, in]`.
    pub weight: WeightId,
    /// `[out]`.
    pub bias: Option<WeightId>,
}

/// RMS norms of each head before rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadNorms {
    /// Of every query head `[head_dim]`.
    pub query: WeightId,
    /// Of every key head `[head_dim]`.
    pub key: WeightId,
}

/// The projections to queries, keys and values: one weight where their types agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKeyValue {
    /// `[(num_heads + 2 num_kv_heads) * head_dim, hidden_size]`: queries, then keys, then values.
    Stacked(LinearMap),
    /// Types differ.
    Separate {
        /// `[num_heads * head_dim, hidden_size]`.
        query: LinearMap,
        /// `[num_kv_heads * head_dim, hidden_size]`.
        key: LinearMap,
        /// `[num_kv_heads * head_dim, hidden_size]`.
        value: LinearMap,
    },
}

/// The gate of a feed-forward part and its up part: one weight where their types agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateUp {
    /// `[2 * intermediate_size, hidden_size]`: the rows of the gate, then those of up.
    Stacked(WeightId),
    /// Types differ.
    Separate {
        /// `[intermediate_size, hidden_size]`.
        gate: WeightId,
        /// `[intermediate_size, hidden_size]`.
        up: WeightId,
    },
}

/// From a generator's hidden states to a target's embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// `[target hidden_size, hidden_size]`.
    pub weight: WeightId,
    /// `[target hidden_size]`.
    pub bias: WeightId,
}

impl Weight {
    /// How many of its rows a tensor of its makes. A vector of several tensors is a column: its
    /// rows are values.
    pub(super) fn rows_of(&self, part: &TensorInfo) -> usize {
        (part.rows() * part.cols()) as usize / self.cols
    }
}

impl Weights {
    /// The weight of this id.
    pub fn get(&self, id: WeightId) -> &Weight {
        &self.list[id.0]
    }

    /// The weights that a pass of one token reads: all but a table of embeddings of its own, of which it
    /// reads one row, a generator's projection, and divisors, which are read when the model is loaded.
    pub fn of_a_pass(&self) -> impl Iterator<Item = WeightId> {
        let table = self.embedding.filter(|&table| table != self.output);
        let projection = self.projection.iter().flat_map(|it| [it.weight, it.bias]);
        let unread: Vec<_> = projection.chain(table).chain(self.rope_factors).collect();
        let all = (0..self.list.len()).map(WeightId);
        all.filter(move |id| !unread.contains(id))
    }

    /// The type of most of the values that a pass reads.
    pub fn main_type(&self) -> WeightType {
        let values_of = |weight_type: WeightType| -> usize {
            let read = self.of_a_pass().map(|id| self.get(id));
            let own = read.filter(|it| it.weight_type == weight_type);
            own.map(|it| it.rows * it.cols).sum()
        };
        let types = WeightType::ALL.iter().copied();
        let main = types.max_by_key(|&it| values_of(it));
        main.expect("there are types of weights")
    }

    /// Finds the weights of a model and checks their shapes and types.
    pub fn from_header(header: &Header, config: &LlamaConfig) -> Result<Self, ModelFault> {
        let mut list = List {
            header,
            weights: Vec::new(),
        };
        let hidden = config.hidden_size;
        let embedding = list.matrix("token_embd.weight", config.vocab_size, hidden)?;
        let layers: Result<_, _> = (0..config.num_layers)
            .map(|layer| list.layer(layer, config))
            .collect();
        let output_norm = list.vector("output_norm.weight", hidden)?;
        let output = if config.tied_embeddings {
            embedding
        } else {
            list.matrix("output.weight", config.vocab_size, hidden)?
        };
        let rope_factors = list.rope_factors(config)?;
        let projection = list.projection(hidden)?;
        let layers = layers?;
        list.check_all_used(config.architecture)?;
        Ok(Self {
            list: list.weights,
            embedding: Some(embedding),
            layers,
            output_norm,
            output,
            output_bias: None,
            rope_factors,
            projection,
        })
    }

    /// The weights of a sentence transformer: layers, norm, and the linear map as its head.
    pub(super) fn of_sentence_transformer(
        header: &Header,
        config: &LlamaConfig,
    ) -> Result<Self, ModelFault> {
        let mut list = List {
            header,
            weights: Vec::new(),
        };
        let layers: Result<_, _> = (0..config.num_layers)
            .map(|layer| list.layer(layer, config))
            .collect();
        let output_norm = list.vector("output_norm.weight", config.hidden_size)?;
        let output = list.matrix(SENTENCE_HEAD, config.vocab_size, config.hidden_size)?;
        let output_bias = list.vector("semcot.sentence.bias", config.vocab_size)?;
        let rope_factors = list.rope_factors(config)?;
        let layers = layers?;
        list.check_all_used(config.architecture)?;
        Ok(Self {
            list: list.weights,
            embedding: None,
            layers,
            output_norm,
            output,
            output_bias: Some(output_bias),
            rope_factors,
            projection: None,
        })
    }
}

/// The list while it grows.
struct List<'a> {
    header: &'a Header,
    weights: Vec<Weight>,
}

impl List<'_> {
    fn layer(&mut self, layer: usize, config: &LlamaConfig) -> Result<LayerWeights, ModelFault> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        Ok(LayerWeights {
            attention_norm: self.vector(&name("attn_norm"), hidden)?,
            query_key_value: self.query_key_value(layer, config)?,
            head_norms: self.head_norms(&name, config)?,
            attention_output: LinearMap {
                weight: self.matrix(&name("attn_output"), hidden, config.query_width())?,
                bias: self
                    .bias(layer, "attn_output", hidden, false)?
                    .map(|bias| self.add(bias)),
            },
            feed_forward_norm: self.vector(&name("ffn_norm"), hidden)?,
            gate_up: self.gate_up(&name, config)?,
            down: self.matrix(&name("ffn_down"), hidden, wide)?,
        })
    }

    fn rope_factors(&mut self, config: &LlamaConfig) -> Result<Option<WeightId>, ModelFault> {
        match self.header.tensor("rope_freqs.weight") {
            Some(tensor) => Ok(Some(self.vector(&tensor.name, config.head_dim / 2)?)),
            None => Ok(None),
        }
    }

    fn gate_up(
        &mut self,
        name: &impl Fn(&str) -> String,
        config: &LlamaConfig,
    ) -> Result<GateUp, ModelFault> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let gate = self.found(&name("ffn_gate"), wide, hidden)?;
        let up = self.found(&name("ffn_up"), wide, hidden)?;
        if gate.weight_type == up.weight_type {
            return Ok(GateUp::Stacked(self.add(stacked([gate, up]))));
        }
        Ok(GateUp::Separate {
            gate: self.add(gate),
            up: self.add(up),
        })
    }

    fn query_key_value(
        &mut self,
        layer: usize,
        config: &LlamaConfig,
    ) -> Result<QueryKeyValue, ModelFault> {
        let widths = [
            ("attn_q", config.query_width()),
            ("attn_k", config.kv_width()),
            ("attn_v", config.kv_width()),
        ];
        let first_bias = self.header.tensor(&bias_name(layer, "attn_q"));
        // All three or none.
        let biased = config.architecture.needs_query_key_value_bias() || first_bias.is_some();
        let mut maps = Vec::with_capacity(widths.len());
        for (part, width) in widths {
            let name = format!("blk.{layer}.{part}.weight");
            let weight = self.found(&name, width, config.hidden_size)?;
            maps.push((weight, self.bias(layer, part, width, biased)?));
        }
        let [query, key, value] = <[_; 3]>::try_from(maps).expect("there are three");
        if query.0.weight_type == key.0.weight_type && key.0.weight_type == value.0.weight_type {
            let bias = match (query.1, key.1, value.1) {
                (Some(query), Some(key), Some(value)) => {
                    Some(self.add(stacked([query, key, value].map(column))))
                }
                _ => None,
            };
            return Ok(QueryKeyValue::Stacked(LinearMap {
                weight: self.add(stacked([query.0, key.0, value.0])),
                bias,
            }));
        }
        let mut add = |(weight, bias): (Weight, Option<Weight>)| LinearMap {
            weight: self.add(weight),
            bias: bias.map(|it| self.add(it)),
        };
        Ok(QueryKeyValue::Separate {
            query: add(query),
            key: add(key),
            value: add(value),
        })
    }

    fn head_norms(
        &mut self,
        name: &impl Fn(&str) -> String,
        config: &LlamaConfig,
    ) -> Result<Option<HeadNorms>, ModelFault> {
        let [query, key] = [name("attn_q_norm"), name("attn_k_norm")];
        if !config.architecture.needs_head_norms() && self.header.tensor(&query).is_none() {
            return Ok(None);
        }
        Ok(Some(HeadNorms {
            query: self.vector(&query, config.head_dim)?,
            key: self.vector(&key, config.head_dim)?,
        }))
    }

    /// A bias, which must be there where it is `required`.
    fn bias(
        &self,
        layer: usize,
        part: &str,
        len: usize,
        required: bool,
    ) -> Result<Option<Weight>, ModelFault> {
        let name = bias_name(layer, part);
        if !required && self.header.tensor(&name).is_none() {
            return Ok(None);
        }
        self.found_vector(&name, len).map(Some)
    }

    /// Tensors of layers that nothing reads would be missed in the answers.
    fn check_all_used(&self, architecture: Architecture) -> Result<(), ModelFault> {
        let parts = self.weights.iter().flat_map(|it| &it.parts);
        let used: BTreeSet<&str> = parts.map(|it| it.name.as_str()).collect();
        let unread = self.header.tensors.iter().find(|it| {
            let name = it.name.as_str();
            // Old files hold tables of angles, which are made here.
            let counts = name.starts_with("blk.") && !name.ends_with(".attn_rot_embd.weight");
            (counts || UNSUPPORTED.contains(&name)) && !used.contains(name)
        });
        match unread {
            None => Ok(()),
            Some(tensor) => Err(ModelFault::UnsupportedTensor {
                tensor: tensor.name.clone(),
                architecture: architecture.name(),
            }),
        }
    }

    fn projection(&mut self, hidden_size: usize) -> Result<Option<Projection>, ModelFault> {
        let name = "semcot.projection.weight";
        let Some(tensor) = self.header.tensor(name) else {
            return Ok(None);
        };
        // As wide as some target, which is checked where the two meet.
        let rows = tensor.rows() as usize;
        Ok(Some(Projection {
            weight: self.matrix(name, rows, hidden_size)?,
            bias: self.vector("semcot.projection.bias", rows)?,
        }))
    }

    fn add(&mut self, weight: Weight) -> WeightId {
        self.weights.push(weight);
        WeightId(self.weights.len() - 1)
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<WeightId, ModelFault> {
        let weight = self.found(name, rows, cols)?;
        Ok(self.add(weight))
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<WeightId, ModelFault> {
        let weight = self.found_vector(name, len)?;
        Ok(self.add(weight))
    }

    fn found_vector(&self, name: &str, len: usize) -> Result<Weight, ModelFault> {
        let weight = self.checked(name, vec![len as u64])?;
        if weight.weight_type != WeightType::F32 {
            return Err(ModelFault::TypeAtPlace {
                tensor: weight.name,
                found: weight.weight_type.name(),
                expected: "F32",
            });
        }
        Ok(weight)
    }

    fn found(&self, name: &str, rows: usize, cols: usize) -> Result<Weight, ModelFault> {
        self.checked(name, vec![cols as u64, rows as u64])
    }

    fn checked(&self, name: &str, expected: Vec<u64>) -> Result<Weight, ModelFault> {
        let Some(tensor) = self.header.tensor(name) else {
            return Err(ModelFault::MissingTensor {
                tensor: name.to_owned(),
            });
        };
        if tensor.dims != expected {
            return Err(ModelFault::Shape {
                tensor: name.to_owned(),
                found: tensor.dims.clone(),
                expected,
            });
        }
        Ok(Weight {
            name: name.to_owned(),
            weight_type: WeightType::of_tensor(tensor)?,
            rows: tensor.rows() as usize,
            cols: tensor.cols() as usize,
            parts: vec![tensor.clone()],
        })
    }
}

fn bias_name(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}.bias")
}

/// A vector with its values as rows, so that vectors can be stacked.
fn column(vector: Weight) -> Weight {
    Weight {
        rows: vector.cols,
        cols: 1,
        ..vector
    }
}

/// Weights of one type and width as one, row under row.
fn stacked<const N: usize>(weights: [Weight; N]) -> Weight {
    Weight {
        name: weights.each_ref().map(|it| it.name.as_str()).join("+"),
        weight_type: weights[0].weight_type,
        rows: weights.iter().map(|it| it.rows).sum(),
        cols: weights[0].cols,
        parts: weights.into_iter().flat_map(|it| it.parts).collect(),
    }
}
