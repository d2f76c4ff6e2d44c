//! The target with what the baselines train of it: changes of low rank or all of it, and tokens added behind its
//! vocabulary.

use std::ops::Range;

use burn::Tensor;
use burn::tensor::Device;

use super::Item;
use super::settings::{AddedRows, BaselineSettings, Tuning};
use crate::train::initialization::Normal;
use crate::train::kernels;
use crate::train::llama::{Llama, Named, Packing, Prefix, rows_tensor, tensors};

/// The row of an added token in the embedding table and in the head, `[1, hidden]` each.
#[derive(Clone, Debug)]
pub struct AddedToken {
    pub embedding: Tensor<2>,
    pub head: Tensor<2>,
}

/// A target that is trained. Its added tokens have the ids from the size of its vocabulary on.
#[derive(Clone, Debug)]
pub struct AdaptedTarget {
    pub model: Llama,
    pub added: Vec<AddedToken>,
    pub added_rows: AddedRows,
    pub tuning: Tuning,
}

/// A part of a sequence that is read.
#[derive(Clone, Debug)]
pub enum Piece<'a> {
    Ids(&'a [u32]),
    /// Rows of the vectors that are read in place of embeddings.
    Vectors(Range<usize>),
}

impl AdaptedTarget {
    /// A target to be trained by the settings, with so many added tokens: each begins as the mean of the old rows, as
    /// published.
    pub fn new(
        settings: &BaselineSettings,
        mut model: Llama,
        added: usize,
        normal: &mut Normal,
        device: &Device,
    ) -> Self {
        if settings.tuning == Tuning::Lora {
            model.decoder.add_lora(&settings.lora, normal, device);
        }
        let mean = |table: &Tensor<2>| table.clone().detach().mean_dim(0);
        let embedding = mean(&model.embedding);
        let head = model.head.as_ref().map_or(embedding.clone(), mean);
        Self {
            model,
            added: vec![AddedToken { embedding, head }; added],
            added_rows: settings.added_rows,
            tuning: settings.tuning,
        }
    }

    /// A target as it is, that only reads and writes.
    pub fn untrained(model: Llama) -> Self {
        Self {
            model,
            added: Vec::new(),
            added_rows: AddedRows::default(),
            tuning: Tuning::Lora,
        }
    }

    /// Id of an added token.
    pub fn added_id(&self, number: usize) -> u32 {
        (self.model.embedding.dims()[0] + number) as u32
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        let first = self.first_trained_row();
        let mut named = match self.tuning {
            Tuning::Lora => self.model.decoder.lora_parameters(),
            Tuning::Whole => self.model.parameters(),
        };
        for (number, token) in self.added.iter_mut().enumerate().skip(first) {
            named.push((
                format!("added.{number}.embedding_row"),
                &mut token.embedding,
            ));
            named.push((format!("added.{number}.head_row"), &mut token.head));
        }
        named
    }

    /// All else that is computed with.
    pub fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        let first_trained = self.first_trained_row();
        let mut frozen = match self.tuning {
            Tuning::Lora => tensors(self.model.parameters()),
            Tuning::Whole => Vec::new(),
        };
        for token in &mut self.added[..first_trained] {
            frozen.extend([&mut token.embedding, &mut token.head]);
        }
        frozen
    }

    /// Number of the first added token that is trained.
    fn first_trained_row(&self) -> usize {
        match self.added_rows {
            AddedRows::All => 0,
            AddedRows::Last => self.added.len().saturating_sub(1),
        }
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
        if self.added.is_empty() {
            return tables.pop().expect("sequences have tokens");
        }
        let scale = self.model.embedding_scale();
        let added = |token: &AddedToken| token.embedding.clone().mul_scalar(scale);
        tables.extend(self.added.iter().map(added));
        let x = Tensor::cat(tables, 0);
        let rows = rows_tensor(&rows, &x.device());
        x.select(0, rows)
    }

    /// Reads the questions, each with an added token behind it: the states of these tokens, what continues keeps, and how it
    /// lies.
    pub fn read_questions(&self, items: &[Item], added: usize) -> (Tensor<2>, Prefix, Packing) {
        let added = [self.added_id(added)];
        let questions: Vec<Vec<Piece<'_>>> = (items.iter())
            .map(|item| vec![Piece::Ids(&item.question), Piece::Ids(&added)])
            .collect();
        let (x, lengths) = self.pack(&questions, None);
        let packing = Packing {
            lengths,
            wanted: vec![1; items.len()],
            before: Vec::new(),
        };
        let (state, prefix) = self.model.decoder.extended(None, x, &packing);
        (state, prefix, packing)
    }

    /// The packed rows of sequences, and the length of each.
    pub fn pack(
        &self,
        sequences: &[Vec<Piece<'_>>],
        vectors: Option<&Tensor<2>>,
    ) -> (Tensor<2>, Vec<usize>) {
        let given = vectors.map_or(0, |vectors| vectors.dims()[0]);
        let (mut ids, mut rows, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for sequence in sequences {
            let start = rows.len();
            for piece in sequence {
                match piece {
                    Piece::Vectors(range) => rows.extend(range.clone()),
                    Piece::Ids(piece) => {
                        let first = given + ids.len();
                        rows.extend(first..first + piece.len());
                        ids.extend_from_slice(piece);
                    }
                }
            }
            lengths.push(rows.len() - start);
        }
        let Some(vectors) = vectors else {
            return (self.embed(&ids), lengths);
        };
        let x = match ids.is_empty() {
            true => vectors.clone(),
            false => Tensor::cat(vec![vectors.clone(), self.embed(&ids)], 0),
        };
        let rows = rows_tensor(&rows, &x.device());
        (x.select(0, rows), lengths)
    }

    /// Logits `[rows, vocab + added]` of normed hidden rows.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let known = self.model.logits(hidden.clone());
        if self.added.is_empty() {
            return known;
        }
        let heads = self.added.iter().map(|token| token.head.clone()).collect();
        let added = hidden.matmul(Tensor::cat(heads, 0).transpose());
        Tensor::cat(vec![known, added], 1)
    }

    /// The sum over sequences of the mean loss on the labels of each, which the normed hidden rows predict.
    pub fn loss_of(&self, hidden: Tensor<2>, labels: &[&[u32]]) -> Tensor<1> {
        let mean = |labels: &&[u32]| std::iter::repeat_n(1.0 / labels.len() as f32, labels.len());
        let weights: Vec<f32> = labels.iter().flat_map(mean).collect();
        let kernels = self.model.decoder.kernels;
        kernels::cross_entropy(kernels, self.logits(hidden), &labels.concat(), &weights)
    }
}

/// Packed sequences whose last rows predict the labels of each.
pub fn labeled(lengths: Vec<usize>, labels: &[&[u32]]) -> Packing {
    Packing {
        lengths,
        wanted: labels.iter().map(|labels| labels.len()).collect(),
        before: Vec::new(),
    }
}

/// All but the last of a sequence: what is read where the last is only to be predicted.
pub fn without_last(ids: &[u32]) -> &[u32] {
    &ids[..ids.len().saturating_sub(1)]
}
