//! Answers requests on the CPU: generator, projection and target in one, as the GPU does it.

use std::ops::ControlFlow;

use super::{Executor, ExecutorOptions};
use crate::clock::now_ms;
use crate::formats::source::ByteSource;
use crate::model::run::{Execute, Inspect, Milliseconds, Report, Request};
use crate::model::{
    Head, LlamaConfig, Model, ModelError, RequestError, RunState, check_pair,
    check_sentence_transformer, forward,
};

/// A target, and the generator that makes its implicit tokens.
pub struct PairExecutor {
    target: Executor,
    generator: Option<Executor>,
    /// With the layer of the target whose input is its own.
    sentence: Option<(Executor, usize)>,
    options: ExecutorOptions,
}

impl PairExecutor {
    /// A target alone, which answers requests without implicit tokens.
    pub async fn load_target(
        target: &impl ByteSource,
        options: ExecutorOptions,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            target: Executor::load(target, options).await?,
            generator: None,
            sentence: None,
            options,
        })
    }

    /// A target and its generator.
    pub async fn load(
        target: &impl ByteSource,
        generator: &impl ByteSource,
        options: ExecutorOptions,
    ) -> Result<Self, ModelError> {
        let target = Executor::load(target, options).await?;
        let generator = Executor::load(generator, options).await?;
        check_pair(target.model(), generator.model()).map_err(|fault| ModelError {
            file: generator.model().file.clone(),
            fault,
        })?;
        Ok(Self {
            target,
            generator: Some(generator),
            sentence: None,
            options,
        })
    }

    /// Loads the sentence transformer that was trained on the target's hidden states.
    pub async fn load_sentence_transformer(
        &mut self,
        source: &impl ByteSource,
    ) -> Result<(), ModelError> {
        let sentence = Executor::load_sentence_transformer(source, self.options).await?;
        let model = sentence.model();
        let first_layer = check_sentence_transformer(self.target.model(), model);
        let first_layer = first_layer.map_err(|fault| ModelError {
            file: model.file.clone(),
            fault,
        })?;
        self.sentence = Some((sentence, first_layer));
        Ok(())
    }

    /// The target.
    pub fn target(&mut self) -> &mut Executor {
        &mut self.target
    }

    /// The generator.
    pub fn generator(&mut self) -> Option<&mut Executor> {
        self.generator.as_mut()
    }

    /// The implicit tokens `[count, target hidden size]` of a request; none where it has no
    /// generator input.
    pub fn implicit_tokens(&mut self, request: &Request) -> Result<Vec<f32>, RequestError> {
        let Some(input) = &request.generator else {
            return Ok(Vec::new());
        };
        let generator = self.generator.as_mut().ok_or(RequestError::NoGenerator)?;
        generator.pass(&input.ids, &[], Head::HiddenStates.into())?;
        let mut first = input.first_row;
        for _ in 1..input.passes {
            generator.pass_again(first, input.first_row, input.count);
            first = 0;
        }
        Ok(generator.project(first, input.count))
    }

    fn check(&self, request: &Request) -> Result<(), RequestError> {
        let generator: Option<&Model> = self.generator.as_ref().map(|it| it.model());
        request.check(self.target.model(), generator, self.positions())
    }

    fn positions(&self) -> usize {
        let generator = self.generator.as_ref().map(Executor::positions);
        self.target.positions().min(generator.unwrap_or(usize::MAX))
    }
}

impl Execute for PairExecutor {
    type Error = RequestError;

    async fn run(
        &mut self,
        request: &Request,
        on_tokens: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
    ) -> Result<Report, Self::Error> {
        self.check(request)?;
        let started = now_ms();
        let given = self.implicit_tokens(request)?;
        let generated = now_ms();

        let target = &mut self.target;
        let state = RunState {
            max_tokens: request.max_tokens,
            end_token: request.end_token,
            ..RunState::default()
        };
        target.begin(&request.target_ids, &given, state)?;
        let steps = forward(
            &target.model().config,
            &target.model().weights,
            Head::LastLogits.into(),
        );
        target.execute(&steps, &given);
        let mut token_ids = Vec::new();
        token_ids.extend(target.choose(&request.sampling));
        let prefilled = now_ms();

        let mut target_passes = 1;
        let mut handed_over = 0;
        loop {
            let batch_full = token_ids.len() - handed_over >= request.tokens_per_submit as usize;
            if batch_full || target.is_done() {
                let flow = on_tokens(&token_ids[handed_over..]);
                handed_over = token_ids.len();
                if flow.is_break() || target.is_done() {
                    break;
                }
            }
            target.execute(&steps, &[]);
            token_ids.extend(target.choose(&request.sampling));
            target_passes += 1;
        }
        let ended = now_ms();
        Ok(Report {
            token_ids,
            target_passes,
            generator_passes: request.generator.as_ref().map_or(0, |it| it.passes),
            ms: Milliseconds {
                generator: Some(generated - started),
                prefill: Some(prefilled - generated),
                decode: Some(ended - prefilled),
                total: ended - started,
            },
            ..Report::default()
        })
    }

    fn context_length(&self) -> u32 {
        self.positions() as u32
    }

    fn default_tokens_per_submit(&self) -> u32 {
        // Nothing is submitted and nothing is read back: hand over each token as it is written.
        1
    }
}

impl Inspect for PairExecutor {
    fn target_config(&self) -> &LlamaConfig {
        &self.target.model().config
    }

    fn has_sentence_transformer(&self) -> bool {
        self.sentence.is_some()
    }

    async fn implicit_tokens(&mut self, request: &Request) -> Result<Vec<f32>, RequestError> {
        self.check(request)?;
        PairExecutor::implicit_tokens(self, request)
    }

    async fn embeddings(&mut self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        self.target.embeddings(ids)
    }

    async fn hidden_states(&mut self, ids: &[u32]) -> Result<Vec<f32>, RequestError> {
        self.target.hidden_states(ids, &[])
    }

    async fn embed_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, RequestError> {
        let sentence = self.sentence.as_mut();
        let (sentence, first_layer) = sentence.ok_or(RequestError::NoSentenceTransformer)?;
        let mut embeddings = Vec::with_capacity(texts.len());
        for ids in texts {
            let rows = self.target.residual(ids, &[], *first_layer)?;
            embeddings.push(sentence.sentence_embedding(&rows)?);
        }
        Ok(embeddings)
    }

    async fn embed_rows(&mut self, rows: &[f32]) -> Result<Vec<f32>, RequestError> {
        let sentence = self.sentence.as_mut();
        let (sentence, _) = sentence.ok_or(RequestError::NoSentenceTransformer)?;
        sentence.sentence_embedding(rows)
    }
}
