//! Where the vectors between question and answer come from: the generator, one of those that it is compared with, or
//! constants that are learnt.

use std::iter;

use burn::Tensor;
use burn::tensor::{Device, Int};

use super::baselines::lora_generator::LoraGenerator;
use super::baselines::softcot::SoftCot;
use super::config::{Config, Method, Start};
use super::error::TrainError;
use super::examples::Purpose;
use super::import;
use super::initialization::Normal;
use super::kernels::Reach;
use super::linear::Linear;
use super::llama::{Llama, Named, Packing, rows_tensor, tensors};
use super::lora::Dropout;
use super::vocabulary::Vocabulary;
use crate::formats::manifest::ImplicitFrom;

/// The small model, its `<thought>` row and the way into the target's embedding space.
#[derive(Clone, Debug)]
pub struct Generator {
    pub model: Llama,
    /// `[1, generator hidden]`, before the scale on embeddings.
    pub thought: Tensor<2>,
    /// From its states to the vectors.
    pub projection: Linear,
    /// From its states to what is compared with written reasoning, where that is not the vectors themselves.
    pub alignment_projection: Option<Linear>,
    pub implicit_from: ImplicitFrom,
    /// See [`GeneratorSettings::passes`](super::config::GeneratorSettings::passes).
    pub passes: usize,
}

/// Where the vectors come from.
#[derive(Clone, Debug)]
pub enum Source {
    Generator(Box<Generator>),
    /// The target with changes of low rank in place of a small generator.
    LoraGenerator(Box<LoraGenerator>),
    SoftCot(Box<SoftCot>),
    /// `[k, target hidden]`: the same for every question.
    Constant(Box<Tensor<2>>),
}

/// Tokens that stand in place of thoughts from the second pass on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// Thoughts by their number among those of all questions, rising.
    pub thoughts: Vec<usize>,
    /// One for each of them.
    pub tokens: Vec<u32>,
}

/// Vectors in training: `[questions · k, …]` each.
#[derive(Clone, Debug)]
pub struct Made {
    pub vectors: Tensor<2>,
    /// What of each is compared with written reasoning.
    pub compared: Tensor<2>,
    /// The generator's states after each of its passes, of which the last are projected; none where there is no generator.
    pub states: Vec<Tensor<2>>,
}

impl Source {
    /// The source that a configuration asks for, before training.
    pub fn new(
        config: &Config,
        vocabulary: &Vocabulary,
        target: &Llama,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let settings = &config.generator;
        let target_size = config.target.sizes.hidden_size;
        let mut normal = Normal::new(config.seed ^ Purpose::Generator as u64);
        match settings.method {
            Method::LoraGenerator => {
                let generator = LoraGenerator::new(settings, target, &mut normal, device);
                return Ok(Source::LoraGenerator(Box::new(generator)));
            }
            Method::Softcot => {
                let softcot = SoftCot::new(settings, vocabulary, target, &mut normal, device);
                return Ok(Source::SoftCot(Box::new(softcot)));
            }
            Method::Semcot => {}
            _ => {
                let scale = target.embedding_scale();
                let shape = [settings.implicit_tokens, target_size];
                let vectors = normal.scaled(shape, target_size, device);
                return Ok(Source::Constant(Box::new(vectors.mul_scalar(scale))));
            }
        }
        let hidden = settings.sizes.hidden_size;
        let kernels = target.decoder.kernels;
        if let Some(path) = &config.generator_from {
            let generator = import::generator(path, config, vocabulary, kernels, device)?;
            return Ok(Source::Generator(Box::new(generator)));
        }
        let mut model = Llama::new(
            settings.sizes,
            vocabulary.size,
            kernels,
            &mut normal,
            device,
        );
        let thought = normal.scaled([1, hidden], hidden, device);
        let projection = Linear {
            weight: normal.matrix(hidden, target_size, device),
            bias: Tensor::zeros([1, target_size], device),
        };
        let generator = Generator {
            thought,
            alignment_projection: settings.alignment_projection.of(&projection),
            projection,
            implicit_from: settings.implicit_from,
            passes: settings.passes,
            model: {
                if settings.start == Start::Target {
                    model = target.clone();
                }
                model
            },
        };
        Ok(Source::Generator(Box::new(generator)))
    }

    pub fn parameters(&mut self) -> Vec<Named<'_>> {
        match self {
            Source::Constant(vectors) => vec![("vectors".into(), &mut **vectors)],
            Source::LoraGenerator(generator) => generator.parameters(),
            Source::SoftCot(softcot) => softcot.parameters(),
            Source::Generator(generator) => {
                let Generator {
                    model,
                    thought,
                    projection,
                    alignment_projection,
                    ..
                } = &mut **generator;
                let mut named = model.parameters();
                named.push(("thought".into(), thought));
                named.extend(projection.parameters("projection"));
                if let Some(projection) = alignment_projection {
                    named.extend(projection.parameters("alignment_projection"));
                }
                named
            }
        }
    }

    /// All else that vectors are made with.
    pub fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        match self {
            Source::Constant(_) | Source::Generator(_) => Vec::new(),
            Source::LoraGenerator(generator) => generator.model.frozen(),
            Source::SoftCot(softcot) => tensors(softcot.small.parameters()),
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
            Source::LoraGenerator(generator) => generator.vectors(questions, k),
            Source::SoftCot(softcot) => softcot.vectors(questions, k),
        }
    }

    /// The vectors, and what else of them training looks at. Only a generator of more than one pass reads what is forced.
    pub fn made(&self, questions: &[&[u32]], k: usize, forced: &Forced) -> Made {
        let Source::Generator(generator) = self else {
            let vectors = self.vectors(questions, k);
            return Made {
                compared: vectors.clone(),
                states: Vec::new(),
                vectors,
            };
        };
        let states = generator.passes_of(questions, k, forced);
        let last = &states[states.len() - 1];
        let vectors = generator.projection.apply(last.clone());
        let own = generator.alignment_projection.as_ref();
        Made {
            compared: own.map_or_else(|| vectors.clone(), |own| own.apply(last.clone())),
            states,
            vectors,
        }
    }

    /// Passes of models to make a question's vectors.
    pub fn passes(&self) -> u32 {
        match self {
            Source::Constant(_) => 0,
            Source::Generator(generator) => generator.passes as u32,
            Source::LoraGenerator(_) | Source::SoftCot(_) => 1,
        }
    }

    /// Leaves inputs out before changes of low rank from now on, where there are any.
    pub fn set_dropout(&mut self, dropout: Option<Dropout>) {
        if let Source::LoraGenerator(generator) = self {
            generator.model.model.decoder.dropout = dropout;
        }
    }
}

impl Generator {
    /// Reads [question, k × `<thought>`] and projects k of its states.
    pub fn vectors(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        self.projection.apply(self.hidden(questions, k))
    }

    /// The normed states that are projected: `[questions · k, generator hidden]`.
    pub fn hidden(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        let mut states = self.passes_of(questions, k, &Forced::default());
        states.pop().expect("there is a pass at least")
    }

    /// The normed states of every pass.
    fn passes_of(&self, questions: &[&[u32]], k: usize, forced: &Forced) -> Vec<Tensor<2>> {
        if self.passes > 1 {
            return self.passes_behind(questions, k, forced);
        }
        vec![self.only_pass(questions, k)]
    }

    fn only_pass(&self, questions: &[&[u32]], k: usize) -> Tensor<2> {
        let thoughts = self.implicit_from.thoughts_read(k);
        let ids = questions.concat();
        let mut rows = Vec::with_capacity(ids.len() + questions.len() * thoughts);
        let mut start = 0;
        for question in questions {
            rows.extend(start..start + question.len());
            rows.extend(iter::repeat_n(ids.len(), thoughts));
            start += question.len();
        }
        let packing = Packing {
            lengths: questions
                .iter()
                .map(|question| question.len() + thoughts)
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
        self.model
            .decoder
            .hidden(x.select(0, rows), &packing, Reach::Causal)
    }

    /// The `<thought>` positions read again and again behind a question that is read once: from the second pass on, what the
    /// pass before has made of them stands in their place, or what is forced.
    fn passes_behind(&self, questions: &[&[u32]], k: usize, forced: &Forced) -> Vec<Tensor<2>> {
        let lengths: Vec<usize> = questions.iter().map(|question| question.len()).collect();
        let question_rows = self.model.embed(&questions.concat());
        let decoder = &self.model.decoder;
        let prefix = decoder.prefix(question_rows, &lengths);
        let mut end = 0;
        let packing = Packing {
            lengths: vec![k; lengths.len()],
            wanted: vec![k; lengths.len()],
            before: (lengths.iter())
                .map(|length| {
                    end += length;
                    end - length..end
                })
                .collect(),
        };
        let scale = self.model.embedding_scale();
        let thought = (self.thought.clone().mul_scalar(scale)).repeat_dim(0, k * lengths.len());
        let pass = |read| decoder.hidden_after(&prefix, read, &packing, Reach::Causal);
        let first = pass(thought);
        let forced = self.forced_rows(forced, k * lengths.len(), &first.device());
        let next = |states: &Tensor<2>| {
            let read = match &forced {
                Some((embedded, rows)) => {
                    Tensor::cat(vec![states.clone(), embedded.clone()], 0).select(0, rows.clone())
                }
                None => states.clone(),
            };
            Some(pass(read))
        };
        iter::successors(Some(first), next)
            .take(self.passes)
            .collect()
    }

    /// What is forced, embedded, and which row every one of `thoughts` has among its own and these; none where nothing is.
    fn forced_rows(
        &self,
        forced: &Forced,
        thoughts: usize,
        device: &Device,
    ) -> Option<(Tensor<2>, Tensor<1, Int>)> {
        if forced.thoughts.is_empty() {
            return None;
        }
        let mut rows: Vec<usize> = (0..thoughts).collect();
        for (number, &thought) in forced.thoughts.iter().enumerate() {
            rows[thought] = thoughts + number;
        }
        Some((self.model.embed(&forced.tokens), rows_tensor(&rows, device)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::kernels::Kernels;
    use crate::train::llama::{EmbeddingScale, Head, LlamaSizes};

    const QUESTIONS: [&[u32]; 2] = [&[3, 1, 4, 1, 5], &[9, 2]];

    fn generator() -> Generator {
        let device = Device::flex().autodiff();
        let mut normal = Normal::new(5);
        let sizes = LlamaSizes {
            hidden_size: 16,
            num_layers: 2,
            num_heads: 2,
            num_kv_heads: 1,
            intermediate_size: 32,
            head_dim: None,
            rms_eps: 1e-5,
            rope_theta: 10000.0,
            embedding_scale: EmbeddingScale::SqrtHidden,
            head: Head::Tied,
        };
        Generator {
            model: Llama::new(sizes, 30, Kernels::Fused, &mut normal, &device),
            thought: normal.scaled([1, 16], 16, &device),
            projection: Linear {
                weight: normal.matrix(16, 16, &device),
                bias: Tensor::zeros([1, 16], &device),
            },
            alignment_projection: None,
            implicit_from: ImplicitFrom::ThoughtPositions,
            passes: 1,
        }
    }

    #[test]
    fn a_question_read_apart_from_its_thoughts_gives_the_same_states() {
        let generator = generator();
        let values = |states: Tensor<2>| states.inner().try_into_vec_as::<f32>().expect("f32");
        let once = values(generator.hidden(&QUESTIONS, 3));
        let mut apart = generator.passes_behind(&QUESTIONS, 3, &Forced::default());
        let apart = values(apart.pop().expect("there is a pass"));
        assert_eq!(once.len(), 2 * 3 * 16);
        let difference = |other: &[f32]| {
            let differences = once.iter().zip(other).map(|(a, b)| (a - b).abs());
            differences.fold(0.0, f32::max)
        };
        assert!(difference(&apart) < 1e-5, "{}", difference(&apart));
        let twice = Generator {
            passes: 2,
            ..generator
        };
        let states = values(twice.hidden(&QUESTIONS, 3));
        assert!(difference(&states) > 1e-2, "{}", difference(&states));
    }

    #[test]
    fn what_is_forced_changes_its_question_alone_and_only_from_there_on() {
        let generator = Generator {
            passes: 2,
            ..generator()
        };
        let states = |forced: &Forced| {
            let mut states = generator.passes_of(&QUESTIONS, 3, forced);
            let last = states.pop().expect("there is a pass").inner();
            last.try_into_vec_as::<f32>().expect("f32")
        };
        let free = states(&Forced::default());
        let forced = states(&Forced {
            thoughts: vec![4],
            tokens: vec![7],
        });
        let changed: Vec<bool> = (free.chunks(16).zip(forced.chunks(16)))
            .map(|(free, forced)| free != forced)
            .collect();
        assert_eq!(changed, [false, false, false, false, true, true]);
    }
}
