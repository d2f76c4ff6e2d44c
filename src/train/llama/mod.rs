//! The Llama forward pass for training, in burn tensors over packed rows.
//!
//! Weights are `[input, output]`, so that rows are multiplied from the left; export transposes them. Rotary embedding
//! is in halves; export permutes to the neighbouring pairs of GGUF's `llama`. Embeddings are scaled by
//! `sqrt(hidden_size)` where the configuration does not say otherwise; export folds the factor into the tables. Inference
//! is `crate::model`'s, not this.

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::{Device, Int, TensorData};

mod packing;
mod sizes;

pub use packing::{Packing, Prefix};
pub use sizes::{EmbeddingScale, Head, LlamaSizes};

use super::initialization::Normal;
use super::kernels::{self, AttentionShape, Kernels, Reach, RopeTable};
use super::lora::{Dropout, Lora};

/// Positions that the rotary tables are made for.
pub const CONTEXT_LENGTH: usize = 512;

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
    /// Added to queries, keys and values in models of Qwen2's form.
    pub bias: Option<AttentionBias>,
    /// What is trained in place of the matrices, where they are frozen.
    pub lora: Option<Lora>,
}

/// Biases of a layer's attention.
#[derive(Clone, Debug)]
pub struct AttentionBias {
    /// `[1, heads · head_dim]`.
    pub query: Tensor<2>,
    /// `[1, 2 · kv_heads · head_dim]`.
    pub key_value: Tensor<2>,
}

/// A stack of decoder layers with its final norm.
#[derive(Clone, Debug)]
pub struct Decoder {
    pub sizes: LlamaSizes,
    pub layers: Vec<Layer>,
    pub norm: Tensor<2>,
    pub kernels: Kernels,
    /// Before the changes of low rank; only while a step is trained.
    pub dropout: Option<Dropout>,
    rope: Arc<RopeTable>,
    /// Whether the rotary table has a row for each row at hand, in place of one for each position.
    rope_of_rows: bool,
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

/// A parameter with its name in checkpoints.
pub type Named<'a> = (String, &'a mut Tensor<2>);

/// Parameters without their names.
pub fn tensors(named: Vec<Named<'_>>) -> Vec<&mut Tensor<2>> {
    named.into_iter().map(|(_, tensor)| tensor).collect()
}

impl Decoder {
    /// Matrices N(0, 1/inputs), norms one.
    pub fn new(sizes: LlamaSizes, kernels: Kernels, normal: &mut Normal, device: &Device) -> Self {
        let matrix = |inputs, outputs| normal.matrix(inputs, outputs, device);
        Self::with_matrices(sizes, kernels, matrix, device)
    }

    /// Matrices of these inputs and outputs as `matrix` makes them, norms one.
    fn with_matrices(
        sizes: LlamaSizes,
        kernels: Kernels,
        mut matrix: impl FnMut(usize, usize) -> Tensor<2>,
        device: &Device,
    ) -> Self {
        let width = sizes.hidden_size;
        let query_width = sizes.num_heads * sizes.head_dim();
        let kv_width = 2 * sizes.num_kv_heads * sizes.head_dim();
        let inner = sizes.intermediate_size;
        let layers = (0..sizes.num_layers)
            .map(|_| Layer {
                attention_norm: Tensor::ones([1, width], device),
                query: matrix(width, query_width),
                key_value: matrix(width, kv_width),
                output: matrix(query_width, width),
                ffn_norm: Tensor::ones([1, width], device),
                gate_up: matrix(width, 2 * inner),
                down: matrix(inner, width),
                bias: None,
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
            dropout: None,
            rope,
            rope_of_rows: false,
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
            let biases = layer.bias.as_mut().map(|bias| {
                [
                    ("query_bias", &mut bias.query),
                    ("key_value_bias", &mut bias.key_value),
                ]
            });
            named.extend(
                parts
                    .into_iter()
                    .chain(biases.into_iter().flatten())
                    .map(|(name, tensor)| (format!("layers.{i}.{name}"), tensor)),
            );
        }
        named.push(("norm".into(), &mut self.norm));
        named
    }

    /// Positions that the rotary tables are made for.
    pub fn positions(&self) -> usize {
        self.rope.positions()
    }

    /// The same decoder with rotary tables for so many positions.
    pub fn with_positions(mut self, positions: usize) -> Self {
        let (head_dim, theta) = (self.sizes.head_dim(), self.sizes.rope_theta);
        self.rope = Arc::new(RopeTable::new(positions, head_dim, theta));
        self
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

    /// Embeddings, the residual stream after every layer, and the normed one in place of the last: the wanted rows of
    /// each, causal.
    pub fn hidden_states(
        &self,
        mut x: Tensor<2>,
        packing: &Packing,
        prefix: Option<&Prefix>,
    ) -> Vec<Tensor<2>> {
        let rows = rows_tensor(&packing.wanted_rows(), &x.device());
        let mut states = Vec::new();
        self.run(&mut x, packing, Reach::Causal, prefix, |x| {
            states.push(x.clone().select(0, rows.clone()));
        });
        states.push(self.final_norm(x));
        states
    }

    /// The same decoder for sequences whose rows stand at these positions, one for each packed row.
    pub fn at_positions(&self, positions: &[usize]) -> Decoder {
        let mut moved = self.clone();
        moved.rope = Arc::new(self.rope.at(positions));
        moved.rope_of_rows = true;
        moved
    }

    /// The residual stream after all layers at the wanted rows, before the final norm.
    /// `x` is `[rows, hidden]`.
    pub fn residual(&self, mut x: Tensor<2>, packing: &Packing, reach: Reach) -> Tensor<2> {
        self.run(&mut x, packing, reach, None, |_| ());
        x
    }

    /// [`Decoder::residual`] and the final norm.
    pub fn hidden(&self, x: Tensor<2>, packing: &Packing, reach: Reach) -> Tensor<2> {
        let x = self.residual(x, packing, reach);
        self.final_norm(x)
    }

    /// [`Decoder::hidden`] of rows that continue a prefix.
    pub fn hidden_after(
        &self,
        prefix: &Prefix,
        mut x: Tensor<2>,
        packing: &Packing,
        reach: Reach,
    ) -> Tensor<2> {
        self.run(&mut x, packing, reach, Some(prefix), |_| ());
        self.final_norm(x)
    }

    /// [`Decoder::hidden`], causal, of rows that continue a prefix where there is one; and the prefix with these rows
    /// behind it, the sequences as [`Packing::extended_rows`] says.
    pub fn extended(
        &self,
        prefix: Option<&Prefix>,
        mut x: Tensor<2>,
        packing: &Packing,
    ) -> (Tensor<2>, Prefix) {
        let extended = self.run(&mut x, packing, Reach::Causal, prefix, |_| ());
        (self.final_norm(x), extended)
    }

    fn final_norm(&self, x: Tensor<2>) -> Tensor<2> {
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

    /// Runs all layers; `before` sees the residual stream before each of them. Gives the keys and values that were read.
    fn run(
        &self,
        x: &mut Tensor<2>,
        packing: &Packing,
        reach: Reach,
        prefix: Option<&Prefix>,
        mut before: impl FnMut(&Tensor<2>),
    ) -> Prefix {
        let device = x.device();
        let all = self.attention_shape(packing, &packing.lengths, reach);
        let only_wanted = (packing.wanted != packing.lengths).then(|| {
            let shape = self.attention_shape(packing, &packing.wanted, reach);
            (shape, rows_tensor(&packing.wanted_rows(), &device))
        });
        let key_rows = prefix
            .map(|prefix| rows_tensor(&packing.key_rows(prefix.key_values[0].dims()[0]), &device));
        let mut key_values = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            before(x);
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
            *x = self.after_keys(layer, x.clone(), normed, key_value.clone(), shape);
            key_values.push(key_value);
        }
        Prefix { key_values }
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
        let mut key_value = normed.clone().matmul(layer.key_value.clone());
        if let Some(bias) = &layer.bias {
            key_value = key_value.add(bias.key_value.clone());
        }
        let Some(lora) = &layer.lora else {
            return key_value;
        };
        let width = self.sizes.num_kv_heads * self.sizes.head_dim();
        let key = key_value.clone().narrow(1, 0, width);
        let value = key_value.narrow(1, width, width);
        let change = lora
            .value
            .of(normed.clone(), lora.scale, self.dropout.as_ref());
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
        if let Some(bias) = &layer.bias {
            query = query.add(bias.query.clone());
        }
        if let Some(lora) = &layer.lora {
            query = query.add(lora.query.of(normed, lora.scale, self.dropout.as_ref()));
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
        let mut spans = packing.spans(queries);
        if self.rope_of_rows {
            spans
                .iter_mut()
                .for_each(|span| span.rope_start = span.key_start);
        }
        Arc::new(AttentionShape {
            num_heads: self.sizes.num_heads,
            num_kv_heads: self.sizes.num_kv_heads,
            head_dim: self.sizes.head_dim(),
            reach,
            spans,
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

    /// All zero but the norms, to be read into: to draw billions of numbers takes minutes.
    pub fn zeros(sizes: LlamaSizes, vocab_size: usize, kernels: Kernels, device: &Device) -> Self {
        let table = || Tensor::zeros([vocab_size, sizes.hidden_size], device);
        let matrix = |inputs, outputs| Tensor::zeros([inputs, outputs], device);
        Self {
            embedding: table(),
            head: (sizes.head == Head::Untied).then(table),
            decoder: Decoder::with_matrices(sizes, kernels, matrix, device),
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
