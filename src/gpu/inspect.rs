//! The GPU's implicit tokens, embedding table and sentence transformer, read back for looking at.

use super::activations::MAX_ROWS;
use super::sentence::GpuSentenceTransformer;
use super::{GpuError, GpuPair};
use crate::formats::source::ByteSource;
use crate::model::run::{Inspect, Report, Request};
use crate::model::step::Slot;
use crate::model::{ForwardOptions, Head, LlamaConfig, RequestError, RunState, check_ids};

impl GpuPair {
    /// Loads the sentence transformer that was trained on the target's hidden states, in place of one
    /// that was loaded before.
    pub async fn load_sentence_transformer(
        &mut self,
        source: &impl ByteSource,
    ) -> Result<(), GpuError> {
        self.sentence = Some(GpuSentenceTransformer::load(self.target(), source).await?);
        Ok(())
    }

    fn sentence(&self) -> Result<&GpuSentenceTransformer, GpuError> {
        self.gpu().check_alive()?;
        let sentence = self.sentence.as_ref();
        sentence.ok_or(GpuError::Request(RequestError::NoSentenceTransformer))
    }

    fn read_back_buffer(&self, values: usize) -> Result<wgpu::Buffer, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        self.gpu().buffer("read-back", values as u64 * 4, usage)
    }

    async fn values(&self, staging: &wgpu::Buffer) -> Result<Vec<f32>, GpuError> {
        let read = bytemuck::pod_collect_to_vec;
        self.gpu().read_mapped(staging, staging.size(), read).await
    }
}

impl Inspect for GpuPair {
    fn target_config(&self) -> &LlamaConfig {
        self.target().config()
    }

    fn has_sentence_transformer(&self) -> bool {
        self.sentence.is_some()
    }

    async fn implicit_tokens(&mut self, request: &Request) -> Result<Vec<f32>, GpuError> {
        self.check(request)?;
        let Some(input) = &request.generator else {
            return Ok(Vec::new());
        };
        let values = input.count as usize * self.target().config().hidden_size;
        let staging = self.read_back_buffer(values)?;
        let mut encoder = self
            .gpu()
            .device
            .create_command_encoder(&Default::default());
        self.encode_generator(&mut encoder, input, &mut Report::default());
        let given = &self.target().activations.given;
        encoder.copy_buffer_to_buffer(given, 0, &staging, 0, staging.size());
        self.gpu().queue.submit([encoder.finish()]);
        self.values(&staging).await
    }

    async fn embeddings(&mut self, ids: &[u32]) -> Result<Vec<f32>, GpuError> {
        self.gpu().check_alive()?;
        let target = self.target();
        let config = target.config();
        check_ids(
            "the tokens to look up",
            ids,
            0,
            config.vocab_size,
            usize::MAX,
        )?;
        let program = target.compiled(ForwardOptions {
            layers: Some(0),
            head: Head::None,
        })?;
        let staging = self.read_back_buffer(ids.len() * config.hidden_size)?;
        let piece_rows = MAX_ROWS.min(target.context_tokens()) as usize;
        for (index, ids) in ids.chunks(piece_rows).enumerate() {
            let rows = ids.len() as u32;
            target.write_prompt(ids, RunState::default(), rows - 1..rows);
            let mut encoder = self
                .gpu()
                .device
                .create_command_encoder(&Default::default());
            target.encode_program(&mut encoder, &program, rows);
            let row_bytes = config.hidden_size as u64 * 4;
            let residual = target.activations.slot(Slot::Residual);
            let at = (index * piece_rows) as u64 * row_bytes;
            encoder.copy_buffer_to_buffer(residual, 0, &staging, at, u64::from(rows) * row_bytes);
            self.gpu().queue.submit([encoder.finish()]);
        }
        self.values(&staging).await
    }

    async fn hidden_states(&mut self, ids: &[u32]) -> Result<Vec<f32>, GpuError> {
        let options = Head::HiddenStates.into();
        self.target().forward(ids, &[], options).await
    }

    async fn embed_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, GpuError> {
        let sentence = self.sentence()?;
        sentence.embed_texts(self.target(), texts).await
    }

    async fn embed_rows(&mut self, rows: &[f32]) -> Result<Vec<f32>, GpuError> {
        let sentence = self.sentence()?;
        sentence.embed_rows(self.target(), rows).await
    }
}
