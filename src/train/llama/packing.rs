//! How the rows of a batch lie.

use std::ops::Range;

use burn::Tensor;

use super::super::kernels::Span;

/// How the rows of a batch lie, and which of them the last layer has to give back.
#[derive(Clone, Debug, Default)]
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
    pub(super) key_values: Vec<Tensor<2>>,
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
    pub(super) fn before(&self, i: usize) -> Range<usize> {
        self.before.get(i).cloned().unwrap_or(0..0)
    }

    pub(super) fn spans(&self, queries: &[usize]) -> Vec<Span> {
        let (mut query_start, mut key_start) = (0, 0);
        let mut spans = Vec::with_capacity(self.lengths.len());
        for (i, (&length, &query_len)) in self.lengths.iter().zip(queries).enumerate() {
            let key_len = self.before(i).len() + length;
            spans.push(Span {
                query_start,
                query_len,
                key_start,
                key_len,
                rope_start: 0,
            });
            query_start += query_len;
            key_start += key_len;
        }
        spans
    }

    /// Where the keys of every sequence lie in [prefix rows, rows at hand].
    pub(super) fn key_rows(&self, prefix_rows: usize) -> Vec<usize> {
        let mut start = prefix_rows;
        let mut rows = Vec::new();
        for (i, &length) in self.lengths.iter().enumerate() {
            rows.extend(self.before(i));
            rows.extend(start..start + length);
            start += length;
        }
        rows
    }

    /// Where the keys of every sequence lie in the prefix that [`Decoder::extended`] gives.
    pub fn extended_rows(&self) -> Vec<Range<usize>> {
        let spans = self.spans(&self.lengths);
        let range = |span: &Span| span.key_start..span.key_start + span.key_len;
        spans.iter().map(range).collect()
    }

    /// Row numbers of the wanted rows.
    pub(super) fn wanted_rows(&self) -> Vec<usize> {
        let mut start = 0;
        let mut rows = Vec::new();
        for (&length, &wanted) in self.lengths.iter().zip(&self.wanted) {
            rows.extend(start + length - wanted..start + length);
            start += length;
        }
        rows
    }
}
