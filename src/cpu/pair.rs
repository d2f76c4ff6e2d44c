//! Answers requests on the CPU: generator, projection and target in one, as the GPU does it.

use std::ops::ControlFlow;

use super::model::CpuModel;
use super::pause::{NoPause, Pause, Pauses};
use super::throughput;
use crate::clock::now_ms;
use crate::formats::source::ByteSource;
use crate::model::run::{Execute, GeneratorInput, Inspect, Milliseconds, Report, Request};
use crate::model::{
    ForwardOptions, Head, LlamaConfig, Model, ModelError, RequestError, RunState, Throughput,
    check_pair, check_sentence_transformer,
};
use crate::weights::WeightType;

/// Tokens handed over at a time where the caller does not say: nothing is waited for, so each as
/// soon as it is there.
const TOKENS_AT_A_TIME: u32 = 1;

/// Why something could not be run on the CPU.
#[derive(Debug, thiserror::Error)]
pub enum CpuError {
    /// A model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What was asked for cannot be run.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// A target, and where there is one, its generator.
pub struct CpuPair<P = NoPause> {
    target: CpuModel,
    generator: Option<CpuModel>,
    /// With the layer of the target whose input is its own.
    sentence: Option<(CpuModel, usize)>,
    pauses: Pauses<P>,
}

impl<P: Pause> CpuPair<P> {
    /// Joins a target with its generator.
    ///
    /// # Errors
    /// When they are no pair.
    pub fn new(
        target: CpuModel,
        generator: Option<CpuModel>,
        pause: P,
    ) -> Result<Self, ModelError> {
        if let Some(generator) = &generator {
            check_pair(target.model(), generator.model()).map_err(|fault| ModelError {
                file: generator.model().file.clone(),
                fault,
            })?;
        }
        Ok(Self {
            target,
            generator,
            sentence: None,
            pauses: Pauses::new(pause),
        })
    }

    /// The target.
    pub fn target(&self) -> &CpuModel {
        &self.target
    }

    /// The generator.
    pub fn generator(&self) -> Option<&CpuModel> {
        self.generator.as_ref()
    }

    /// Loads the sentence transformer that was trained on the target's hidden states.
    ///
    /// # Errors
    /// When its file cannot be used, or is not this target's.
    pub async fn load_sentence_transformer(
        &mut self,
        source: &impl ByteSource,
    ) -> Result<(), ModelError> {
        let model = Model::open_sentence_transformer(source).await?;
        let first_layer = check_sentence_transformer(self.target.model(), &model);
        let first_layer = first_layer.map_err(|fault| ModelError {
            file: model.file.clone(),
            fault,
        })?;
        let sentence = CpuModel::load(model, source, self.target.options()).await?;
        self.sentence = Some((sentence, first_layer));
        Ok(())
    }

    /// One forward pass of the target: see [`CpuModel::forward`]. `given` `[any][hidden_size]`.
    ///
    /// # Errors
    /// When the prompt does not fit, or `given` are not the rows that it marks.
    pub async fn forward(
        &mut self,
        ids: &[u32],
        given: &[Vec<f32>],
        options: ForwardOptions,
    ) -> Result<Option<Vec<f32>>, RequestError> {
        self.pauses.begin();
        let given = given.concat();
        let target = &mut self.target;
        target.forward(ids, given, options, &mut self.pauses).await
    }

    /// How fast a matrix of about `bytes` bytes of a type is read here.
    ///
    /// # Errors
    /// When the pause says to stop.
    pub async fn matvec_throughput(
        &mut self,
        weight_type: WeightType,
        bytes: u64,
    ) -> Result<Throughput, RequestError> {
        self.pauses.begin();
        throughput::measure(weight_type, bytes, &mut self.pauses).await
    }

    fn check(&self, request: &Request) -> Result<(), RequestError> {
        let generator: Option<&Model> = self.generator.as_ref().map(CpuModel::model);
        request.check(self.target.model(), generator, self.positions())
    }

    fn positions(&self) -> usize {
        let generator = self.generator.as_ref().map(CpuModel::positions);
        self.target.positions().min(generator.unwrap_or(usize::MAX))
    }

    /// The implicit tokens `[count, target hidden size]`; nothing when the pause says to stop.
    async fn implicit_tokens_of(
        &mut self,
        input: &GeneratorInput,
    ) -> Result<Option<Vec<f32>>, RequestError> {
        let generator = self.generator.as_mut().ok_or(RequestError::NoGenerator)?;
        let options = ForwardOptions::from(Head::HiddenStates);
        let hidden = generator.forward(&input.ids, Vec::new(), options, &mut self.pauses);
        let Some(hidden) = hidden.await? else {
            return Ok(None);
        };
        let width = generator.config().hidden_size;
        let first = input.first_row as usize * width;
        let mut wanted = hidden[first..][..input.count as usize * width].to_vec();
        for _ in 1..input.passes {
            let again = generator.pass_again(wanted, input.first_row as usize, &mut self.pauses);
            let Some(hidden) = again.await else {
                return Ok(None);
            };
            wanted = hidden;
        }
        Ok(Some(generator.project(&wanted)))
    }

    /// Reads the prompt and writes; ends early where the pause or the listener says so.
    async fn write(
        &mut self,
        request: &Request,
        given: Vec<f32>,
        on_tokens: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
        report: &mut Report,
    ) -> Result<(), RequestError> {
        let started = now_ms();
        let target = &mut self.target;
        let run = RunState {
            max_tokens: request.max_tokens,
            end_token: request.end_token,
            ..RunState::default()
        };
        target.begin(&request.target_ids, given, run)?;
        if target.prefill(&mut self.pauses).await.is_break() {
            return Ok(());
        }
        report.target_passes = 1;
        report.token_ids.extend(target.choose(&request.sampling));
        let prefilled = now_ms();
        report.ms.prefill = Some(prefilled - started);

        let mut handed_over = 0;
        loop {
            let is_done = target.run.done != 0;
            let fresh = &report.token_ids[handed_over..];
            if is_done || fresh.len() >= request.tokens_per_submit as usize {
                if on_tokens(fresh).is_break() || is_done {
                    break;
                }
                handed_over = report.token_ids.len();
            }
            if target.decode(&mut self.pauses).await.is_break() {
                break;
            }
            report.target_passes += 1;
            report.token_ids.extend(target.choose(&request.sampling));
        }
        report.ms.decode = Some(now_ms() - prefilled);
        Ok(())
    }
}

impl<P: Pause> Execute for CpuPair<P> {
    type Error = RequestError;

    async fn run(
        &mut self,
        request: &Request,
        on_tokens: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
    ) -> Result<Report, Self::Error> {
        self.check(request)?;
        self.pauses.begin();
        let started = now_ms();
        let mut report = Report {
            ms: Milliseconds {
                generator: Some(0.0),
                prefill: Some(0.0),
                decode: Some(0.0),
                total: 0.0,
            },
            ..Report::default()
        };
        let given = match &request.generator {
            None => Some(Vec::new()),
            Some(input) => {
                report.generator_passes = input.passes;
                let given = self.implicit_tokens_of(input).await?;
                report.ms.generator = Some(now_ms() - started);
                given
            }
        };
        if let Some(given) = given {
            self.write(request, given, on_tokens, &mut report).await?;
        }
        report.ms.total = now_ms() - started;
        Ok(report)
    }

    fn context_length(&self) -> u32 {
        self.positions() as u32
    }

    fn default_tokens_per_submit(&self) -> u32 {
        TOKENS_AT_A_TIME
    }
}

impl<P: Pause> Inspect for CpuPair<P> {
    fn target_config(&self) -> &LlamaConfig {
        self.target.config()
    }

    fn has_sentence_transformer(&self) -> bool {
        self.sentence.is_some()
    }

    async fn implicit_tokens(&mut self, request: &Request) -> Result<Vec<f32>, RequestError> {
        self.check(request)?;
        self.pauses.begin();
        match &request.generator {
            None => Ok(Vec::new()),
            Some(input) => until_whole(self.implicit_tokens_of(input).await?),
        }
    }

    async fn embeddings(&mut self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        self.target.embeddings(ids)
    }

    async fn hidden_states(&mut self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        until_whole(self.forward(ids, &[], Head::HiddenStates.into()).await?)
    }

    async fn embed_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, RequestError> {
        let sentence = self.sentence.as_mut();
        let (sentence, first_layer) = sentence.ok_or(RequestError::NoSentenceTransformer)?;
        let options = ForwardOptions {
            layers: Some(*first_layer),
            head: Head::None,
        };
        let (target, pauses) = (&mut self.target, &mut self.pauses);
        pauses.begin();
        let mut embeddings = Vec::with_capacity(texts.len());
        for ids in texts {
            let rows = target.forward(ids, Vec::new(), options, pauses).await?;
            let rows = until_whole(rows)?;
            embeddings.push(until_whole(
                sentence.sentence_embedding(&rows, pauses).await?,
            )?);
        }
        Ok(embeddings)
    }

    async fn embed_rows(&mut self, rows: &[f32]) -> Result<Vec<f32>, RequestError> {
        let sentence = self.sentence.as_mut();
        let (sentence, _) = sentence.ok_or(RequestError::NoSentenceTransformer)?;
        self.pauses.begin();
        until_whole(sentence.sentence_embedding(rows, &mut self.pauses).await?)
    }
}

/// Values, or the error of what was stopped in the middle, which nobody waits for any more.
fn until_whole(values: Option<Vec<f32>>) -> Result<Vec<f32>, RequestError> {
    values.ok_or(RequestError::Stopped)
}
