//! One loaded model with its cache, and its passes; their steps are in [`steps`].

mod steps;

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use super::cache::{AttendScratch, Cache};
use super::matrix::Matrix;
use super::pause::{Pause, Pauses};
use super::product::{Scratch, product};
use crate::formats::source::ByteSource;
use crate::model::step::{EMBEDDING_GIVEN, Slot, Step, WeightId};
use crate::model::{
    ForwardOptions, Head, KvType, LlamaConfig, Model, ModelError, QueryKeyValue, RequestError,
    RunState, Sampling, Weight, Weights, check_ids, forward, read_weights, rope_frequencies,
    rope_table,
};
use crate::reference::{sample, select};

/// Bytes of weights read at a time.
const CHUNK_BYTES: usize = 1 << 22;

/// Positions of the cache where the caller does not say. Files name contexts of 2^17 and more, whose
/// cache would take gigabytes; nobody waits for that many positions on a CPU.
const DEFAULT_POSITIONS: usize = 4096;

/// Rows of a prompt that pass through all layers together: enough that unpacking matrices costs
/// little, few enough that activations stay in the processor's caches.
const MOST_ROWS: usize = 64;

/// How a model is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuModelOptions {
    /// Type of cached keys and values.
    pub kv: KvType,
    /// Most positions of the cache, 4096 where absent; never more than the model's context length.
    pub positions: Option<usize>,
}

/// Bytes that a model's weights and cache take.
pub fn memory_bytes(model: &Model, options: CpuModelOptions) -> u64 {
    let weights = model.weights.list.iter();
    let weights = weights.map(|it| Matrix::bytes_of(it.weight_type, it.rows, it.cols));
    let config = &model.config;
    let layer = 2 * options.positions_of(config) * config.kv_width() * options.kv.value_bytes();
    weights.sum::<u64>() + (config.num_layers * layer) as u64
}

impl CpuModelOptions {
    fn positions_of(&self, config: &LlamaConfig) -> usize {
        let positions = self.positions.unwrap_or(DEFAULT_POSITIONS);
        positions.min(config.context_length)
    }
}

/// A model in memory.
pub struct CpuModel {
    model: Model,
    /// By [`WeightId`].
    weights: Vec<Loaded>,
    /// `[positions, head_dim / 2]` of (cos, sin).
    rotations: Vec<[f32; 2]>,
    caches: Vec<Cache>,
    slots: [Vec<f32>; SLOTS],
    /// The sequence, and room for one token behind it.
    tokens: Vec<u32>,
    pub(super) run: RunState,
    /// Rows of embeddings that are given, `[any, hidden_size]`, and how many of them are used up.
    given: Vec<f32>,
    given_rows: usize,
    normed: Vec<f32>,
    products: Vec<f32>,
    scratch: Scratch,
    attend_scratch: AttendScratch,
    options: CpuModelOptions,
    /// Every step of a pass, with logits of the last row.
    steps: Vec<Step>,
    /// The same without the head.
    steps_without_head: Vec<Step>,
}

/// A weight in memory.
enum Loaded {
    Matrix(Matrix),
    /// Of norms and biases, `[len]`.
    Vector(Vec<f32>),
}

/// Number of [`Slot`]s.
const SLOTS: usize = 6;

fn index(slot: Slot) -> usize {
    match slot {
        Slot::Residual => 0,
        Slot::Qkv => 1,
        Slot::Attention => 2,
        Slot::FeedForward => 3,
        Slot::Hidden => 4,
        Slot::Logits => 5,
    }
}

impl CpuModel {
    /// Reads the weights of an opened model.
    ///
    /// # Errors
    /// When they cannot be read, or hold what is no number.
    pub async fn load(
        model: Model,
        source: &impl ByteSource,
        options: CpuModelOptions,
    ) -> Result<Self, ModelError> {
        let vectors = vectors(&model.weights);
        let list = model.weights.list.iter().enumerate();
        let mut weights: Vec<Loaded> = list
            .map(|(index, it)| Loaded::room_for(it, vectors.contains(&WeightId(index))))
            .collect();
        read_weights(source, &model, CHUNK_BYTES, |chunk| {
            let weight_type = model.weights.get(chunk.weight).weight_type;
            match &mut weights[chunk.weight.0] {
                Loaded::Matrix(matrix) => matrix.set_rows(chunk.first_row, &chunk.raw),
                Loaded::Vector(values) => {
                    let new = weight_type.dequantize(&chunk.raw);
                    // A stacked vector comes as a column, whose rows are values.
                    let cols = values.len() / model.weights.get(chunk.weight).rows;
                    values[chunk.first_row * cols..][..new.len()].copy_from_slice(&new);
                }
            }
        })
        .await?;
        let config = &model.config;
        let positions = options.positions_of(config);
        let factors = model.weights.rope_factors.map(|id| weights[id.0].vector());
        let rotations = rope_table(&rope_frequencies(config, factors), positions);
        let cache = |_| Cache::new(options.kv, config.num_kv_heads, positions, config.head_dim);
        let steps = |head: Head| forward(config, &model.weights, head.into());
        Ok(Self {
            caches: (0..config.num_layers).map(cache).collect(),
            tokens: vec![0; positions + 1],
            rotations,
            slots: Default::default(),
            run: RunState::default(),
            given: Vec::new(),
            given_rows: 0,
            normed: Vec::new(),
            products: Vec::new(),
            scratch: Scratch::default(),
            attend_scratch: AttendScratch::default(),
            options,
            steps: steps(Head::LastLogits),
            steps_without_head: steps(Head::None),
            weights,
            model,
        })
    }

    /// What its file says.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Shape and constants.
    pub fn config(&self) -> &LlamaConfig {
        &self.model.config
    }

    /// How it was loaded.
    pub(super) fn options(&self) -> CpuModelOptions {
        self.options
    }

    /// Positions that the cache holds.
    pub fn positions(&self) -> usize {
        self.tokens.len() - 1
    }

    /// Bytes of its weights in memory.
    pub fn size_bytes(&self) -> u64 {
        self.weights.iter().map(Loaded::size_bytes).sum()
    }

    /// Bytes of weights in memory that a pass of one token reads.
    pub fn pass_bytes(&self) -> u64 {
        let read = self.model.weights.of_a_pass();
        read.map(|id| self.weights[id.0].size_bytes()).sum()
    }

    /// Runs a prompt from position 0 and gives the values that [`ForwardOptions`] name: of all rows,
    /// or of the last. Rows of `ids` that are [`EMBEDDING_GIVEN`] take the rows of `given` in order.
    /// Nothing when the pause says to stop.
    ///
    /// # Errors
    /// When the prompt does not fit, or `given` are not the rows that it marks.
    pub async fn forward<P: Pause>(
        &mut self,
        ids: &[u32],
        given: Vec<f32>,
        options: ForwardOptions,
        pauses: &mut Pauses<P>,
    ) -> Result<Option<Vec<f32>>, RequestError> {
        self.begin(ids, given, RunState::default())?;
        let slot = match options.head {
            Head::None => Slot::Residual,
            Head::HiddenStates => Slot::Hidden,
            Head::LastLogits | Head::AllLogits | Head::Sentence => Slot::Logits,
        };
        let steps = forward(&self.model.config, &self.model.weights, options);
        let last_only = options.head == Head::LastLogits;
        let mut values = Vec::new();
        for rows in pieces(ids.len()) {
            let is_last = rows.end == ids.len();
            if self.piece(rows, &steps, pauses).await.is_break() {
                return Ok(None);
            }
            if is_last || !last_only {
                values.extend_from_slice(&self.slots[index(slot)]);
            }
        }
        Ok(Some(values))
    }

    /// Reads the positions from `first` on again, with `rows` `[any, hidden_size]` in place of their tokens, and gives their
    /// hidden states. Nothing when the pause says to stop.
    pub(super) async fn pass_again<P: Pause>(
        &mut self,
        rows: Vec<f32>,
        first: usize,
        pauses: &mut Pauses<P>,
    ) -> Option<Vec<f32>> {
        let config = &self.model.config;
        let count = rows.len() / config.hidden_size;
        let steps = forward(config, &self.model.weights, Head::HiddenStates.into());
        self.tokens[first..first + count].fill(EMBEDDING_GIVEN);
        (self.given, self.given_rows) = (rows, 0);
        let mut hidden = Vec::new();
        for rows in pieces(count) {
            let rows = first + rows.start..first + rows.end;
            if self.piece(rows, &steps, pauses).await.is_break() {
                return None;
            }
            hidden.extend_from_slice(&self.slots[index(Slot::Hidden)]);
        }
        Some(hidden)
    }

    /// A sentence transformer's embedding of rows `[any, hidden_size]` of the residual stream; nothing
    /// when the pause says to stop.
    ///
    /// # Errors
    /// When there are no rows, or too many.
    pub(super) async fn sentence_embedding<P: Pause>(
        &mut self,
        rows: &[f32],
        pauses: &mut Pauses<P>,
    ) -> Result<Option<Vec<f32>>, RequestError> {
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
        let residual = &mut self.slots[index(Slot::Residual)];
        residual.clear();
        residual.extend_from_slice(rows);
        let options = Head::Sentence.into();
        let steps = forward(&self.model.config, &self.model.weights, options);
        // In one piece: every row may see every other.
        if self.piece(0..count, &steps, pauses).await.is_break() {
            return Ok(None);
        }
        Ok(Some(self.slots[index(Slot::Logits)].clone()))
    }

    /// The input embeddings `[ids.len(), hidden_size]` of tokens.
    pub(super) fn embeddings(&self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        let config = &self.model.config;
        check_ids("the tokens", ids, 0, config.vocab_size, usize::MAX)?;
        let table = self.model.weights.embedding;
        let table = table.expect("targets and generators have a table");
        let table = self.weights[table.0].matrix();
        let mut rows = vec![0.0; ids.len() * config.hidden_size];
        for (&id, row) in ids.iter().zip(rows.chunks_exact_mut(config.hidden_size)) {
            if id != EMBEDDING_GIVEN {
                table.row(id as usize, row);
            }
        }
        Ok(rows)
    }

    /// Puts a prompt at position 0; `run` says what is to be written behind it.
    pub(super) fn begin(
        &mut self,
        ids: &[u32],
        given: Vec<f32>,
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
        self.given = given;
        self.given_rows = 0;
        self.run = RunState {
            rows: ids.len() as u32,
            position: 0,
            ..run
        };
        Ok(())
    }

    /// Reads the prompt, up to the logits of its last row. Breaks when the pause says to stop.
    pub(super) async fn prefill<P: Pause>(&mut self, pauses: &mut Pauses<P>) -> ControlFlow<()> {
        let len = self.run.rows as usize;
        for rows in pieces(len) {
            let steps = if rows.end == len {
                std::mem::take(&mut self.steps)
            } else {
                std::mem::take(&mut self.steps_without_head)
            };
            let flow = self.piece(rows.clone(), &steps, pauses).await;
            if rows.end == len {
                self.steps = steps;
            } else {
                self.steps_without_head = steps;
            }
            flow?;
        }
        // As one pass: the choice of a token goes on behind all of its rows.
        (self.run.position, self.run.rows) = (0, len as u32);
        ControlFlow::Continue(())
    }

    /// One further pass, of the token that was chosen last.
    pub(super) async fn decode<P: Pause>(&mut self, pauses: &mut Pauses<P>) -> ControlFlow<()> {
        let steps = std::mem::take(&mut self.steps);
        let flow = self.execute(&steps, pauses).await;
        self.steps = steps;
        flow
    }

    /// Chooses the next token from the logits; `None` when the run had ended.
    pub(super) fn choose(&mut self, sampling: &Sampling) -> Option<u32> {
        if self.run.done != 0 {
            return None;
        }
        let logits = &mut self.slots[index(Slot::Logits)];
        let (run, tokens) = (&mut self.run, &mut self.tokens);
        match sampling.is_greedy() {
            true => select(run, logits, tokens),
            false => sample(run, sampling, logits, tokens),
        }
        Some(self.tokens[self.run.position as usize])
    }

    /// Hidden rows `[rows, hidden_size]`, projected: `[rows, target hidden size]`.
    pub(super) fn project(&mut self, hidden: &[f32]) -> Vec<f32> {
        let projection = self.model.weights.projection;
        let projection = projection.expect("pairs are made of generators only");
        let matrix = self.weights[projection.weight.0].matrix();
        let bias = self.weights[projection.bias.0].vector();
        let mut rows = vec![0.0; hidden.len() / matrix.cols * matrix.rows];
        product(matrix, hidden, &mut rows, &mut self.scratch);
        for row in rows.chunks_exact_mut(matrix.rows) {
            row.iter_mut().zip(bias).for_each(|(it, bias)| *it += bias);
        }
        rows
    }
}

/// The rows of a prompt in pieces.
fn pieces(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(MOST_ROWS)
        .map(move |first| first..len.min(first + MOST_ROWS))
}

/// The weights that are no matrices: of norms, biases and rotations.
fn vectors(weights: &Weights) -> BTreeSet<WeightId> {
    let mut vectors = BTreeSet::from([weights.output_norm]);
    vectors.extend(weights.rope_factors);
    vectors.extend(weights.output_bias);
    vectors.extend(weights.projection.map(|it| it.bias));
    for layer in &weights.layers {
        let maps = match layer.query_key_value {
            QueryKeyValue::Stacked(map) => vec![map],
            QueryKeyValue::Separate { query, key, value } => vec![query, key, value],
        };
        let maps = maps.into_iter().chain([layer.attention_output]);
        vectors.extend(maps.filter_map(|it| it.bias));
        vectors.extend([layer.attention_norm, layer.feed_forward_norm]);
        vectors.extend(layer.head_norms.iter().flat_map(|it| [it.query, it.key]));
    }
    vectors
}

impl Loaded {
    fn room_for(weight: &Weight, is_vector: bool) -> Self {
        match is_vector {
            true => Self::Vector(vec![0.0; weight.rows * weight.cols]),
            false => Self::Matrix(Matrix::new(weight.weight_type, weight.rows, weight.cols)),
        }
    }

    fn matrix(&self) -> &Matrix {
        match self {
            Self::Matrix(matrix) => matrix,
            Self::Vector(_) => unreachable!("steps multiply with matrices"),
        }
    }

    fn vector(&self) -> &[f32] {
        match self {
            Self::Vector(values) => values,
            Self::Matrix(_) => unreachable!("steps norm and add by vectors"),
        }
    }

    fn size_bytes(&self) -> u64 {
        match self {
            Self::Matrix(matrix) => matrix.size_bytes(),
            Self::Vector(values) => size_of_val(&values[..]) as u64,
        }
    }
}
