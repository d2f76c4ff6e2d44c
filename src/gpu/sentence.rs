//! A sentence transformer on the GPU: upper layers of a target that see all rows of a text at once,
//! the mean of their hidden states, and a linear map. Its input is the target's residual stream, which
//! goes from buffer to buffer: only embeddings come back.

use super::activations::{Activations, Capacity, MAX_ROWS};
use super::dispatch::encode;
use super::model::load_weights;
use super::program::{Compiler, Program, Wanted};
use super::weight::Weight;
use super::{Allowed, GpuError, GpuModel, GpuModelOptions};
use crate::formats::source::ByteSource;
use crate::model::step::Slot;
use crate::model::{
    ForwardOptions, Head, KvType, Model, ModelError, RequestError, RunState, check_ids,
    check_sentence_transformer, forward, rope_frequencies, rope_table,
};

/// A sentence transformer with its way out of a target's layers.
pub(super) struct GpuSentenceTransformer {
    model: Model,
    activations: Activations,
    /// The target's layers below, on the target's buffers.
    below: Program,
    program: Program,
}

/// Texts that are read back together.
const MAX_TEXTS: usize = 32;

/// Keys and values of a few rows take little, and alignments are compared to 1e-4.
const OPTIONS: GpuModelOptions = GpuModelOptions {
    kv: KvType::F32,
    context_tokens: Some(MAX_ROWS as usize),
};

impl GpuSentenceTransformer {
    /// Reads one that was trained on this target's hidden states.
    pub(super) async fn load(
        target: &GpuModel,
        source: &impl ByteSource,
    ) -> Result<Self, GpuError> {
        let gpu = target.gpu.clone();
        let model = Model::open_sentence_transformer(source).await?;
        let first_layer = check_sentence_transformer(target.model(), &model);
        let first_layer = first_layer.map_err(|fault| ModelError {
            file: model.file.clone(),
            fault,
        })?;
        Allowed::by_device(&gpu).check(&[&model], OPTIONS)?;
        let scopes = gpu.error_scopes();
        let (weights, rope_factors) = load_weights(&gpu, &model, source).await?;
        let config = &model.config;
        let capacity = Capacity::of(config, OPTIONS);
        let frequencies = rope_frequencies(config, rope_factors.as_deref());
        let rotations = rope_table(&frequencies, capacity.context as usize);
        let activations = Activations::allocate(&gpu, config, capacity, &rotations)?;
        let compiler = Compiler {
            gpu: &gpu,
            config,
            weights: &weights,
            activations: &activations,
            given: &activations.given,
        };
        let steps = forward(config, &model.weights, Head::Sentence.into());
        let program = compiler.prompt(&steps, Wanted::AllRows)?;
        let below = target.compiled(ForwardOptions {
            layers: Some(first_layer),
            head: Head::None,
        })?;
        let size_bytes = weights.iter().map(Weight::size_bytes).sum();
        scopes
            .finish("the sentence transformer", size_bytes)
            .await?;
        Ok(Self {
            model,
            activations,
            below,
            program,
        })
    }

    /// The embedding `[embedding_size]` of each text, given as the ids that the target reads.
    pub(super) async fn embed_texts(
        &self,
        target: &GpuModel,
        texts: &[&[u32]],
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let config = &target.model.config;
        for ids in texts {
            let given = check_ids("a text", ids, 0, config.vocab_size, self.most_rows())?;
            if given > 0 {
                let (field, marked) = ("a text", given);
                return Err(RequestError::Given {
                    field,
                    marked,
                    given: 0,
                }
                .into());
            }
        }
        let mut embeddings = Vec::with_capacity(texts.len());
        for batch in texts.chunks(MAX_TEXTS) {
            let staging = self.staging(target, batch.len())?;
            for (index, ids) in batch.iter().enumerate() {
                let rows = ids.len() as u32;
                target.write_prompt(ids, RunState::default(), rows - 1..rows);
                let mut encoder = target
                    .gpu
                    .device
                    .create_command_encoder(&Default::default());
                target.encode_program(&mut encoder, &self.below, rows);
                let bytes = u64::from(rows) * config.hidden_size as u64 * 4;
                let (from, to) = (Slot::Residual, Slot::Residual);
                encoder.copy_buffer_to_buffer(
                    target.activations.slot(from),
                    0,
                    self.activations.slot(to),
                    0,
                    bytes,
                );
                self.submit(target, encoder, rows, (&staging, index));
            }
            embeddings.extend(self.read(target, &staging).await?);
        }
        Ok(embeddings)
    }

    /// The embedding of rows `[rows, hidden_size]` that take the place of the target's hidden states.
    pub(super) async fn embed_rows(
        &self,
        target: &GpuModel,
        rows: &[f32],
    ) -> Result<Vec<f32>, GpuError> {
        let count = rows.len() / self.model.config.hidden_size;
        let field = "the rows to embed";
        if count == 0 {
            return Err(RequestError::Empty { field }.into());
        }
        if count > self.most_rows() {
            let (tokens, capacity) = (count as u64, self.most_rows());
            return Err(RequestError::TooLong {
                field,
                tokens,
                capacity,
            }
            .into());
        }
        let residual = self.activations.slot(Slot::Residual);
        let queue = &target.gpu.queue;
        queue.write_buffer(residual, 0, bytemuck::cast_slice(rows));
        let encoder = target
            .gpu
            .device
            .create_command_encoder(&Default::default());
        let staging = self.staging(target, 1)?;
        self.submit(target, encoder, count as u32, (&staging, 0));
        let mut read = self.read(target, &staging).await?;
        Ok(read.pop().expect("one was read"))
    }

    /// Rows that see each other must be there at once, which pieces of a prompt are not.
    fn most_rows(&self) -> usize {
        (MAX_ROWS as usize).min(self.model.config.context_length)
    }

    /// What embeddings of so many texts are read back through.
    fn staging(&self, target: &GpuModel, texts: usize) -> Result<wgpu::Buffer, GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let bytes = texts as u64 * self.embedding_bytes();
        target.gpu.buffer("read-back", bytes, usage)
    }

    /// Encodes the pass over the rows in the residual stream, whose embedding becomes the one of this
    /// index in the staging buffer, and submits all.
    fn submit(
        &self,
        target: &GpuModel,
        mut encoder: wgpu::CommandEncoder,
        rows: u32,
        (staging, index): (&wgpu::Buffer, usize),
    ) {
        let gpu = &target.gpu;
        let run = RunState {
            rows,
            ..RunState::default()
        };
        let queue = &gpu.queue;
        queue.write_buffer(&self.activations.run, 0, bytemuck::cast_slice(&run.words()));
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("sentence transformer"),
            timestamp_writes: None,
        });
        encode(gpu, &mut pass, &self.program.body, rows);
        drop(pass);
        let bytes = self.embedding_bytes();
        let at = index as u64 * bytes;
        let embedding = self.activations.slot(Slot::Logits);
        encoder.copy_buffer_to_buffer(embedding, 0, staging, at, bytes);
        queue.submit([encoder.finish()]);
    }

    async fn read(
        &self,
        target: &GpuModel,
        staging: &wgpu::Buffer,
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let read = bytemuck::pod_collect_to_vec;
        let read = target.gpu.read_mapped(staging, staging.size(), read);
        let values: Vec<f32> = read.await?;
        let rows = values.chunks_exact(self.model.config.vocab_size);
        Ok(rows.map(<[f32]>::to_vec).collect())
    }

    fn embedding_bytes(&self) -> u64 {
        self.model.config.vocab_size as u64 * 4
    }
}
