//! Training of the generator, so that a frozen target answers from its vectors, and of the two controls (METHOD,
//! section 6).
//!
//! The target sees [question, k vectors, answer prompt, answer]. Its keys and values of the question are constants when it
//! is frozen, so they are computed once without gradients and shared by the answer and the step supervision.

use std::iter;
use std::sync::Arc;

use burn::Tensor;
use burn::tensor::Device;
use serde_json::{Map, json};

use super::alignment::Alignment;
use super::asked::{Asked, labels_of, weights_of};
use super::baselines::Prompt;
use super::baselines::adapted::{AdaptedTarget, Piece};
use super::config::{
    AlignmentOf, AlignmentSpace, BatchLoss, Config, Embeddings, GeneratorSettings, Method,
    ProjectionPhase, Selection, StepSupervisionBy,
};
use super::decode::{Written, write};
use super::error::TrainError;
use super::examples::{Batches, Example, Purpose, Stream, validation_sets};
use super::gradients::{Loss, Part};
use super::kernels::{self, Reach};
use super::llama::{Llama, Named, Packing, rows_tensor, tensors};
use super::lora::Dropout;
use super::optimizer::Change;
use super::score::Answers;
use super::sentence_transformer::SentenceTransformer;
use super::source::{Forced, Source};
use super::target::{VALIDATION_CHUNK, best_rows, count_right};
use super::trainer::{Stage, Validation};
use super::vocabulary::Vocabulary;
use crate::model::Sampling;
use crate::reasoning::Mode;

/// Part of the learning rate that a target gets when it trains beside constant vectors.
const TARGET_RATE: f64 = 0.3;

/// Training of the generator or of a control.
#[derive(Clone)]
pub struct GeneratorStage<'a> {
    pub source: Source,
    pub target: Llama,
    pub settings: GeneratorSettings,
    pub alignment: Option<Alignment>,
    pub frame: AnswerFrame,
    pub batches: Batches<'a>,
    /// Problems by the name of what they are.
    pub validation: Arc<Vec<(String, Vec<Example>)>>,
}

/// What stands before and after an answer.
#[derive(Clone, Debug)]
pub struct AnswerFrame {
    /// The answer prompt.
    pub prompt: Vec<u32>,
    /// What the target writes its reasoning behind.
    pub reasoning_prompt: Vec<u32>,
    pub end: u32,
}

/// What is to be written after the answer prompt.
pub fn continuation(settings: &GeneratorSettings, frame: &AnswerFrame, answer: &[u32]) -> Vec<u32> {
    let mut ids = answer.to_vec();
    ids.extend(settings.answer_end.then_some(frame.end));
    ids
}

impl<'a> GeneratorStage<'a> {
    pub fn new(
        config: &Config,
        vocabulary: &'a Vocabulary,
        target: Llama,
        sentence: Option<SentenceTransformer>,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let validation = validation_sets(config, vocabulary)?;
        let first_layer = config.sentence_transformer.first_layer;
        let (is_compared, hidden_state) = match config.generator.alignment_space {
            AlignmentSpace::SentenceTransformer => (sentence.is_some(), first_layer),
            AlignmentSpace::HiddenState => (true, first_layer),
            AlignmentSpace::Embeddings => (true, 0),
        };
        Ok(Self {
            source: Source::new(config, vocabulary, &target, device)?,
            target,
            settings: config.generator,
            alignment: is_compared.then_some(Alignment {
                sentence,
                hidden_state,
            }),
            frame: AnswerFrame {
                prompt: vec![vocabulary.answer],
                reasoning_prompt: vec![vocabulary.reason],
                end: vocabulary.end,
            },
            batches: Batches::Generated {
                stream: Stream::new(config, Purpose::Generator),
                vocabulary,
            },
            validation: Arc::new(validation),
        })
    }

    /// Logits `[1, vocab]` of the target behind [question, vectors, answer prompt, what is written of the answer].
    pub fn answer_logits(
        &self,
        question: &[u32],
        vectors: &Tensor<2>,
        written: &[u32],
    ) -> Tensor<2> {
        let mut continuation = written.to_vec();
        continuation.push(self.frame.end);
        let asked = Asked {
            question: 0,
            vectors: vectors.dims()[0],
            prompt: self.frame.prompt.clone(),
            continuation,
        };
        let states = self.states(&[question], vectors, &[asked]);
        self.target.logits(states.narrow(0, written.len(), 1))
    }

    /// The target's normed states that are to predict what is asked.
    fn states(&self, questions: &[&[u32]], vectors: &Tensor<2>, asked: &[Asked]) -> Tensor<2> {
        let k = vectors.dims()[0] / questions.len();
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
            let first = vector_rows + ids.len();
            ids.extend_from_slice(&ask.prompt);
            ids.extend_from_slice(inputs);
            rows.extend(first..vector_rows + ids.len());
            let written = ask.prompt.len() + inputs.len();
            packing.lengths.push(ask.vectors + written);
            packing.wanted.push(ask.continuation.len());
            let start = starts[ask.question];
            packing.before.push(start..start + lengths[ask.question]);
        }
        let written = self.target.embed(&ids);
        let rows = rows_tensor(&rows, &written.device());
        let x = Tensor::cat(vec![vectors.clone(), written], 0).select(0, rows);
        self.target
            .decoder
            .hidden_after(&prefix, x, &packing, Reach::Causal)
    }

    /// The vectors of every example: `[examples · k, target hidden]`.
    pub fn vectors(&self, examples: &[Example], k: usize) -> Tensor<2> {
        self.source.vectors(&generator_questions_of(examples), k)
    }

    /// Problems to which the target, given the vectors, writes the answer and nothing else.
    pub fn count_answered(&self, examples: &[Example]) -> usize {
        let count_chunk = |chunk: &[Example]| {
            let k = self.settings.eval_implicit_tokens();
            let vectors = self.vectors(chunk, k);
            let asked = self.answers(chunk, k);
            let logits = self
                .target
                .logits(self.states(&questions_of(chunk), &vectors, &asked));
            let counts: Vec<usize> = asked.iter().map(|ask| ask.continuation.len()).collect();
            count_right(best_rows(logits), &labels_of(&asked), &counts)
        };
        examples.chunks(VALIDATION_CHUNK).map(count_chunk).sum()
    }

    /// See [`Alignment::losses`]; none where nothing is aligned.
    pub fn reasoning_losses(&self, examples: &[Example], vectors: &Tensor<2>) -> Option<Tensor<2>> {
        let alignment = self.alignment.as_ref()?;
        let reasonings: Vec<&[u32]> = (examples.iter())
            .map(|example| example.reasoning.as_slice())
            .collect();
        let k = vectors.dims()[0] / examples.len();
        let parts: Vec<_> = (examples.iter())
            .map(|example| match self.settings.alignment_of {
                AlignmentOf::Whole => iter::once(0..example.reasoning.len()).collect(),
                AlignmentOf::Steps => example.reasoning_parts(k, self.settings.vectors_per_step),
            })
            .collect();
        Some(alignment.losses(&self.target, &reasonings, &parts, vectors))
    }

    /// Of every example the mean of −log p over the answer's tokens.
    pub fn answer_losses(&self, examples: &[Example], vectors: &Tensor<2>) -> Vec<f32> {
        let k = vectors.dims()[0] / examples.len();
        let asked = self.answers(examples, k);
        let states = self.states(&questions_of(examples), vectors, &asked);
        let logits = self.target.logits(states);
        let mut first_row = 0;
        let loss_of = |ask: &Asked| {
            let ask = std::slice::from_ref(ask);
            let labels = labels_of(ask);
            let rows = logits.clone().narrow(0, first_row, labels.len());
            first_row += labels.len();
            let kernels = self.target.decoder.kernels;
            kernels::cross_entropy(kernels, rows, &labels, &weights_of(ask, 1, 1.0))
                .inner()
                .into_scalar::<f32>()
        };
        asked.iter().map(loss_of).collect()
    }

    /// What the `chosen` examples add to the mean of the reasoning losses over `count`.
    fn alignment_loss(
        &self,
        examples: &[Example],
        chosen: &[usize],
        count: usize,
        vectors: &Tensor<2>,
    ) -> Option<Tensor<1>> {
        if self.settings.alpha == 0.0 || chosen.is_empty() {
            return None;
        }
        let k = vectors.dims()[0] / examples.len();
        let rows: Vec<usize> = chosen.iter().flat_map(|&i| i * k..(i + 1) * k).collect();
        let vectors = (vectors.clone()).select(0, rows_tensor(&rows, &vectors.device()));
        let chosen: Vec<Example> = chosen.iter().map(|&i| examples[i].clone()).collect();
        let losses = self.reasoning_losses(&chosen, &vectors)?;
        Some(losses.sum().div_scalar(count as f32))
    }

    /// The mean of the losses over all validation problems, with as many vectors as in training.
    fn mean_losses(&self) -> MeanLosses {
        let mut sum = MeanLosses::default();
        let mut count = 0;
        for (_, examples) in self.validation.iter() {
            count += examples.len();
            for chunk in examples.chunks(VALIDATION_CHUNK) {
                let questions = generator_questions_of(chunk);
                let k = self.settings.implicit_tokens;
                let made = self.source.made(&questions, k, &Forced::default());
                let answer = self.answer_losses(chunk, &made.vectors);
                sum.answer += answer.into_iter().map(f64::from).sum::<f64>();
                if let Some(losses) = self.reasoning_losses(chunk, &made.compared) {
                    sum.alignment += f64::from(losses.inner().sum().into_scalar::<f32>());
                }
            }
        }
        MeanLosses {
            answer: sum.answer / count as f64,
            alignment: sum.alignment / count as f64,
        }
    }

    /// What the target reads of every example before it writes, given the vectors of all.
    pub fn prompt(&self, examples: &[Example], vectors: &Tensor<2>) -> Prompt {
        let k = vectors.dims()[0] / examples.len();
        let target = AdaptedTarget::untrained(self.target.clone());
        let sequence = |(i, question)| {
            vec![
                Piece::Ids(question),
                Piece::Vectors(i * k..(i + 1) * k),
                Piece::Ids(&self.frame.prompt),
            ]
        };
        let questions = questions_of(examples).into_iter();
        let sequences: Vec<Vec<Piece<'_>>> = questions.enumerate().map(sequence).collect();
        let (x, lengths) = target.pack(&sequences, Some(vectors));
        Prompt {
            x,
            lengths,
            target_passes: vec![0; examples.len()],
            generator_passes: self.source.passes(),
        }
    }

    /// What the target writes behind a prompt, as [`write`] draws it.
    pub fn write_behind(
        &self,
        prompt: Prompt,
        most_tokens: usize,
        samplings: &[Sampling],
    ) -> Vec<Written> {
        let target = AdaptedTarget::untrained(self.target.clone());
        write(&target, prompt, self.frame.end, most_tokens, samplings)
    }
}

/// Losses over the validation problems.
#[derive(Clone, Copy, Debug, Default)]
struct MeanLosses {
    answer: f64,
    alignment: f64,
}

fn questions_of(examples: &[Example]) -> Vec<&[u32]> {
    (examples.iter())
        .map(|example| example.question.as_slice())
        .collect()
}

fn generator_questions_of(examples: &[Example]) -> Vec<&[u32]> {
    (examples.iter())
        .map(|example| example.generator_question.as_slice())
        .collect()
}

impl Stage for GeneratorStage<'_> {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        let mut named = self.source.parameters();
        if self.settings.method == Method::ConstantVectorsAndTarget {
            named.extend(
                self.target
                    .parameters()
                    .into_iter()
                    .map(|(name, x)| (format!("target.{name}"), x)),
            );
        }
        named
    }

    fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        let mut frozen = self.source.frozen();
        if self.settings.method != Method::ConstantVectorsAndTarget {
            frozen.extend(tensors(self.target.parameters()));
        }
        let alignment = self.alignment.as_mut();
        let sentence = alignment.and_then(|it| it.sentence.as_mut());
        frozen.extend(sentence.map_or_else(Vec::new, |it| tensors(it.parameters())));
        frozen
    }

    fn change(&self, parameter: &str, step: usize) -> Change {
        let settings = &self.settings;
        if parameter.starts_with("target.") {
            return Change::Step(TARGET_RATE);
        }
        if settings.method == Method::Semcot && step < settings.projection_steps {
            let with_thought = settings.projection_phase == ProjectionPhase::ProjectionAndThought;
            let projects = ["projection.", "alignment_projection."];
            let trains = projects.iter().any(|prefix| parameter.starts_with(prefix))
                || (parameter == "thought" && with_thought);
            return if trains {
                Change::Step(1.0)
            } else {
                Change::Keep
            };
        }
        match (parameter, settings.embeddings) {
            ("embedding", Embeddings::Thought) if settings.decay_frozen_rows => Change::Decay(1.0),
            ("embedding", Embeddings::Thought) => Change::Keep,
            _ => Change::Step(1.0),
        }
    }

    fn parts(&self, step: usize, threads: usize) -> usize {
        threads.min(self.batches.count(step, self.settings.schedule.batch))
    }

    fn loss(&self, step: usize, part: Part) -> Result<Loss, TrainError> {
        let batch = self.batches.examples(step, self.settings.schedule.batch)?;
        let count = batch.len();
        let aligned_count = self.settings.alignment_batch.clamp(1, count);
        let is_aligned: Vec<bool> = (0..count)
            .map(|i| (0..aligned_count).any(|j| j * count / aligned_count == i))
            .collect();
        let of_part: Vec<usize> = (0..count).filter(|&i| part.has(i)).collect();
        let examples: Vec<Example> = of_part.iter().map(|&i| batch[i].clone()).collect();
        let k = self.settings.implicit_tokens;
        let mut source = self.source.clone();
        let dropout_seed = self.batches.choices(step).bits() ^ part.index as u64;
        source.set_dropout(Dropout::new(
            self.settings.baseline.lora.dropout,
            dropout_seed,
        ));
        let questions = generator_questions_of(&examples);
        let made = source.made(&questions, k, &self.forced(step, &batch, &of_part));
        let mut asked = match self.settings.replaced_at(step) {
            Some(replaced) => self.rests(&examples, replaced),
            None => self.answers(&examples, k),
        };
        let answers = asked.len();
        let step_weight = self.settings.step_supervision_at(step) as f32;
        let mut results = count;
        let by = self.settings.step_supervision_by;
        if step_weight > 0.0 && k > 1 && by == StepSupervisionBy::Target {
            let supervised = self.supervised_steps(step, &batch, &of_part);
            results = supervised.of_batch;
            asked.extend(supervised.asked);
        }
        let (answers, steps) = asked.split_at(answers);

        let logits =
            self.target
                .logits(self.states(&questions_of(&examples), &made.vectors, &asked));
        let kernels = self.target.decoder.kernels;
        let loss_of = |asked: &[Asked], first_row: usize, count: usize, share: f32| {
            let labels = labels_of(asked);
            let rows = logits.clone().narrow(0, first_row, labels.len());
            kernels::cross_entropy(kernels, rows, &labels, &weights_of(asked, count, share))
        };
        let scalar = |loss: &Tensor<1>| loss.clone().inner().into_scalar::<f32>();

        let answer_share = 1.0 - self.settings.alpha as f32;
        let mut total = loss_of(answers, 0, count, answer_share);
        let mut terms = vec![("loss_answer", scalar(&total) / answer_share.max(1e-9))];
        if !steps.is_empty() {
            let loss = loss_of(steps, labels_of(answers).len(), results, step_weight);
            terms.push(("loss_steps", scalar(&loss) / step_weight));
            total = total.add(loss);
        }
        if step_weight > 0.0
            && by == StepSupervisionBy::Generator
            && let Some(loss) = self.named_steps_loss(&source, &made, &batch, &of_part)
        {
            terms.push(("loss_steps", scalar(&loss)));
            total = total.add(loss.mul_scalar(step_weight));
        }
        let aligned: Vec<usize> = (0..of_part.len())
            .filter(|&i| is_aligned[of_part[i]])
            .collect();
        if let Some(loss) = self.alignment_loss(&examples, &aligned, aligned_count, &made.compared)
        {
            terms.push(("loss_alignment", scalar(&loss)));
            total = total.add(loss.mul_scalar(self.settings.alpha));
        }
        if self.settings.batch_loss == BatchLoss::Sum {
            total = total.mul_scalar(count as f32);
        }
        Ok(Loss { total, terms })
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let mut figures = Map::new();
        let mut score = 0.0;
        for (family, examples) in self.validation.iter() {
            let accuracy = self.count_answered(examples) as f64 / examples.len() as f64;
            figures.insert(family.clone(), json!(accuracy));
            score += accuracy;
        }
        if self.settings.selection == Selection::Loss {
            let losses = self.mean_losses();
            let alpha = self.settings.alpha;
            let total = alpha * losses.alignment + (1.0 - alpha) * losses.answer;
            figures.insert("loss_answer".into(), json!(losses.answer));
            figures.insert("loss_alignment".into(), json!(losses.alignment));
            figures.insert("loss".into(), json!(total));
            score = -total;
        }
        Ok(Validation { score, figures })
    }
}

impl Answers for GeneratorStage<'_> {
    fn mode(&self) -> Mode {
        Mode::Implicit
    }

    fn write(&self, examples: &[Example], most_tokens: usize) -> Vec<Written> {
        let vectors = self.vectors(examples, self.settings.eval_implicit_tokens());
        self.write_behind(self.prompt(examples, &vectors), most_tokens, &[])
    }
}
