//! The loss that draws implicit tokens to the written reasoning that they stand for (METHOD, section 6).

use burn::Tensor;

use super::llama::Llama;
use super::sentence_transformer::{SentenceTransformer, hidden_state, mean_rows, unit_rows};

/// Where implicit tokens are compared with written reasoning.
#[derive(Clone, Debug)]
pub struct Alignment {
    /// Without it the means are compared as they are.
    pub sentence: Option<SentenceTransformer>,
    /// Number of the target's hidden state that written reasoning is given by.
    pub hidden_state: usize,
}

impl Alignment {
    /// Embeddings `[sequences, width]` of packed hidden states or vectors.
    pub fn embed(&self, x: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        match &self.sentence {
            Some(sentence) => sentence.embed(x, lengths),
            None => mean_rows(x, lengths),
        }
    }

    /// 1 − cos of written reasonings and the vectors of each: `[reasonings, 1]`. Gradients flow to the vectors alone.
    pub fn losses(&self, target: &Llama, reasonings: &[&[u32]], vectors: &Tensor<2>) -> Tensor<2> {
        let (x, lengths) = hidden_state(target, self.hidden_state, reasonings);
        let written = unit_rows(self.embed(x, &lengths)).detach();
        let k = vectors.dims()[0] / reasonings.len();
        let thoughts = unit_rows(self.embed(vectors.clone(), &vec![k; reasonings.len()]));
        let cosines = written.mul(thoughts).sum_dim(1);
        cosines.neg().add_scalar(1.0)
    }
}
