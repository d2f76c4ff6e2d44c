//! Runs lists of steps on the CPU: one loaded model with its cache. What a step computes is in [`steps`].

mod steps;

use super::{Linear, matmul, sample, select};
use crate::formats::source::ByteSource;
use crate::model::step::{EMBEDDING_GIVEN, Slot};
use crate::model::{
    ForwardOptions, Head, KvType, Model, ModelError, RequestError, RunState, Sampling, check_ids,
    forward, read_weights, rope_frequencies, rope_table,
};

/// Bytes of weights read at a time.
const CHUNK_BYTES: usize = 1 << 22;

/// Positions of the cache where the caller does not say. Files name contexts of 2^17 and more,
/// whose cache would take gigabytes; nobody waits for that many positions on a CPU.
const DEFAULT_POSITIONS: usize = 4096;

/// How a model is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorOptions {
    /// Type of cached keys and values.
    pub kv_type: KvType,
    /// Most positions of the cache, 4096 where absent; never more than the model's context length.
    pub positions: Option<usize>,
}

/// A model on the CPU.
pub struct Executor {
    model: Model,
    /// Dequantized, by [`WeightId`](crate::model::step::WeightId); `[rows, cols]`.
    weights: Vec<Vec<f32>>,
    /// `[positions, head_dim / 2]` of (cos, sin).
    rotations: Vec<[f32; 2]>,
    kv_type: KvType,
    /// Keys and values of each layer, `[positions, num_kv_heads, head_dim]`.
    caches: Vec<Cache>,
    slots: Slots,
    /// The sequence, and room for one token behind it.
    tokens: Vec<u32>,
    run: RunState,
}

#[derive(Clone, Default)]
struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// The activations, `[rows of the present pass, width]`.
#[derive(Default)]
struct Slots {
    residual: Vec<f32>,
    qkv: Vec<f32>,
    attention: Vec<f32>,
    feed_forward: Vec<f32>,
    hidden: Vec<f32>,
    logits: Vec<f32>,
}

impl Slots {
    fn get(&self, slot: Slot) -> &[f32] {
        match slot {
            Slot::Residual => &self.residual,
            Slot::Qkv => &self.qkv,
            Slot::Attention => &self.attention,
            Slot::FeedForward => &self.feed_forward,
            Slot::Hidden => &self.hidden,
            Slot::Logits => &self.logits,
        }
    }

    fn of(&mut self, slot: Slot) -> &mut Vec<f32> {
        match slot {
            Slot::Residual => &mut self.residual,
            Slot::Qkv => &mut self.qkv,
            Slot::Attention => &mut self.attention,
            Slot::FeedForward => &mut self.feed_forward,
            Slot::Hidden => &mut self.hidden,
            Slot::Logits => &mut self.logits,
        }
    }
}

impl Executor {
    /// Opens a model file and dequantizes its weights.
    pub async fn load(
        source: &impl ByteSource,
        options: ExecutorOptions,
    ) -> Result<Self, ModelError> {
        Self::of_model(Model::open(source).await?, source, options).await
    }

    /// Opens a sentence transformer's file likewise.
    pub async fn load_sentence_transformer(
        source: &impl ByteSource,
        options: ExecutorOptions,
    ) -> Result<Self, ModelError> {
        let model = Model::open_sentence_transformer(source).await?;
        Self::of_model(model, source, options).await
    }

    async fn of_model(
        model: Model,
        source: &impl ByteSource,
        options: ExecutorOptions,
    ) -> Result<Self, ModelError> {
        let mut weights = vec![Vec::new(); model.weights.list.len()];
        for (values, weight) in weights.iter_mut().zip(&model.weights.list) {
            *values = vec![0.0; weight.rows * weight.cols];
        }
        read_weights(source, &model, CHUNK_BYTES, |chunk| {
            let weight = model.weights.get(chunk.weight);
            let values = weight.weight_type.dequantize(&chunk.raw);
            let first = chunk.first_row * weight.cols;
            weights[chunk.weight.0][first..first + values.len()].copy_from_slice(&values);
        })
        .await?;
        let config = &model.config;
        let positions = options.positions.unwrap_or(DEFAULT_POSITIONS);
        let positions = positions.min(config.context_length);
        let factors = model
            .weights
            .rope_factors
            .map(|id| weights[id.0].as_slice());
        let rotations = rope_table(&rope_frequencies(config, factors), positions);
        let cache_len = positions * config.kv_width();
        let cache = Cache {
            keys: vec![0.0; cache_len],
            values: vec![0.0; cache_len],
        };
        Ok(Self {
            caches: vec![cache; config.num_layers],
            tokens: vec![0; positions + 1],
            weights,
            rotations,
            kv_type: options.kv_type,
            slots: Slots::default(),
            run: RunState::default(),
            model,
        })
    }

    /// What was loaded.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Positions that the cache holds.
    pub fn positions(&self) -> usize {
        self.tokens.len() - 1
    }

    /// Logits `[ids.len(), vocab_size]` at every position. Rows of `ids` that are
    /// [`EMBEDDING_GIVEN`](crate::model::step::EMBEDDING_GIVEN) take the rows of `given`
    /// `[any, hidden_size]` in order.
    pub fn logits(&mut self, ids: &[u32], given: &[f32]) -> Result<Vec<f32>, RequestError> {
        self.pass(ids, given, Head::AllLogits.into())?;
        Ok(self.slots.logits.clone())
    }

    /// Logits `[vocab_size]` at the last position.
    pub fn last_logits(&mut self, ids: &[u32], given: &[f32]) -> Result<Vec<f32>, RequestError> {
        self.pass(ids, given, Head::LastLogits.into())?;
        Ok(self.slots.logits.clone())
    }

    /// Hidden states `[ids.len(), hidden_size]` after the final norm.
    pub fn hidden_states(&mut self, ids: &[u32], given: &[f32]) -> Result<Vec<f32>, RequestError> {
        self.pass(ids, given, Head::HiddenStates.into())?;
        Ok(self.slots.hidden.clone())
    }

    /// The residual stream `[ids.len(), hidden_size]` after the first `layers` layers.
    pub fn residual(
        &mut self,
        ids: &[u32],
        given: &[f32],
        layers: usize,
    ) -> Result<Vec<f32>, RequestError> {
        let options = ForwardOptions {
            layers: Some(layers),
            head: Head::None,
        };
        self.pass(ids, given, options)?;
        Ok(self.slots.residual.clone())
    }

    /// A sentence transformer's embedding of rows `[any, hidden_size]` of the residual stream.
    pub fn sentence_embedding(&mut self, rows: &[f32]) -> Result<Vec<f32>, RequestError> {
        let field = "the rows to embed";
        let count = rows.len() / self.model.config.hidden_size;
        if count == 0 {
            return Err(RequestError::Empty { field });
        }
        if count > self.positions() {
            return Err(RequestError::TooLong {
                field,
                tokens: count as u64,
                capacity: self.positions(),
            });
        }
        self.run = RunState {
            rows: count as u32,
            ..RunState::default()
        };
        self.slots.residual = rows.to_vec();
        let steps = forward(
            &self.model.config,
            &self.model.weights,
            Head::Sentence.into(),
        );
        self.execute(&steps, &[]);
        Ok(self.slots.logits.clone())
    }

    /// The input embeddings `[ids.len(), hidden_size]` of tokens.
    pub fn embeddings(&mut self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        let mut rows = Vec::with_capacity(ids.len() * self.model.config.hidden_size);
        for ids in ids.chunks(self.positions()) {
            rows.extend(self.residual(ids, &[], 0)?);
        }
        Ok(rows)
    }

    /// Reads a prompt from position 0 on.
    pub(super) fn pass(
        &mut self,
        ids: &[u32],
        given: &[f32],
        options: ForwardOptions,
    ) -> Result<(), RequestError> {
        self.begin(ids, given, RunState::default())?;
        self.execute(
            &forward(&self.model.config, &self.model.weights, options),
            given,
        );
        Ok(())
    }

    /// Reads `count` positions again: in place of their tokens their hidden states, which are rows `first` and further ones
    /// of those of the pass before.
    pub(super) fn pass_again(&mut self, first: u32, position: u32, count: u32) {
        let width = self.model.config.hidden_size;
        let given = self.slots.hidden[first as usize * width..][..count as usize * width].to_vec();
        self.tokens[position as usize..][..count as usize].fill(EMBEDDING_GIVEN);
        self.run = RunState {
            rows: count,
            position,
            ..RunState::default()
        };
        let options = Head::HiddenStates.into();
        self.execute(
            &forward(&self.model.config, &self.model.weights, options),
            &given,
        );
    }

    /// Puts a prompt at position 0; `run` says what is to be written behind it.
    pub(super) fn begin(
        &mut self,
        ids: &[u32],
        given: &[f32],
        run: RunState,
    ) -> Result<(), RequestError> {
        let config = &self.model.config;
        let field = "the prompt";
        let marked = check_ids(field, ids, 0, config.vocab_size, self.positions())?;
        if marked * config.hidden_size != given.len() {
            return Err(RequestError::Given {
                field,
                marked,
                given: given.len() / config.hidden_size,
            });
        }
        self.tokens[..ids.len()].copy_from_slice(ids);
        self.run = RunState {
            rows: ids.len() as u32,
            position: 0,
            ..run
        };
        Ok(())
    }

    /// Chooses the next token from the logits; `None` when the run had ended.
    pub(super) fn choose(&mut self, sampling: &Sampling) -> Option<u32> {
        if self.run.done != 0 {
            return None;
        }
        let (run, logits, tokens) = (&mut self.run, &mut self.slots.logits, &mut self.tokens);
        match sampling.is_greedy() {
            true => select(run, logits, tokens),
            false => sample(run, sampling, logits, tokens),
        }
        Some(self.tokens[self.run.position as usize])
    }

    /// Whether the run has ended.
    pub(super) fn is_done(&self) -> bool {
        self.run.done != 0
    }

    /// Rows `first..first + count` of the hidden states, projected: `[count, target hidden size]`.
    pub(super) fn project(&self, first: u32, count: u32) -> Vec<f32> {
        let projection = self.model.weights.projection;
        let projection = projection.expect("pairs are made of generators only");
        let weight = self.model.weights.get(projection.weight);
        let linear = Linear {
            width: weight.cols,
            out_width: weight.rows,
            out_stride: weight.rows,
            ..Linear::default()
        };
        let run = RunState {
            rows: count,
            first_row: first,
            ..RunState::default()
        };
        let mut rows = vec![0.0; count as usize * weight.rows];
        matmul(
            &run,
            &linear,
            self.weight(projection.weight),
            Some(self.weight(projection.bias)),
            &self.slots.hidden,
            &mut rows,
        );
        rows
    }
}
