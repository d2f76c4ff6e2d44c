//! A model on the GPU: its weights, its buffers, and its forward pass compiled for prompts and for
//! single tokens.

mod forward;

use std::ops::Range;
use std::sync::Arc;

use super::activations::{Activations, Capacity, GIVEN_FIRST, MAX_ROWS};
use super::dispatch::{Dispatch, encode};
use super::program::{Choices, Compiler, Program, Wanted};
use super::timing::{self, Timestamps};
use super::weight::Weight;
use super::{Allowed, Gpu, GpuError};
use crate::formats::source::ByteSource;
use crate::model::step::{EMBEDDING_GIVEN, WeightId};
use crate::model::{
    ForwardOptions, Head, KvType, LlamaConfig, Model, RunState, Sampling, forward, read_weights,
    rope_frequencies, rope_table,
};

/// Bytes of a weight that are in host memory at once while a model loads.
const CHUNK_BYTES: usize = 4 << 20;

/// How a model is held.
#[derive(Clone, Copy, Debug, Default)]
pub struct GpuModelOptions {
    /// Type of cached keys and values.
    pub kv: KvType,
    /// Positions of the cache; absent: the model's context, at most 4096.
    pub context_tokens: Option<usize>,
}

/// A model on the GPU.
pub struct GpuModel {
    pub(super) gpu: Arc<Gpu>,
    pub(super) model: Model,
    pub(super) weights: Vec<Weight>,
    pub(super) activations: Activations,
    /// Ends with the logits; of a generator, with its hidden states.
    prompt: Program,
    /// Empty for a generator, which writes nothing.
    pub(super) decode: Vec<Dispatch>,
    /// `None` for a generator.
    choices: Option<Choices>,
    pieces: wgpu::Buffer,
    rotations: Vec<[f32; 2]>,
    capacity: Capacity,
}

impl GpuModel {
    /// Reads a model's weights from `source` straight into GPU buffers and compiles its passes.
    pub async fn load(
        gpu: Arc<Gpu>,
        model: Model,
        source: &impl ByteSource,
        options: GpuModelOptions,
    ) -> Result<Self, GpuError> {
        let scopes = gpu.error_scopes();
        let loaded = Self::load_unchecked(gpu.clone(), model, source, options).await;
        let size_bytes = loaded.as_ref().map_or(0, Self::size_bytes);
        scopes.finish("the model", size_bytes).await?;
        gpu.check_alive()?;
        loaded
    }

    async fn load_unchecked(
        gpu: Arc<Gpu>,
        model: Model,
        source: &impl ByteSource,
        options: GpuModelOptions,
    ) -> Result<Self, GpuError> {
        Allowed::by_device(&gpu).check(&[&model], options)?;
        let (weights, rope_factors) = load_weights(&gpu, &model, source).await?;
        let config = &model.config;
        let capacity = Capacity::of(config, options);
        let context = capacity.context as usize;
        let frequencies = rope_frequencies(config, rope_factors.as_deref());
        let rotations = rope_table(&frequencies, context);
        let activations = Activations::allocate(&gpu, config, capacity, &rotations)?;
        let (prompt, decode, choices) = compile(&gpu, &model, &weights, &activations)?;
        let most_pieces = context.div_ceil(MAX_ROWS as usize) as u64;
        Ok(Self {
            pieces: gpu.storage("pieces", most_pieces * 8)?,
            gpu,
            model,
            weights,
            activations,
            prompt,
            decode,
            choices,
            rotations,
            capacity,
        })
    }

    /// The device that holds it.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Shape and constants.
    pub fn config(&self) -> &LlamaConfig {
        &self.model.config
    }

    /// What its file says.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Most positions of a sequence.
    pub fn context_tokens(&self) -> u32 {
        self.capacity.context
    }

    /// Bytes of its weights on the GPU.
    pub fn size_bytes(&self) -> u64 {
        self.weights.iter().map(Weight::size_bytes).sum()
    }

    /// Bytes of weights on the GPU that a pass of one token reads.
    pub fn pass_bytes(&self) -> u64 {
        let read = self.model.weights.of_a_pass();
        read.map(|id| self.weights[id.0].size_bytes()).sum()
    }

    /// Dispatches of one decode pass, and of these the ones of a layer.
    pub fn decode_dispatches(&self) -> (u32, u32) {
        let choice = u32::from(self.choices.is_some());
        let total = self.decode.len() as u32 + choice;
        let weights = &self.model.weights;
        let pieces = |id: WeightId| self.weights[id.0].pieces().len() as u32;
        // Besides the layers: embedding, head, choice.
        let embedding = weights.embedding.map_or(0, pieces);
        let besides = embedding + pieces(weights.output) + 1;
        (
            total,
            total.saturating_sub(besides) / self.model.config.num_layers as u32,
        )
    }

    /// The choice of a token, with what decides it written to the GPU; none of a generator.
    pub(super) fn choice(&self, sampling: &Sampling) -> Option<&Dispatch> {
        let choices = self.choices.as_ref()?;
        if sampling.is_greedy() {
            return Some(&choices.greedy);
        }
        let words = sampling.words();
        let buffer = &self.activations.sampling;
        self.gpu
            .queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(&words));
        Some(&choices.sampled)
    }

    /// Writes a prompt and the beginning of a run to the GPU. Of its rows, `wanted` are wanted.
    pub(super) fn write_prompt(&self, ids: &[u32], run: RunState, wanted: Range<u32>) {
        let pieces = pieces(ids.len() as u32);
        let mut given = 0;
        let ids: Vec<u32> = ids
            .iter()
            .map(|&id| {
                if id != EMBEDDING_GIVEN {
                    return id;
                }
                given += 1;
                GIVEN_FIRST + given - 1
            })
            .collect();
        let [position, rows] = pieces[0];
        let run = RunState {
            position,
            rows,
            ..run
        };
        let [last_position, _] = pieces[pieces.len() - 1];
        let tail_run = RunState {
            rows: wanted.end - wanted.start,
            position: last_position,
            first_row: wanted.start - last_position,
            ..RunState::default()
        };
        let queue = &self.gpu.queue;
        queue.write_buffer(
            &self.activations.tail_run,
            0,
            bytemuck::cast_slice(&tail_run.words()),
        );
        queue.write_buffer(&self.activations.tokens, 0, bytemuck::cast_slice(&ids));
        queue.write_buffer(&self.activations.run, 0, bytemuck::cast_slice(&run.words()));
        if pieces.len() > 1 {
            // In the order of the fields of `Run`.
            let flipped: Vec<[u32; 2]> = pieces
                .iter()
                .map(|&[position, rows]| [rows, position])
                .collect();
            queue.write_buffer(&self.pieces, 0, bytemuck::cast_slice(&flipped));
        }
    }

    /// Encodes the passes over a prompt of `len` tokens, of which `wanted` are wanted, and the
    /// choice of the token behind it; gives the number of dispatches.
    pub(super) fn encode_prompt(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        len: u32,
        wanted: u32,
        timestamps: Option<(&Timestamps, timing::Phase)>,
        choice: Option<&Dispatch>,
    ) -> u32 {
        // A generator's phase goes on to the projection.
        let ends_phase = choice.is_some();
        let writes = |is_first, is_last| {
            timestamps.and_then(|(it, phase)| it.writes(phase, is_first, is_last && ends_phase))
        };
        let run = &self.activations.run;
        self.encode_pieces(encoder, run, &self.prompt, [len, wanted], writes, choice)
    }

    fn encode_pieces<'a>(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        run: &wgpu::Buffer,
        program: &Program,
        [len, wanted]: [u32; 2],
        timestamps: impl Fn(bool, bool) -> Option<wgpu::ComputePassTimestampWrites<'a>>,
        choice: Option<&Dispatch>,
    ) -> u32 {
        let pieces = pieces(len);
        let last = pieces.len() - 1;
        let mut encoded = 0;
        for (index, &[_, rows]) in pieces.iter().enumerate() {
            if index > 0 {
                let from = index as u64 * 8;
                encoder.copy_buffer_to_buffer(&self.pieces, from, run, 0, 8);
            }
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("prompt"),
                timestamp_writes: timestamps(index == 0, index == last),
            });
            encoded += encode(&self.gpu, &mut pass, &program.body, rows);
            if index == last {
                encoded += encode(&self.gpu, &mut pass, &program.tail, wanted);
                encoded += encode(
                    &self.gpu,
                    &mut pass,
                    choice.map_or(&[][..], std::slice::from_ref),
                    1,
                );
            }
        }
        encoded
    }
}

impl GpuModel {
    /// A pass over all rows of a prompt on the model's own buffers, for looking at what it leaves there.
    pub(super) fn compiled(&self, options: ForwardOptions) -> Result<Program, GpuError> {
        self.compiler(&self.activations.given).prompt(
            &forward(&self.model.config, &self.model.weights, options),
            Wanted::AllRows,
        )
    }

    /// A pass that reads the hidden states of the pass before, where ids say so, and ends with new ones.
    pub(super) fn compiled_again(&self) -> Result<Vec<Dispatch>, GpuError> {
        let options = Head::HiddenStates.into();
        let steps = forward(&self.model.config, &self.model.weights, options);
        let compiler = self.compiler(&self.activations.hidden);
        Ok(compiler.prompt(&steps, Wanted::AllRows)?.body)
    }

    fn compiler<'a>(&'a self, given: &'a wgpu::Buffer) -> Compiler<'a> {
        Compiler {
            gpu: &self.gpu,
            config: &self.model.config,
            weights: &self.weights,
            activations: &self.activations,
            given,
        }
    }

    /// Encodes a [compiled](Self::compiled) pass over the prompt that was written.
    pub(super) fn encode_program(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        program: &Program,
        len: u32,
    ) {
        let run = &self.activations.run;
        self.encode_pieces(encoder, run, program, [len, 1], |_, _| None, None);
    }
}

/// Reads a model's weights into buffers; gives the divisors of its rotations too, where there are some.
pub(super) async fn load_weights(
    gpu: &Gpu,
    model: &Model,
    source: &impl ByteSource,
) -> Result<(Vec<Weight>, Option<Vec<f32>>), GpuError> {
    let weights = model
        .weights
        .list
        .iter()
        .map(|it| Weight::allocate(gpu, &it.name, it.weight_type, it.rows, it.cols))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rope_factors = None;
    read_weights(source, model, CHUNK_BYTES, |chunk| {
        if Some(chunk.weight) == model.weights.rope_factors {
            let weight_type = weights[chunk.weight.0].weight_type;
            rope_factors = Some(weight_type.dequantize(&chunk.raw));
        }
        weights[chunk.weight.0].write_rows(gpu, chunk.first_row, &chunk.raw);
        // Staging memory is given back with the submit.
        gpu.queue.submit([]);
    })
    .await?;
    Ok((weights, rope_factors))
}

fn compile(
    gpu: &Gpu,
    model: &Model,
    weights: &[Weight],
    activations: &Activations,
) -> Result<(Program, Vec<Dispatch>, Option<Choices>), GpuError> {
    let compiler = Compiler {
        gpu,
        config: &model.config,
        weights,
        activations,
        given: &activations.given,
    };
    let steps = |head| {
        forward(
            &model.config,
            &model.weights,
            ForwardOptions {
                head,
                ..Default::default()
            },
        )
    };
    if model.generator.is_some() {
        let prompt = compiler.prompt(&steps(Head::HiddenStates), Wanted::LastRows)?;
        return Ok((prompt, Vec::new(), None));
    }
    let steps = steps(Head::LastLogits);
    Ok((
        compiler.prompt(&steps, Wanted::LastRow)?,
        compiler.decode(&steps)?,
        Some(compiler.choices()?),
    ))
}

/// Positions and lengths of the pieces of a prompt. The first takes what does not fill a piece, so
/// that the last, whose rows become implicit tokens, is long.
pub(super) fn pieces(len: u32) -> Vec<[u32; 2]> {
    let first = if len.is_multiple_of(MAX_ROWS) {
        MAX_ROWS
    } else {
        len % MAX_ROWS
    };
    let mut pieces = vec![[0, first]];
    let mut position = first;
    while position < len {
        pieces.push([position, MAX_ROWS]);
        position += MAX_ROWS;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_prompt_and_the_last_is_long() {
        for len in [1, 2, 255, 256, 257, 511, 512, 513, 1757] {
            let pieces = pieces(len);
            let mut position = 0;
            for [start, rows] in &pieces {
                assert_eq!(*start, position);
                assert!((1..=MAX_ROWS).contains(rows));
                position += rows;
            }
            assert_eq!(position, len);
            assert_eq!(pieces.last().expect("there is one")[1], len.min(MAX_ROWS));
        }
    }
}
