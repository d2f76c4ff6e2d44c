//! The generator: vectors that a frozen target answers from, and the two controls (METHOD, section 6).
//!
//! The target sees [question, k vectors, `<answer>`, answer]. Its keys and values of the question are constants when it
//! is frozen, so they are computed once without gradients and shared by the answer and the step supervision.

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::Device;
use serde_json::{Map, json};

use super::config::{Config, GeneratorSettings, Method, Start};
use super::error::TrainError;
use super::examples::{Example, Purpose, Stream, validation_examples};
use super::initialization::Normal;
use super::kernels::{self, Reach};
use super::llama::{Llama, Named, Packing, rows_tensor};
use super::sentence_transformer::{SentenceTransformer, hidden_state, unit_rows};
use super::target::{VALIDATION_CHUNK, best_rows, count_right, direct_continuation};
use super::trainer::{Loss, Part, Stage, Validation};
use super::vocabulary::Vocabulary;
use crate::problems::Family;

/// Part of the learning rate that a target gets when it trains too (the `direct` control).
const TARGET_RATE: f64 = 0.3;

/// The small model, its `<thought>` row and the way into the target's embedding space.
#[derive(Clone, Debug)]
pub struct Generator {
    pub model: Llama,
    /// `[1, generator hidden]`, before the scale on embeddings.
    pub thought: Tensor<2>,
    /// `[generator hidden, target hidden]`.
    pub projection_weight: Tensor<2>,
    /// `[1, target hidden]`.
    pub projection_bias: Tensor<2>,
}

/// Where the vectors come from.
#[derive(Clone, Debug)]
pub enum Source {
    Generator(Box<Generator>),
    /// `[k, target hidden]`: the same for every question.
    Constant(Box<Tensor<2>>),
}

/// Training of the generator or of a control.
#[derive(Clone)]
pub struct GeneratorStage<'a> {
    pub source: Source,
    pub target: Llama,
    settings: GeneratorSettings,
    sentence: Option<(SentenceTransformer, usize)>,
    vocabulary: &'a Vocabulary,
    stream: Stream,
    validation: Arc<Vec<(Family, Vec<Example>)>>,
}

/// Something that the target is to write: after a question and the first vectors, `<answer>` and then this.
struct Asked {
    question: usize,
    vectors: usize,
    continuation: Vec<u32>,
}

impl<'a> GeneratorStage<'a> {
    pub fn new(
        config: &Config,
        vocabulary: &'a Vocabulary,
        target: Llama,
        sentence: Option<SentenceTransformer>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let families = config.mixture.families().into_iter();
        let validation = families
            .map(|family| Ok((family, validation_examples(config, family, vocabulary)?)))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let first_layer = config.sentence_transformer.first_layer;
        Ok(Self {
            source: Source::new(config, vocabulary, &target, device),
            target,
            settings: config.generator,
            sentence: sentence.map(|sentence| (sentence, first_layer)),
            vocabulary,
            stream: Stream::new(config, Purpose::Generator),
            validation: Arc::new(validation),
        })
    }

    /// Logits of the target behind [question, vectors, `<answer>`].
    pub fn answer_logits(&self, question: &[u32], vectors: &Tensor<2>) -> Tensor<2> {
        let answer = Asked {
            question: 0,
            vectors: vectors.dims()[0],
            continuation: vec![self.vocabulary.end],
        };
        self.target
            .logits(self.states(&[question], vectors, &[answer]))
    }

    /// The target's normed states that are to predict what is asked.
    fn states(&self, questions: &[&[u32]], vectors: &Tensor<2>, asked: &[Asked]) -> Tensor<2> {
        let k = self.settings.implicit_tokens;
        let lengths: Vec<usize> = questions.iter().map(|question| question.len()).collect();
        let questions: Vec<u32> = questions.concat();
        let prefix = self
            .target
            .decoder
            .prefix(self.target.embed(&questions), &lengths);
        let starts: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| {
                *end += length;
                Some(*end - length)
            })
            .collect();

        let vector_rows = vectors.dims()[0];
        let mut packing = Packing {
            lengths: vec![],
            wanted: vec![],
            before: vec![],
        };
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        for ask in asked {
            let inputs = &ask.continuation[..ask.continuation.len() - 1];
            rows.extend((0..ask.vectors).map(|j| ask.question * k + j));
            rows.extend((0..ask.continuation.len()).map(|j| vector_rows + ids.len() + j));
            ids.push(self.vocabulary.answer);
            ids.extend_from_slice(inputs);
            packing.lengths.push(ask.vectors + ask.continuation.len());
            packing.wanted.push(ask.continuation.len());
            let start = starts[ask.question];
            packing.before.push(start..start + lengths[ask.question]);
        }
        let written = self.target.embed(&ids);
        let rows = rows_tensor(&rows, &written.device());
        let x = Tensor::cat(vec![vectors.clone(), written], 0).select(0, rows);
        self.target.decoder.hidden_after(&prefix, x, &packing)
    }

    fn answers(&self, examples: &[Example]) -> Vec<Asked> {
        let ask = |(question, example): (usize, &Example)| Asked {
            question,
            vectors: self.settings.implicit_tokens,
            continuation: direct_continuation(&example.answer, self.vocabulary),
        };
        examples.iter().enumerate().map(ask).collect()
    }

    /// Problems to which the target, given the vectors, writes the answer and nothing else.
    pub fn count_answered(&self, examples: &[Example]) -> usize {
        let count_chunk = |chunk: &[Example]| {
            let questions: Vec<&[u32]> = chunk.iter().map(|e| e.question.as_slice()).collect();
            let vectors = self
                .source
                .vectors(&questions, self.settings.implicit_tokens);
            let asked = self.answers(chunk);
            let logits = self
                .target
                .logits(self.states(&questions, &vectors, &asked));
            let counts: Vec<usize> = asked.iter().map(|ask| ask.continuation.len()).collect();
            count_right(best_rows(logits), &labels_of(&asked), &counts)
        };
        examples.chunks(VALIDATION_CHUNK).map(count_chunk).sum()
    }

    /// For every problem so many of its vectors, fewer than all, and the intermediate result that they stand for.
    fn supervised_steps(&self, examples: &[Example], vectors: &[usize]) -> Vec<Asked> {
        let k = self.settings.implicit_tokens;
        let ask = |(question, (example, &vectors)): (usize, (&Example, &usize))| {
            let results = example.intermediate.len();
            let result = match example.family {
                Family::Arithmetic | Family::Everyday => vectors.min(results),
                // More people than vectors: each vector stands for its part of them.
                Family::Coin => (vectors * results).div_ceil(k),
            };
            let continuation =
                direct_continuation(&example.intermediate[result - 1], self.vocabulary);
            Asked {
                question,
                vectors,
                continuation,
            }
        };
        examples.iter().zip(vectors).enumerate().map(ask).collect()
    }

    /// What the `chosen` examples add to the mean of 1 − cos over `count`: cos of the sentence embeddings of the written
    /// reasoning and of the vectors.
    fn alignment(
        &self,
        examples: &[Example],
        chosen: &[usize],
        count: usize,
        vectors: &Tensor<2>,
    ) -> Option<Tensor<1>> {
        let (sentence, first_layer) = self
            .sentence
            .as_ref()
            .filter(|_| self.settings.alpha > 0.0 && !chosen.is_empty())?;
        let texts: Vec<&[u32]> = chosen
            .iter()
            .map(|&i| examples[i].reasoning.as_slice())
            .collect();
        let (x, lengths) = hidden_state(&self.target, *first_layer, &texts);
        let written = unit_rows(sentence.embed(x, &lengths)).detach();
        let k = self.settings.implicit_tokens;
        let rows: Vec<usize> = chosen.iter().flat_map(|&i| i * k..(i + 1) * k).collect();
        let rows = rows_tensor(&rows, &vectors.device());
        let thoughts = vectors.clone().select(0, rows);
        let thoughts = unit_rows(sentence.embed(thoughts, &vec![k; chosen.len()]));
        let cosines = written.mul(thoughts).sum();
        let loss = cosines.neg().add_scalar(chosen.len() as f32);
        Some(loss.div_scalar(count as f32))
    }
}

impl Source {
    fn new(config: &Config, vocabulary: &Vocabulary, target: &Llama, device: &Device) -> Self {
        let settings = &config.generator;
        let target_size = config.target.sizes.hidden_size;
        let mut normal = Normal::new(config.seed ^ Purpose::Generator as u64);
        if settings.method != Method::Semcot {
            let scale = target.embedding_scale();
            let vectors =
                normal.scaled([settings.implicit_tokens, target_size], target_size, device);
            return Source::Constant(Box::new(vectors.mul_scalar(scale)));
        }
        let kernels = target.decoder.kernels;
        let mut model = Llama::new(
            settings.sizes,
            vocabulary.size,
            kernels,
            &mut normal,
            device,
        );
        let hidden = settings.sizes.hidden_size;
        let generator = Generator {
            thought: normal.scaled([1, hidden], hidden, device),
            projection_weight: normal.matrix(hidden, target_size, device),
            projection_bias: Tensor::zeros([1, target_size], device),
            model: {
                if settings.start == Start::Target {
                    model = target.clone();
                }
                model
            },
        };
        Source::Generator(Box::new(generator))
    }

    fn parameters(&mut self) -> Vec<Named<'_>> {
        match self {
            Source::Constant(vectors) => vec![("vectors".into(), &mut **vectors)],
            Source::Generator(generator) => {
                let Generator {
                    model,
                    thought,
                    projection_weight,
                    projection_bias,
                } = &mut **generator;
                let mut named = model.parameters();
                named.push(("thought".into(), thought));
                named.push(("projection.weight".into(), projection_weight));
                named.push(("projection.bias".into(), projection_bias));
                named
            }
        }
    }

    /// The vectors for every question: `[questions · k, target hidden]`.
    pub fn vectors(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        match self {
            Source::Constant(vectors) => {
                let rows: Vec<usize> = (0..questions.len() * k).map(|row| row % k).collect();
                Tensor::clone(vectors).select(0, rows_tensor(&rows, &vectors.device()))
            }
            Source::Generator(generator) => generator.vectors(questions, k),
        }
    }
}

impl Generator {
    /// Reads [question, k × `<thought>`] and projects the states at the thought positions.
    pub fn vectors(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        let ids: Vec<u32> = questions
            .iter()
            .flat_map(|question| question.iter().copied())
            .collect();
        let mut rows = Vec::with_capacity(ids.len() + questions.len() * k);
        let mut start = 0;
        for question in questions {
            rows.extend(start..start + question.len());
            rows.extend(std::iter::repeat_n(ids.len(), k));
            start += question.len();
        }
        let packing = Packing {
            lengths: questions
                .iter()
                .map(|question| question.len() + k)
                .collect(),
            wanted: vec![k; questions.len()],
            before: Vec::new(),
        };
        let thought = self
            .thought
            .clone()
            .mul_scalar(self.model.embedding_scale());
        let x = Tensor::cat(vec![self.model.embed(&ids), thought], 0);
        let rows = rows_tensor(&rows, &x.device());
        let hidden = self
            .model
            .decoder
            .hidden(x.select(0, rows), &packing, Reach::Causal);
        hidden
            .matmul(self.projection_weight.clone())
            .add(self.projection_bias.clone())
    }
}

fn labels_of(asked: &[Asked]) -> Vec<u32> {
    asked
        .iter()
        .flat_map(|ask| ask.continuation.iter().copied())
        .collect()
}

/// The mean over so many continuations of the mean over their tokens, times `share`.
fn weights_of(asked: &[Asked], count: usize, share: f32) -> Vec<f32> {
    let of_one = |ask: &Asked| {
        let length = ask.continuation.len();
        std::iter::repeat_n(share / (count * length) as f32, length)
    };
    asked.iter().flat_map(of_one).collect()
}

impl Stage for GeneratorStage<'_> {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.source.parameters();
        if self.settings.method == Method::Direct {
            named.extend(
                self.target
                    .parameters()
                    .into_iter()
                    .map(|(name, x)| (format!("target.{name}"), x)),
            );
        }
        named
    }

    fn rate_factor(&self, parameter: &str, step: usize) -> f64 {
        if parameter.starts_with("target.") {
            return TARGET_RATE;
        }
        let warm = parameter.starts_with("projection.") || parameter == "thought";
        let constant = self.settings.method != Method::Semcot;
        if warm || constant || step >= self.settings.projection_steps {
            1.0
        } else {
            0.0
        }
    }

    fn loss(&self, step: usize, part: Part) -> Result<Loss, TrainError> {
        let batch = self
            .stream
            .examples(step, self.settings.schedule.batch, self.vocabulary)?;
        let count = batch.len();
        let aligned_count = self.settings.alignment_batch.clamp(1, count);
        let is_aligned: Vec<bool> = (0..count)
            .map(|i| (0..aligned_count).any(|j| j * count / aligned_count == i))
            .collect();
        let of_part: Vec<usize> = (0..count).filter(|&i| part.has(i)).collect();
        let examples: Vec<Example> = of_part.iter().map(|&i| batch[i].clone()).collect();
        let questions: Vec<&[u32]> = examples.iter().map(|e| e.question.as_slice()).collect();
        let vectors = self
            .source
            .vectors(&questions, self.settings.implicit_tokens);
        let mut asked = self.answers(&examples);
        let answers = asked.len();
        let step_weight = self.settings.step_supervision_at(step) as f32;
        let k = self.settings.implicit_tokens;
        if step_weight > 0.0 && k > 1 {
            let mut choices = self.stream.choices(step);
            let drawn: Vec<usize> = (0..count)
                .map(|_| choices.between(1, k as u32 - 1) as usize)
                .collect();
            let drawn: Vec<usize> = of_part.iter().map(|&i| drawn[i]).collect();
            asked.extend(self.supervised_steps(&examples, &drawn));
        }
        let (answers, steps) = asked.split_at(answers);

        let logits = self
            .target
            .logits(self.states(&questions, &vectors, &asked));
        let kernels = self.target.decoder.kernels;
        let loss_of = |asked: &[Asked], first_row: usize, share: f32| {
            let labels = labels_of(asked);
            let rows = logits.clone().narrow(0, first_row, labels.len());
            kernels::cross_entropy(kernels, rows, &labels, &weights_of(asked, count, share))
        };
        let scalar = |loss: &Tensor<1>| loss.clone().inner().into_scalar::<f32>();

        let answer_share = 1.0 - self.settings.alpha as f32;
        let mut total = loss_of(answers, 0, answer_share);
        let mut terms = vec![("loss_answer", scalar(&total) / answer_share.max(1e-9))];
        if !steps.is_empty() {
            let loss = loss_of(steps, labels_of(answers).len(), step_weight);
            terms.push(("loss_steps", scalar(&loss) / step_weight));
            total = total.add(loss);
        }
        let aligned: Vec<usize> = (0..of_part.len())
            .filter(|&i| is_aligned[of_part[i]])
            .collect();
        if let Some(loss) = self.alignment(&examples, &aligned, aligned_count, &vectors) {
            terms.push(("loss_alignment", scalar(&loss)));
            total = total.add(loss.mul_scalar(self.settings.alpha));
        }
        Ok(Loss { total, terms })
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let mut figures = Map::new();
        let mut score = 0.0;
        for (family, examples) in self.validation.iter() {
            let accuracy = self.count_answered(examples) as f64 / examples.len() as f64;
            figures.insert(family.name().into(), json!(accuracy));
            score += accuracy;
        }
        Ok(Validation { score, figures })
    }
}
