//! The Llama forward pass for training, in burn tensors over packed rows.
//!
//! Weights are `[input, output]`, so that rows are multiplied from the left; export transposes them. Rotary embedding
//! is in halves; export permutes to the neighbouring pairs of GGUF's `llama`. Embeddings are scaled by
//! `sqrt(hidden_size)` where the configuration does not say otherwise; export folds the factor into the tables. Inference
//! is `crate::model`'s, not this.

use std::ops::Range;
use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, Int, TensorData};
use serde::{Deserialize, Serialize};

use super::initialization::Normal;
use super::kernels::{self, AttentionShape, Kernels, Reach, RopeTable, Span};

/// Positions that the rotary tables are made for.
pub const CONTEXT_LENGTH: usize = 512;
/// Sizes of a model and what else decides how it computes, as in the `[target]` and `[generator]` tables of a
/// configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaSizes {
    pub hidden_size: usize,
    pub num_layers: usize,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub intermediate_size: usize,
    /// Width of one attention head where it is not `hidden_size / num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Inside the root of the RMS norm.
    #[serde(default = "default_rms_eps")]
    pub rms_eps: f32,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    #[serde(default)]
    pub embedding_scale: EmbeddingScale,
    #[serde(default)]
    pub head: Head,
}

fn default_rms_eps() -> f32 {
    1e-5
}

fn default_rope_theta() -> f64 {
    10000.0
}

/// The factor on embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingScale {
    /// sqrt(hidden_size): rows of a table that starts as small as a tied head must are then as large as the layers'
    /// outputs.
    #[default]
    SqrtHidden,
    /// None, as in published Llama models.
    One,
}

/// What the last hidden rows are multiplied by for logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The embedding table.
    #[default]
    Tied,
    /// A matrix of its own.
    Untied,
}

impl LlamaSizes {
    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_heads)
    }

    /// What is wrong with the sizes, for a person who wrote them in a configuration.
    pub fn problem(&self) -> Option<String> {
        let Self {
            hidden_size,
            num_layers,
            num_heads,
            num_kv_heads,
            intermediate_size,
            head_dim,
            rms_eps,
            rope_theta,
            ..
        } = *self;
        if [
            hidden_size,
            num_layers,
            num_heads,
            num_kv_heads,
            intermediate_size,
        ]
        .contains(&0)
        {
            return Some("every size must be at least 1".into());
        }
        if !(rms_eps > 0.0 && rope_theta > 0.0 && rope_theta.is_finite()) {
            return Some(format!(
                "rms_eps {rms_eps} and rope_theta {rope_theta} must be above 0"
            ));
        }
        if hidden_size % 32 != 0 || intermediate_size % 32 != 0 {
            return Some(format!(
                "hidden_size {hidden_size} and intermediate_size {intermediate_size} must be multiples of 32, the block of Q8_0"
            ));
        }
        if head_dim.is_none() && hidden_size % num_heads != 0 {
            return Some(format!(
                "hidden_size {hidden_size} must be a multiple of num_heads {num_heads} where head_dim is not given"
            ));
        }
        if num_heads % num_kv_heads != 0 {
            return Some(format!(
                "num_heads {num_heads} must be a multiple of num_kv_heads {num_kv_heads}"
            ));
        }
        if !kernels::fused::HEAD_DIMS.contains(&self.head_dim()) {
            return Some(format!(
                "heads are {} wide, but 8, 16, 32 and 64 are supported",
                self.head_dim()
            ));
        }
        let query_width = num_heads * self.head_dim();
        (!query_width.is_multiple_of(32)).then(|| {
            format!("{num_heads} heads of {} are {query_width} wide, but must be a multiple of 32 together, the block of Q8_0", self.head_dim())
        })
    }
}

/// Weights of one decoder layer.
#[derive(Clone, Debug)]
pub struct Layer {
    pub attention_norm: Tensor<2>,
    /// `[hidden, heads · head_dim]`.
    pub query: Tensor<2>,
    /// `[hidden, 2 · kv_heads · head_dim]`, keys left of values.
    pub key_value: Tensor<2>,
    /// `[heads · head_dim, hidden]`.
    pub output: Tensor<2>,
    pub ffn_norm: Tensor<2>,
    /// `[hidden, 2 · intermediate]`, gate left of up.
    pub gate_up: Tensor<2>,
    /// `[intermediate, hidden]`.
    pub down: Tensor<2>,
    /// What is trained in place of the matrices, where they are frozen.
    pub lora: Option<Lora>,
}

/// A change of low rank on queries and values (LoRA): W x becomes W x + scale · B A x.
#[derive(Clone, Debug)]
pub struct Lora {
    pub query: LowRank,
    pub value: LowRank,
    /// alpha / rank.
    pub scale: f32,
}

/// A product of two narrow matrices.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// `[inputs, rank]`.
    pub a: Tensor<2>,
    /// `[rank, outputs]`.
    pub b: Tensor<2>,
}

impl LowRank {
    fn of(&self, x: Tensor<2>, scale: f32) -> Tensor<2> {
        x.matmul(self.a.clone())
            .matmul(self.b.clone())
            .mul_scalar(scale)
    }
}

/// A stack of decoder layers with its final norm.
#[derive(Clone, Debug)]
pub struct Decoder {
    pub sizes: LlamaSizes,
    pub layers: Vec<Layer>,
    pub norm: Tensor<2>,
    pub kernels: Kernels,
    rope: Arc<RopeTable>,
}

/// A decoder with its embedding table and head.
#[derive(Clone, Debug)]
pub struct Llama {
    /// `[vocab, hidden]`.
    pub embedding: Tensor<2>,
    /// `[vocab, hidden]`; where there is none, the embedding table is the head.
    pub head: Option<Tensor<2>>,
    pub decoder: Decoder,
}

/// How the rows of a batch lie, and which of them the last layer has to give back.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Rows of every sequence.
    pub lengths: Vec<usize>,
    /// Rows at the end of every sequence that are wanted.
    pub wanted: Vec<usize>,
    /// For every sequence the rows of a [`Prefix`] that stand before it; empty where there is no prefix.
    pub before: Vec<Range<usize>>,
}

/// Keys and values, layer by layer, of rows that were run before and that the rows at hand continue. Where the weights
/// are frozen they are constants, and going back costs nothing.
#[derive(Clone, Debug)]
pub struct Prefix {
    key_values: Vec<Tensor<2>>,
}

impl Packing {
    /// Every row of every sequence is wanted.
    pub fn whole(lengths: Vec<usize>) -> Self {
        Self {
            wanted: lengths.clone(),
            lengths,
            before: Vec::new(),
        }
    }

    /// Rows of the prefix before sequence `i`.
    fn before(&self, i: usize) -> Range<usize> {
        self.before.get(i).cloned().unwrap_or(0..0)
    }

    fn spans(&self, queries: &[usize]) -> Vec<Span> {
        let (mut query_start, mut key_start) = (0, 0);
        let mut spans = Vec::with_capacity(self.lengths.len());
        for (i, (&length, &query_len)) in self.lengths.iter().zip(queries).enumerate() {
            let key_len = self.before(i).len() + length;
            spans.push(Span {
                query_start,
                query_len,
                key_start,
                key_len,
            });
            query_start += query_len;
            key_start += key_len;
        }
        spans
    }

    /// Where the keys of every sequence lie in [prefix rows, rows at hand].
    fn key_rows(&self, prefix_rows: usize) -> Vec<usize> {
        let mut start = prefix_rows;
        let mut rows = Vec::new();
        for (i, &length) in self.lengths.iter().enumerate() {
            rows.extend(self.before(i));
            rows.extend(start..start + length);
            start += length;
        }
        rows
    }

    /// Row numbers of the wanted rows.
    fn wanted_rows(&self) -> Vec<usize> {
        let mut start = 0;
        let mut rows = Vec::new();
        for (&length, &wanted) in self.lengths.iter().zip(&self.wanted) {
            rows.extend(start + length - wanted..start + length);
            start += length;
        }
        rows
    }
}

/// A parameter with its name in checkpoints.
pub type Named<'a> = (String, &'a mut Tensor<2>);

impl Decoder {
    /// Matrices N(0, 1/inputs), norms one.
    pub fn new(sizes: LlamaSizes, kernels: Kernels, normal: &mut Normal, device: &Device) -> Self {
        let width = sizes.hidden_size;
        let query_width = sizes.num_heads * sizes.head_dim();
        let kv_width = 2 * sizes.num_kv_heads * sizes.head_dim();
        let inner = sizes.intermediate_size;
        let layers = (0..sizes.num_layers)
            .map(|_| Layer {
                attention_norm: Tensor::ones([1, width], device),
                query: normal.matrix(width, query_width, device),
                key_value: normal.matrix(width, kv_width, device),
                output: normal.matrix(query_width, width, device),
                ffn_norm: Tensor::ones([1, width], device),
                gate_up: normal.matrix(width, 2 * inner, device),
                down: normal.matrix(inner, width, device),
                lora: None,
            })
            .collect();
        let rope = Arc::new(RopeTable::new(
            CONTEXT_LENGTH,
            sizes.head_dim(),
            sizes.rope_theta,
        ));
        Self {
            sizes,
            layers,
            norm: Tensor::ones([1, width], device),
            kernels,
            rope,
        }
    }

    /// Every parameter with its name, in a fixed order.
    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named: Vec<Named<'_>> = Vec::new();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let parts = [
                ("attention_norm", &mut layer.attention_norm),
                ("query", &mut layer.query),
                ("key_value", &mut layer.key_value),
                ("output", &mut layer.output),
                ("ffn_norm", &mut layer.ffn_norm),
                ("gate_up", &mut layer.gate_up),
                ("down", &mut layer.down),
            ];
            named.extend(
                parts
                    .into_iter()
                    .map(|(name, tensor)| (format!("layers.{i}.{name}"), tensor)),
            );
        }
        named.push(("norm".into(), &mut self.norm));
        named
    }

    /// The parameters of the changes of low rank, where there are any.
    pub fn lora_parameters(&mut self) -> Vec<Named<'_>> {
        let mut named: Vec<Named<'_>> = Vec::new();
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let Some(lora) = &mut layer.lora else {
                continue;
            };
            let parts = [
                ("query.a", &mut lora.query.a),
                ("query.b", &mut lora.query.b),
                ("value.a", &mut lora.value.a),
                ("value.b", &mut lora.value.b),
            ];
            named.extend(
                parts
                    .into_iter()
                    .map(|(name, tensor)| (format!("layers.{i}.lora.{name}"), tensor)),
            );
        }
        named
    }

    /// Embeddings, the residual stream after every layer, and the normed one in place of the last.
    pub fn hidden_states(&self, x: Tensor<2>, packing: &Packing, reach: Reach) -> Vec<Tensor<2>> {
        let shape = self.attention_shape(packing, &packing.lengths, reach);
        let mut states = vec![x];
        for layer in &self.layers {
            let x = states[states.len() - 1].clone();
            let normed = self.normed(layer, x.clone());
            let key_value = self.keys_and_values(layer, &normed);
            states.push(self.after_keys(layer, x, normed, key_value, &shape));
        }
        let last = states.pop().expect("the embeddings are there");
        let eps = self.sizes.rms_eps;
        states.push(kernels::rms_norm(
            self.kernels,
            last,
            self.norm.clone(),
            eps,
        ));
        states
    }

    /// The same decoder for one sequence whose rows stand at these positions.
    pub fn at_positions(&self, positions: &[usize]) -> Decoder {
        let mut moved = self.clone();
        moved.rope = Arc::new(self.rope.at(positions));
        moved
    }

    /// The residual stream after all layers at the wanted rows, before the final norm.
    /// `x` is `[rows, hidden]`.
    pub fn residual(&self, mut x: Tensor<2>, packing: &Packing, reach: Reach) -> Tensor<2> {
        self.run(&mut x, packing, reach, None);
        x
    }

    /// [`Decoder::residual`] and the final norm.
    pub fn hidden(&self, x: Tensor<2>, packing: &Packing, reach: Reach) -> Tensor<2> {
        let x = self.residual(x, packing, reach);
        kernels::rms_norm(self.kernels, x, self.norm.clone(), self.sizes.rms_eps)
    }

    /// [`Decoder::hidden`], causal, of rows that continue a prefix.
    pub fn hidden_after(&self, prefix: &Prefix, mut x: Tensor<2>, packing: &Packing) -> Tensor<2> {
        self.run(&mut x, packing, Reach::Causal, Some(prefix));
        kernels::rms_norm(self.kernels, x, self.norm.clone(), self.sizes.rms_eps)
    }

    /// Keys and values of every layer for rows that others will continue.
    pub fn prefix(&self, mut x: Tensor<2>, lengths: &[usize]) -> Prefix {
        let packing = Packing::whole(lengths.to_vec());
        let shape = self.attention_shape(&packing, lengths, Reach::Causal);
        let last = self.layers.len() - 1;
        let key_values = (self.layers.iter().enumerate()).map(|(i, layer)| {
            let normed = self.normed(layer, x.clone());
            let key_value = self.keys_and_values(layer, &normed);
            if i < last {
                x = self.after_keys(layer, x.clone(), normed, key_value.clone(), &shape);
            }
            key_value
        });
        Prefix {
            key_values: key_values.collect(),
        }
    }

    fn run(&self, x: &mut Tensor<2>, packing: &Packing, reach: Reach, prefix: Option<&Prefix>) {
        let device = x.device();
        let all = self.attention_shape(packing, &packing.lengths, reach);
        let only_wanted = (packing.wanted != packing.lengths).then(|| {
            let shape = self.attention_shape(packing, &packing.wanted, reach);
            (shape, rows_tensor(&packing.wanted_rows(), &device))
        });
        let key_rows = prefix
            .map(|prefix| rows_tensor(&packing.key_rows(prefix.key_values[0].dims()[0]), &device));
        for (i, layer) in self.layers.iter().enumerate() {
            let mut normed = self.normed(layer, x.clone());
            let mut key_value = self.keys_and_values(layer, &normed);
            if let (Some(prefix), Some(rows)) = (prefix, &key_rows) {
                let before = prefix.key_values[i].clone();
                key_value = Tensor::cat(vec![before, key_value], 0).select(0, rows.clone());
            }
            let mut shape = &all;
            if let Some((wanted, rows)) =
                only_wanted.as_ref().filter(|_| i + 1 == self.layers.len())
            {
                shape = wanted;
                *x = x.clone().select(0, rows.clone());
                normed = normed.select(0, rows.clone());
            }
            *x = self.after_keys(layer, x.clone(), normed, key_value, shape);
        }
    }

    fn normed(&self, layer: &Layer, x: Tensor<2>) -> Tensor<2> {
        kernels::rms_norm(
            self.kernels,
            x,
            layer.attention_norm.clone(),
            self.sizes.rms_eps,
        )
    }

    fn keys_and_values(&self, layer: &Layer, normed: &Tensor<2>) -> Tensor<2> {
        let key_value = normed.clone().matmul(layer.key_value.clone());
        let Some(lora) = &layer.lora else {
            return key_value;
        };
        let width = self.sizes.num_kv_heads * self.sizes.head_dim();
        let key = key_value.clone().narrow(1, 0, width);
        let value = key_value.narrow(1, width, width);
        let change = lora.value.of(normed.clone(), lora.scale);
        Tensor::cat(vec![key, value.add(change)], 1)
    }

    /// A layer behind its keys and values: queries, attention, feed-forward.
    fn after_keys(
        &self,
        layer: &Layer,
        x: Tensor<2>,
        normed: Tensor<2>,
        key_value: Tensor<2>,
        shape: &Arc<AttentionShape>,
    ) -> Tensor<2> {
        let kernels = self.kernels;
        let mut query = normed.clone().matmul(layer.query.clone());
        if let Some(lora) = &layer.lora {
            query = query.add(lora.query.of(normed, lora.scale));
        }
        let mixed = kernels::attention(kernels, query, key_value, shape);
        let x = x.add(mixed.matmul(layer.output.clone()));
        let normed = kernels::rms_norm(
            kernels,
            x.clone(),
            layer.ffn_norm.clone(),
            self.sizes.rms_eps,
        );
        let inner = kernels::swiglu(kernels, normed.matmul(layer.gate_up.clone()));
        x.add(inner.matmul(layer.down.clone()))
    }

    fn attention_shape(
        &self,
        packing: &Packing,
        queries: &[usize],
        reach: Reach,
    ) -> Arc<AttentionShape> {
        Arc::new(AttentionShape {
            num_heads: self.sizes.num_heads,
            num_kv_heads: self.sizes.num_kv_heads,
            head_dim: self.sizes.head_dim(),
            reach,
            spans: packing.spans(queries),
            rope: self.rope.clone(),
        })
    }

    /// The first `layers` layers as a decoder of their own (sharing weights).
    pub fn first_layers(&self, layers: usize) -> Decoder {
        let mut part = self.clone();
        part.layers.truncate(layers);
        part.sizes.num_layers = layers;
        part
    }
}

impl Llama {
    /// Embedding and head N(0, 1/hidden), see [`Decoder::new`] for the rest.
    pub fn new(
        sizes: LlamaSizes,
        vocab_size: usize,
        kernels: Kernels,
        normal: &mut Normal,
        device: &Device,
    ) -> Self {
        let embedding = normal.scaled([vocab_size, sizes.hidden_size], sizes.hidden_size, device);
        let decoder = Decoder::new(sizes, kernels, normal, device);
        let head = (sizes.head == Head::Untied)
            .then(|| normal.scaled([vocab_size, sizes.hidden_size], sizes.hidden_size, device));
        Self {
            embedding,
            head,
            decoder,
        }
    }

    /// Every parameter with its name, in a fixed order.
    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named: Vec<Named<'_>> = vec![("embedding".into(), &mut self.embedding)];
        named.extend(self.decoder.parameters());
        named.extend(self.head.as_mut().map(|head| ("head".into(), head)));
        named
    }

    /// What the first layer reads for token ids: `[ids, hidden]`.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        let index: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        let index = rows_tensor(&index, &self.embedding.device());
        self.embedding
            .clone()
            .select(0, index)
            .mul_scalar(self.embedding_scale())
    }

    /// The factor on embeddings.
    pub fn embedding_scale(&self) -> f32 {
        match self.decoder.sizes.embedding_scale {
            EmbeddingScale::SqrtHidden => (self.decoder.sizes.hidden_size as f32).sqrt(),
            EmbeddingScale::One => 1.0,
        }
    }

    /// Logits `[rows, vocab]` of normed hidden rows.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        hidden.matmul(head.clone().transpose())
    }
}

/// Row numbers as a tensor for `select`.
pub fn rows_tensor(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
