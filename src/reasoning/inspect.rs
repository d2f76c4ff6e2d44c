//! Looking at implicit tokens: how long they are, which words of the target's vocabulary they are
//! nearest to, how alike they are, and which reasoning they read most like by the sentence transformer
//! that they were trained against. Never part of an answer's time.

use std::collections::HashMap;
use std::ops::ControlFlow;

use serde::Serialize;

use super::Mode;
use super::pair::{AskError, AskOptions, Pair};
use crate::model::run::Inspect;
use crate::problems::Random;

/// Most nearest words of a vector that are looked for.
pub const MAX_NEAREST: u32 = 100;

/// Longest text in tokens that is compared: what the GPU holds of a prompt at a time.
pub const MAX_TEXT_TOKENS: usize = 256;

/// Embeddings that are kept: some thousand times 768 values are a few megabytes.
const MAX_EMBEDDED: usize = 4096;

/// Values of the embedding table that are read back at a time: 4 MiB.
const TABLE_CHUNK_VALUES: usize = 1 << 20;

/// Directions whose nearest words show what chance gives, and their seed.
const CHANCE_DIRECTIONS: usize = 8;
const CHANCE_SEED: u64 = 1;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InspectOptions {
    /// Number of implicit tokens; the pair's own k where absent.
    pub implicit_tokens: Option<u32>,
    /// How many of the nearest words of each vector.
    pub nearest: u32,
    /// What the vectors are compared with; nothing where absent, which needs no sentence transformer.
    pub compare: Option<Compare>,
}

/// Reasonings that vectors are compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compare {
    /// The reasoning of the question itself; written by the target where absent.
    pub reasoning: Option<String>,
    /// Reasonings of other questions. What reads as the question's own is left out.
    pub bank: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// Number of implicit tokens k.
    pub implicit_tokens: u32,
    /// Values of each.
    pub hidden_size: usize,
    /// The vectors themselves, `[implicit_tokens, hidden_size]`.
    pub values: Vec<f32>,
    /// Length and nearest words of each vector.
    pub vectors: Vec<Vector>,
    /// Cosine of each vector with each.
    pub cosines: Vec<Vec<f32>>,
    /// What to hold lengths and cosines against; absent where no nearest words were asked for.
    pub vocabulary: Option<VocabularyScale>,
    /// Absent where nothing was to be compared.
    pub alignment: Option<Alignment>,
}

/// One implicit token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vector {
    /// Its length.
    pub norm: f32,
    /// The words whose embeddings point most nearly its way, the nearest first.
    pub nearest: Vec<Word>,
}

/// A token of the vocabulary beside a vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Word {
    /// Its id.
    pub token: u32,
    /// Its text.
    pub text: String,
    /// Cosine of its embedding with the vector.
    pub cosine: f32,
}

/// What is usual in the target's embedding table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VocabularyScale {
    /// Median length of an embedding.
    pub median_norm: f32,
    /// Median cosine of a random direction with the word nearest to it.
    pub chance_cosine: f32,
}

/// Which reasoning the vectors read most like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alignment {
    /// The question's own reasoning.
    pub reasoning: String,
    /// Its cosine with the vectors.
    pub cosine: f32,
    /// Its place among all, from 1 on. Of equal cosines it has the best place.
    pub rank: usize,
    /// All reasonings, the most alike first.
    pub ranking: Vec<Compared>,
}

/// A reasoning that was compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The reasoning.
    pub text: String,
    /// Cosine of its embedding with the vectors'.
    pub cosine: f32,
    /// Whether it is the question's own.
    pub own: bool,
}

/// Embeddings of texts, so that a bank is computed once.
#[derive(Debug, Default)]
pub(super) struct Embedded(HashMap<String, Vec<f32>>);

impl<E: Inspect> Pair<E> {
    /// Looks at the implicit tokens of a question.
    ///
    /// # Errors
    /// [`AskError`]: a question, a text or an option that cannot be run, no sentence transformer where
    /// reasonings are to be compared, or a failed device.
    pub async fn inspect(
        &mut self,
        question: &str,
        options: &InspectOptions,
    ) -> Result<Inspection, AskError<E::Error>> {
        if options.nearest > MAX_NEAREST {
            return Err(AskError::OptionOutOfRange {
                option: "the number of nearest words",
                found: options.nearest,
                min: 0,
                max: MAX_NEAREST,
            });
        }
        let ask = AskOptions {
            implicit_tokens: options.implicit_tokens,
            ..AskOptions::new(Mode::Implicit)
        };
        let request = self.request(question, &ask)?;
        let values = self.executor.implicit_tokens(&request).await;
        let values = values.map_err(AskError::Run)?;
        let hidden_size = self.executor.target_config().hidden_size;
        let vectors: Vec<&[f32]> = values.chunks_exact(hidden_size).collect();
        let (nearest, vocabulary) = match options.nearest {
            0 => (vec![Vec::new(); vectors.len()], None),
            count => {
                let (nearest, scale) = self.nearest(&vectors, count as usize).await?;
                (nearest, Some(scale))
            }
        };
        let alignment = match &options.compare {
            Some(compare) => Some(self.align(question, &values, compare).await?),
            None => None,
        };
        Ok(Inspection {
            implicit_tokens: vectors.len() as u32,
            hidden_size,
            cosines: vectors
                .iter()
                .map(|a| vectors.iter().map(|b| cosine(a, b)).collect())
                .collect(),
            vectors: vectors
                .iter()
                .zip(nearest)
                .map(|(vector, nearest)| Vector {
                    norm: norm(vector) as f32,
                    nearest,
                })
                .collect(),
            vocabulary,
            alignment,
            values,
        })
    }

    /// The sentence transformer's embedding of each text. Texts are tokenized as training tokenizes
    /// reasonings: apart, without special tokens.
    ///
    /// # Errors
    /// As [`Self::inspect`].
    pub async fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, AskError<E::Error>> {
        let mut missing: Vec<&String> = Vec::new();
        let mut ids = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            if self.embedded.0.contains_key(text) || missing.contains(&text) {
                continue;
            }
            let tokens = self.tokenizer.encode_text(text);
            if !(1..=MAX_TEXT_TOKENS).contains(&tokens.len()) {
                return Err(AskError::TextLength {
                    index,
                    tokens: tokens.len(),
                    most: MAX_TEXT_TOKENS,
                });
            }
            missing.push(text);
            ids.push(tokens);
        }
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let embeddings = self.executor.embed_texts(&ids).await;
        let embeddings = embeddings.map_err(AskError::Run)?;
        let known = &mut self.embedded.0;
        if known.len() + missing.len() > MAX_EMBEDDED {
            known.retain(|text, _| texts.contains(text));
        }
        known.extend(missing.into_iter().cloned().zip(embeddings));
        Ok(texts.iter().map(|text| known[text].clone()).collect())
    }

    /// The vectors' alignment with the question's own reasoning and others.
    async fn align(
        &mut self,
        question: &str,
        values: &[f32],
        compare: &Compare,
    ) -> Result<Alignment, AskError<E::Error>> {
        let vectors = self.executor.embed_rows(values).await;
        let vectors = vectors.map_err(AskError::Run)?;
        let own = match &compare.reasoning {
            Some(reasoning) => reasoning.trim().to_owned(),
            None => {
                let go_on = |_| ControlFlow::Continue(());
                let options = AskOptions::new(Mode::Explicit);
                let written = self.ask(question, &options, go_on).await?;
                written.reasoning.trim().to_owned()
            }
        };
        let others = compare.bank.iter().filter(|it| it.trim() != own);
        let texts: Vec<String> = std::iter::once(&own).chain(others).cloned().collect();
        let embeddings = self.embed(&texts).await?;
        let mut ranking: Vec<Compared> = texts
            .into_iter()
            .zip(embeddings)
            .enumerate()
            .map(|(index, (text, embedding))| Compared {
                text,
                cosine: cosine(&vectors, &embedding),
                own: index == 0,
            })
            .collect();
        // Stable, with the question's own first: among equals it stays before the others.
        ranking.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        let at = ranking.iter().position(|it| it.own);
        let at = at.expect("the question's own is among them");
        Ok(Alignment {
            cosine: ranking[at].cosine,
            rank: at + 1,
            reasoning: own,
            ranking,
        })
    }

    /// The nearest words of each vector, by the cosine with their embeddings, and what is usual there.
    /// The table is read in parts: it may be larger than memory here allows.
    async fn nearest(
        &mut self,
        vectors: &[&[f32]],
        count: usize,
    ) -> Result<(Vec<Vec<Word>>, VocabularyScale), AskError<E::Error>> {
        let config = self.executor.target_config();
        let (width, vocab_size) = (config.hidden_size, config.vocab_size as u32);
        let vectors: Vec<Vec<f32>> = vectors.iter().map(|it| unit(it)).collect();
        let directions = random_directions(width);
        let mut nearest = vec![Vec::new(); vectors.len()];
        let mut chance = vec![f32::NEG_INFINITY; directions.len()];
        let mut norms = Vec::with_capacity(vocab_size as usize);
        let ids: Vec<u32> = (0..vocab_size).collect();
        for ids in ids.chunks((TABLE_CHUNK_VALUES / width).max(1)) {
            let table = self.executor.embeddings(ids).await;
            let table = table.map_err(AskError::Run)?;
            for (&token, embedding) in ids.iter().zip(table.chunks_exact(width)) {
                norms.push(norm(embedding) as f32);
                let word = unit(embedding);
                for (vector, nearest) in vectors.iter().zip(&mut nearest) {
                    keep(nearest, count, (token, dot(vector, &word) as f32));
                }
                for (direction, most) in directions.iter().zip(&mut chance) {
                    *most = most.max(dot(direction, &word) as f32);
                }
            }
        }
        let tokenizer = &self.tokenizer;
        let word = |(token, cosine)| Word {
            token,
            text: tokenizer.decode_with_specials(&[token]),
            cosine,
        };
        let words = nearest
            .into_iter()
            .map(|it| it.into_iter().map(word).collect());
        Ok((
            words.collect(),
            VocabularyScale {
                median_norm: median(norms),
                chance_cosine: median(chance),
            },
        ))
    }
}

/// Adds a token to a list of the nearest, which stays sorted and of at most `count`.
fn keep(nearest: &mut Vec<(u32, f32)>, count: usize, found: (u32, f32)) {
    let at = nearest.partition_point(|it| it.1 >= found.1);
    if at < count {
        nearest.truncate(count - 1);
        nearest.insert(at, found);
    }
}

/// Directions of no meaning, of length 1: each value a sum of random numbers, which is near enough to
/// normal.
fn random_directions(width: usize) -> Vec<Vec<f32>> {
    let mut random = Random::new(CHANCE_SEED);
    let mut uniform = || random.below(1 << 24) as f32 / (1 << 24) as f32 - 0.5;
    let mut value = || (0..12).map(|_| uniform()).sum();
    (0..CHANCE_DIRECTIONS)
        .map(|_| unit(&(0..width).map(|_| value()).collect::<Vec<f32>>()))
        .collect()
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

fn norm(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum()
}

/// Cosine of the angle between vectors; 0 where one has no direction.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(&unit(a), &unit(b)) as f32
}

/// The vector at length 1; what has no direction stays 0.
fn unit(vector: &[f32]) -> Vec<f32> {
    let length = norm(vector);
    let scale = if length == 0.0 { 0.0 } else { 1.0 / length };
    vector
        .iter()
        .map(|&it| (f64::from(it) * scale) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_kept_in_order_however_they_come() {
        let mut nearest = Vec::new();
        for (token, cosine) in [(0, 0.1), (1, 0.9), (2, -0.5), (3, 0.5), (4, 0.9)] {
            keep(&mut nearest, 3, (token, cosine));
        }
        assert_eq!(nearest, [(1, 0.9), (4, 0.9), (3, 0.5)]);
    }

    #[test]
    fn cosines_do_not_depend_on_lengths() {
        let cases: [(&[f32], &[f32], f32); 4] = [
            (&[3.0, 4.0], &[6.0, 8.0], 1.0),
            (&[3.0, 4.0], &[-4.0, 3.0], 0.0),
            (&[3.0, 4.0], &[-30.0, -40.0], -1.0),
            (&[0.0, 0.0], &[1.0, 2.0], 0.0),
        ];
        for (a, b, expected) in cases {
            let found = cosine(a, b);
            assert!((found - expected).abs() < 1e-6, "{a:?} {b:?}: {found}");
        }
    }
}
