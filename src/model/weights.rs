//! Which weights a model has: one list, and the place of each in the model. A weight is a matrix
//! `[rows, cols]` (a vector has one row) stacked from one or more tensors of a file.

use super::step::WeightId;
use super::{LlamaConfig, ModelFault};
use crate::formats::gguf::{Header, TensorInfo};
use crate::weights::WeightType;

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
    /// Embedding table `[vocab_size, hidden_size]`.
    pub embedding: WeightId,
    /// Layers from the input on.
    pub layers: Vec<LayerWeights>,
    /// Norm before the head `[hidden_size]`.
    pub output_norm: WeightId,
    /// Head `[vocab_size, hidden_size]`; the embedding table where they are tied.
    pub output: WeightId,
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
    /// `[hidden_size, num_heads * head_dim]`.
    pub attention_output: WeightId,
    /// Norm before the feed-forward part `[hidden_size]`.
    pub feed_forward_norm: WeightId,
    /// `[2 * intermediate_size, hidden_size]`: the rows of the gate, then those of up.
    pub gate_up: WeightId,
    /// `[hidden_size, intermediate_size]`.
    pub down: WeightId,
}

/// The projections to queries, keys and values: one weight where their types agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKeyValue {
    /// `[(num_heads + 2 num_kv_heads) * head_dim, hidden_size]`: queries, then keys, then values.
    Stacked(WeightId),
    /// Types differ.
    Separate {
        /// `[num_heads * head_dim, hidden_size]`.
        query: WeightId,
        /// `[num_kv_heads * head_dim, hidden_size]`.
        key: WeightId,
        /// `[num_kv_heads * head_dim, hidden_size]`.
        value: WeightId,
    },
}

/// A linear map with bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projection {
    /// `[target hidden_size, hidden_size]`.
    pub weight: WeightId,
    /// `[target hidden_size]`.
    pub bias: WeightId,
}

impl Weights {
    /// The weight of this id.
    pub fn get(&self, id: WeightId) -> &Weight {
        &self.list[id.0]
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
        let rope_factors = match header.tensor("rope_freqs.weight") {
            Some(tensor) => Some(list.vector(&tensor.name, config.head_dim / 2)?),
            None => None,
        };
        let projection = list.projection(hidden)?;
        Ok(Self {
            list: list.weights,
            embedding,
            layers: layers?,
            output_norm,
            output,
            rope_factors,
            projection,
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
            query_key_value: self.query_key_value(&name, config)?,
            attention_output: self.matrix(&name("attn_output"), hidden, config.query_width())?,
            feed_forward_norm: self.vector(&name("ffn_norm"), hidden)?,
            gate_up: self.gate_up(&name, config)?,
            down: self.matrix(&name("ffn_down"), hidden, wide)?,
        })
    }

    fn gate_up(
        &mut self,
        name: &impl Fn(&str) -> String,
        config: &LlamaConfig,
    ) -> Result<WeightId, ModelFault> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let gate = self.found(&name("ffn_gate"), wide, hidden)?;
        let up = self.found(&name("ffn_up"), wide, hidden)?;
        if gate.weight_type != up.weight_type {
            return Err(ModelFault::TypeAtPlace {
                tensor: gate.name,
                found: gate.weight_type.name(),
                expected: "the type of ffn_up",
            });
        }
        Ok(self.add(stacked([gate, up])))
    }

    fn query_key_value(
        &mut self,
        name: &impl Fn(&str) -> String,
        config: &LlamaConfig,
    ) -> Result<QueryKeyValue, ModelFault> {
        let hidden = config.hidden_size;
        let query = self.found(&name("attn_q"), config.query_width(), hidden)?;
        let key = self.found(&name("attn_k"), config.kv_width(), hidden)?;
        let value = self.found(&name("attn_v"), config.kv_width(), hidden)?;
        if query.weight_type == key.weight_type && key.weight_type == value.weight_type {
            let weight = self.add(stacked([query, key, value]));
            return Ok(QueryKeyValue::Stacked(weight));
        }
        Ok(QueryKeyValue::Separate {
            query: self.add(query),
            key: self.add(key),
            value: self.add(value),
        })
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
        let weight = self.checked(name, vec![len as u64])?;
        if weight.weight_type != WeightType::F32 {
            return Err(ModelFault::TypeAtPlace {
                tensor: weight.name,
                found: weight.weight_type.name(),
                expected: "F32",
            });
        }
        Ok(self.add(weight))
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
