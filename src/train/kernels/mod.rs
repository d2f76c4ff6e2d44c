//! The four operations of the forward pass that are worth a kernel of their own in training, with their gradients.
//!
//! burn composes them from ten to thirty elementary tensor operations each, and on the CPU the elementary operations'
//! copies cost more than the matrix products (figures in ARCHITECTURE.md). Each is written twice: `fused` for burn's
//! Flex backend, one loop forward and one backward; `composed` from differentiable burn operations, for every other
//! backend, for numbers of 16 bits (norms, rotary embedding, softmax and losses in f32 even then), and as the truth that the
//! fused one is tested against. Matrix products, sums and look-ups are burn's.
//!
//! Rows of all sequences of a batch lie packed one after the other, `[rows, width]`, without padding.

pub mod composed;
pub mod fused;
mod rope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::DType;

pub use rope::RopeTable;

/// Which of the two implementations a model calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    /// One loop each, for burn's Flex backend under autodiff.
    Fused,
    /// Elementary burn operations, for any backend.
    Composed,
}

impl Kernels {
    /// These, or the composed ones where these know no heads of that width.
    pub fn for_head_dim(self, head_dim: usize) -> Self {
        match self {
            Kernels::Fused if fused::HEAD_DIMS.contains(&head_dim) => Kernels::Fused,
            _ => Kernels::Composed,
        }
    }

    /// These, or the composed ones for other numbers than f32.
    fn for_numbers(self, x: &Tensor<2>) -> Self {
        match (self, x.dtype()) {
            (Kernels::Fused, DType::F32) => Kernels::Fused,
            _ => Kernels::Composed,
        }
    }
}

/// Where one sequence lies in the packed rows: its queries are the last `query_len` of its `key_len` positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub query_start: usize,
    pub query_len: usize,
    pub key_start: usize,
    pub key_len: usize,
    /// Row of the rotary table for its first position.
    pub rope_start: usize,
}

/// Which keys a query may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its own position and those before.
    Causal,
    /// Every position of its sequence.
    Full,
    /// As [`Reach::Causal`], but no query reads the last position, not even itself (METHOD, COCONUT's quirk).
    CausalButNewest,
}

impl Reach {
    /// How many keys, from the first on, the query at a position reads among `key_len`.
    pub fn readable(self, position: usize, key_len: usize) -> usize {
        match self {
            Reach::Causal => position + 1,
            Reach::Full => key_len,
            Reach::CausalButNewest => (position + 1).min(key_len - 1),
        }
    }
}

/// What attention needs to know besides its tensors.
#[derive(Clone, Debug)]
pub struct AttentionShape {
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub head_dim: usize,
    pub reach: Reach,
    pub spans: Vec<Span>,
    pub rope: Arc<RopeTable>,
}

impl AttentionShape {
    /// Rows of the query tensor.
    pub fn query_rows(&self) -> usize {
        self.spans.iter().map(|span| span.query_len).sum()
    }
}

/// `y = w ⊙ x / sqrt(mean(x²) + eps)` of every row. `x` is `[rows, d]`, `weight` `[1, d]`.
pub fn rms_norm(kernels: Kernels, x: Tensor<2>, weight: Tensor<2>, eps: f32) -> Tensor<2> {
    match kernels.for_numbers(&x) {
        Kernels::Fused => fused::rms_norm(x, weight, eps),
        Kernels::Composed => composed::rms_norm(x, weight, eps),
    }
}

/// `silu(gate) ⊙ up` for `[rows, 2 · width]` holding gate and up side by side.
pub fn swiglu(kernels: Kernels, gate_up: Tensor<2>) -> Tensor<2> {
    match kernels.for_numbers(&gate_up) {
        Kernels::Fused => fused::swiglu(gate_up),
        Kernels::Composed => composed::swiglu(gate_up),
    }
}

/// Rotary embedding and softmax attention. `query` is `[query rows, heads · head_dim]`, `key_value`
/// `[key rows, 2 · kv_heads · head_dim]` with keys left of values; the result has the shape of `query`.
pub fn attention(
    kernels: Kernels,
    query: Tensor<2>,
    key_value: Tensor<2>,
    shape: &Arc<AttentionShape>,
) -> Tensor<2> {
    match kernels.for_numbers(&query) {
        Kernels::Fused => fused::attention(query, key_value, shape),
        Kernels::Composed => composed::attention(query, key_value, shape),
    }
}

/// `Σ weight_i · −log softmax(logits_i)[target_i]` over the rows, as a tensor of one element, in f32.
pub fn cross_entropy(
    kernels: Kernels,
    logits: Tensor<2>,
    targets: &[u32],
    weights: &[f32],
) -> Tensor<1> {
    match kernels.for_numbers(&logits) {
        Kernels::Fused => fused::cross_entropy(logits, targets, weights),
        Kernels::Composed => composed::cross_entropy(logits, targets, weights),
    }
}
