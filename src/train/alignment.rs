//! The loss that draws implicit tokens to the written reasoning that they stand for (METHOD, section 6).

use std::ops::Range;

use burn::Tensor;

use super::llama::{Llama, rows_tensor};
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

    /// 1 − cos of written reasonings and the vectors of each: `[reasonings, 1]`. Every reasoning is cut into the same number
    /// of `parts`, tokens of it that may overlap; its vectors are shared out among them in order, and its loss is the mean.
    /// Gradients flow to the vectors alone.
    pub fn losses(
        &self,
        target: &Llama,
        reasonings: &[&[u32]],
        parts: &[Vec<Range<usize>>],
        vectors: &Tensor<2>,
    ) -> Tensor<2> {
        let count = reasonings.len();
        let parts_of_each = parts[0].len();
        let (x, lengths) = hidden_state(target, self.hidden_state, reasonings);
        let mut rows = Vec::new();
        let mut start = 0;
        for (parts, length) in parts.iter().zip(&lengths) {
            let of_all = |part: &Range<usize>| start + part.start..start + part.end;
            rows.extend(parts.iter().flat_map(of_all));
            start += length;
        }
        let x = x.clone().select(0, rows_tensor(&rows, &x.device()));
        let lengths: Vec<usize> = parts.iter().flatten().map(Range::len).collect();
        let written = unit_rows(self.embed(x, &lengths)).detach();
        let vectors_of_part = vectors.dims()[0] / (count * parts_of_each);
        let thoughts = self.embed(
            vectors.clone(),
            &vec![vectors_of_part; count * parts_of_each],
        );
        let cosines = written.mul(unit_rows(thoughts)).sum_dim(1);
        let cosines = cosines.reshape([count, parts_of_each]).mean_dim(1);
        cosines.neg().add_scalar(1.0)
    }
}
