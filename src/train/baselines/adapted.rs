//! The frozen target with what the baselines train of it: changes of low rank, and tokens added behind its vocabulary.

use burn::Tensor;

use super::mean_cross_entropy;
use crate::train::kernels::Reach;
use crate::train::llama::{Llama, Named, Packing, rows_tensor};

/// The row of an added token in the embedding table and in the head, `[1, hidden]` each.
#[derive(Clone, Debug)]
pub struct AddedToken {
    pub embedding: Tensor<2>,
    pub head: Tensor<2>,
}

/// A target whose layers have changes of low rank. Its added tokens have the ids from the size of its vocabulary on; of
/// these only the last trains, as published.
#[derive(Clone, Debug)]
pub struct AdaptedTarget {
    pub model: Llama,
    pub added: Vec<AddedToken>,
}

impl AdaptedTarget {
    /// Id of an added token.
    pub fn added_id(&self, number: usize) -> u32 {
        (self.model.embedding.dims()[0] + number) as u32
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.model.decoder.lora_parameters();
        if let Some(last) = self.added.last_mut() {
            named.push(("embedding_row".into(), &mut last.embedding));
            named.push(("head_row".into(), &mut last.head));
        }
        named
    }

    /// What the first layer reads for ids, added ones among them.
    pub fn embed(&self, ids: &[u32]) -> Tensor<2> {
        let first_added = self.added_id(0);
        let of_vocabulary: Vec<u32> = (ids.iter().copied())
            .filter(|&id| id < first_added)
            .collect();
        let known = of_vocabulary.len();
        let mut next = 0;
        let row = |&id: &u32| match id.checked_sub(first_added) {
            Some(number) => known + number as usize,
            None => {
                next += 1;
                next - 1
            }
        };
        let rows: Vec<usize> = ids.iter().map(row).collect();
        let mut tables = Vec::new();
        if known > 0 {
            tables.push(self.model.embed(&of_vocabulary));
        }
        let scale = self.model.embedding_scale();
        let added = |token: &AddedToken| token.embedding.clone().mul_scalar(scale);
        tables.extend(self.added.iter().map(added));
        let x = Tensor::cat(tables, 0);
        let rows = rows_tensor(&rows, &x.device());
        x.select(0, rows)
    }

    /// Logits `[rows, vocab + added]` of normed hidden rows.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let mut columns = vec![self.model.logits(hidden.clone())];
        let added = |token: &AddedToken| hidden.clone().matmul(token.head.clone().transpose());
        columns.extend(self.added.iter().map(added));
        Tensor::cat(columns, 1)
    }

    /// Normed hidden states of the last `wanted` rows of one sequence.
    pub fn last_hidden(&self, x: Tensor<2>, wanted: usize, reach: Reach) -> Tensor<2> {
        let packing = Packing {
            lengths: vec![x.dims()[0]],
            wanted: vec![wanted],
            before: Vec::new(),
        };
        self.model.decoder.hidden(x, &packing, reach)
    }

    /// The mean loss on `labels`, which the last rows of `x` predict.
    pub fn loss_at_end(&self, x: Tensor<2>, labels: &[u32]) -> Tensor<1> {
        let hidden = self.last_hidden(x, labels.len(), Reach::Causal);
        let kernels = self.model.decoder.kernels;
        mean_cross_entropy(kernels, self.logits(hidden), labels)
    }
}

/// All but the last of a sequence: what is read where the last is only to be predicted.
pub fn without_last(ids: &[u32]) -> &[u32] {
    &ids[..ids.len().saturating_sub(1)]
}
