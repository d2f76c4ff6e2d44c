//! The vocabulary of the forward pass: a model is a list of [`Step`]s that read and write named
//! activation buffers. `model::llama` writes the list once; `gpu` turns it into dispatches and
//! `reference` runs it on the CPU, so that there is one forward pass and two ways to execute it.
//!
//! A step works on all rows of the present run: `n` rows in prefill, one row in decode.
//! Shapes are row-major, `[rows, width]`.

use super::HeadNorms;

/// An activation buffer of a model. All are f32, `[max_rows, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Residual stream, width `hidden_size`.
    Residual,
    /// Queries, keys and values side by side, width `(num_heads + 2 * num_kv_heads) * head_dim`.
    Qkv,
    /// Attention output before its projection, width `num_heads * head_dim`.
    Attention,
    /// Gated feed-forward activation, width `intermediate_size`.
    FeedForward,
    /// Hidden states after the final norm, width `hidden_size`.
    Hidden,
    /// Logits, width `vocab_size`: of the last row in row 0, or of all rows.
    Logits,
}

/// Index of a weight in a model's list of weights (`model::Weights`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeightId(pub usize);

/// What a linear step does with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// `y[:, first..first+rows_of_w] = W x`.
    Store {
        /// First column written.
        first: u32,
    },
    /// `y += W x` (the residual connection).
    Add,
    /// `y = silu(y) * W x`, where y holds the gate.
    TimesSilu,
}

/// One operation of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// `out[row] = table[ids[row]]`; a row whose id is [`EMBEDDING_GIVEN`] keeps what was put there before.
    Embed {
        /// `[vocab_size, hidden_size]`.
        table: WeightId,
        /// Where rows go.
        out: Slot,
    },
    /// `out = norm_weight * x / sqrt(mean(x^2) + eps)`.
    RmsNorm {
        /// Input.
        x: Slot,
        /// `[hidden_size]`.
        weight: WeightId,
        /// Output, same width.
        out: Slot,
    },
    /// `out (=|+=) W norm(x) + bias`; `norm` absent means `x` as it is.
    Linear {
        /// Input.
        x: Slot,
        /// RMS norm weight applied to the input first, `[in]`.
        norm: Option<WeightId>,
        /// `[out, in]`.
        weight: WeightId,
        /// `[out]`.
        bias: Option<WeightId>,
        /// Output.
        out: Slot,
        /// Store or add.
        output: Output,
        /// Only the last row of the run is computed (the head); it is written to row 0.
        last_row_only: bool,
    },
    /// `out = silu(W_gate norm(x)) * (W_up norm(x))`.
    GatedLinear {
        /// Input.
        x: Slot,
        /// RMS norm weight applied to the input first.
        norm: WeightId,
        /// `[2 * intermediate_size, hidden_size]`: the rows of W_gate, then those of W_up.
        weight: WeightId,
        /// Output, width `intermediate_size`.
        out: Slot,
    },
    /// Norms the heads of queries and keys of [`Slot::Qkv`] where there are norms for them, rotates
    /// them (queries in place), and stores keys and values in the layer's cache at the rows'
    /// positions.
    RotateAndCache {
        /// Layer whose cache is written.
        layer: u32,
        /// RMS norms of each head of queries and of keys before rotation.
        norms: Option<HeadNorms>,
    },
    /// Grouped-query attention of the queries in [`Slot::Qkv`] over the layer's cache, into
    /// [`Slot::Attention`]: causal, up to each row's own position, but in a sentence transformer that
    /// sees all rows.
    Attend {
        /// Layer whose cache is read.
        layer: u32,
    },
    /// `out[last row of the run] = mean over the rows of x`.
    Mean {
        /// Input.
        x: Slot,
        /// Output, another slot of the same width.
        out: Slot,
    },
}

/// Token id that stands for "this row's embedding was written by someone else" (an implicit
/// token, a spliced embedding).
pub const EMBEDDING_GIVEN: u32 = u32::MAX;
