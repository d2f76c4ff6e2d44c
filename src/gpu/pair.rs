//! A target and the generator of its implicit tokens, and the run of a question through them: the
//! generator's passes, the projection, the target's pass and the first tokens in one submit, then K
//! tokens a submit. Only token ids come back.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::activations::{MAX_GIVEN, MAX_ROWS, RUN_BYTES};
use super::again::Again;
use super::dispatch::{Dispatch, encode};
use super::linear::Linear;
use super::sentence::GpuSentenceTransformer;
use super::timing::{Phase, TIMESTAMP_BYTES, Timestamps};
use super::{Gpu, GpuError, GpuModel, tokens_per_submit};
use crate::clock::now_ms;
use crate::model::run::{GeneratorInput, Milliseconds, Report, Request};
use crate::model::{ModelError, RunState, Sampling, check_pair};

/// A generator and its way into the target.
struct Source {
    model: GpuModel,
    /// Its passes behind the first.
    again: Again,
    /// The wanted hidden rows to the target's given embeddings.
    project: Vec<Dispatch>,
}

/// A target, and where there is one, its generator.
pub struct GpuPair {
    gpu: Arc<Gpu>,
    target: GpuModel,
    source: Option<Source>,
    /// Loaded when a text is first to be compared.
    pub(super) sentence: Option<GpuSentenceTransformer>,
    /// `Run`, timestamps, token ids.
    staging: wgpu::Buffer,
    /// A wait for `staging` was given up: it must be unmapped before it is used again.
    is_staging_left: bool,
    timestamps: Option<Timestamps>,
    default_tokens_per_submit: u32,
}

const TIMESTAMPS_AT: u64 = RUN_BYTES;
const TOKENS_AT: u64 = TIMESTAMPS_AT + TIMESTAMP_BYTES;

impl GpuPair {
    /// Joins a target with its generator, and measures what a token and a read-back cost here.
    pub async fn new(target: GpuModel, generator: Option<GpuModel>) -> Result<Self, GpuError> {
        let gpu = target.gpu.clone();
        let scopes = gpu.error_scopes();
        let source = generator.map(|it| connect(&gpu, it, &target)).transpose()?;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging_bytes = TOKENS_AT + (u64::from(target.context_tokens()) + 1) * 4;
        let staging = gpu.buffer("read-back", staging_bytes, usage)?;
        let timestamps = Timestamps::new(&gpu)?;
        scopes.finish("the pair", staging_bytes).await?;
        let mut pair = Self {
            gpu,
            target,
            source,
            sentence: None,
            staging,
            is_staging_left: false,
            timestamps,
            default_tokens_per_submit: tokens_per_submit::LEAST,
        };
        pair.default_tokens_per_submit = tokens_per_submit::measured(&mut pair).await?;
        Ok(pair)
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The target.
    pub fn target(&self) -> &GpuModel {
        &self.target
    }

    /// Positions that the caches of both models hold.
    pub fn context_tokens(&self) -> u32 {
        let generator = self.generator().map_or(u32::MAX, GpuModel::context_tokens);
        generator.min(self.target.context_tokens())
    }

    /// K to use where the caller names none: see [`tokens_per_submit`].
    pub fn default_tokens_per_submit(&self) -> u32 {
        self.default_tokens_per_submit
    }

    /// The generator.
    pub fn generator(&self) -> Option<&GpuModel> {
        self.source.as_ref().map(|it| &it.model)
    }

    /// Writes an answer. `on_tokens` sees the tokens of each read-back and may end the run.
    pub async fn run(
        &mut self,
        request: &Request,
        mut on_tokens: impl FnMut(&[u32]) -> ControlFlow<()>,
    ) -> Result<Report, GpuError> {
        let begin = now_ms();
        self.check(request)?;
        if std::mem::take(&mut self.is_staging_left) {
            self.staging.unmap();
        }
        let mut report = Report {
            ms: self.no_time(),
            ..Report::default()
        };
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut phases = Vec::with_capacity(3);
        if let Some(input) = &request.generator {
            self.encode_generator(&mut encoder, input, &mut report);
            phases.push(Phase::Generator);
        }
        self.encode_prefill(&mut encoder, request, &mut report);
        phases.push(Phase::Prefill);
        let mut passes = request.tokens_per_submit.min(request.max_tokens) - 1;
        let mut tokens = passes + 1;
        let mut first_token = request.target_ids.len() as u32;
        loop {
            if passes > 0 {
                self.encode_decode(&mut encoder, passes, &request.sampling, &mut report);
                phases.push(Phase::Decode);
            }
            let written = self
                .submit_and_read(encoder, &phases, first_token, tokens, &mut report)
                .await?;
            report.token_ids.extend(&written.tokens);
            if on_tokens(&written.tokens).is_break() || written.done {
                break;
            }
            first_token += written.tokens.len() as u32;
            let left = request.max_tokens - report.token_ids.len() as u32;
            passes = request.tokens_per_submit.min(left);
            tokens = passes;
            phases.clear();
            encoder = self.gpu.device.create_command_encoder(&Default::default());
        }
        report.target_passes = report.token_ids.len() as u32;
        report.ms.total = now_ms() - begin;
        Ok(report)
    }
}

/// What one read-back brought.
struct Written {
    tokens: Vec<u32>,
    done: bool,
}

impl GpuPair {
    /// Zero for each phase that the device can time.
    fn no_time(&self) -> Milliseconds {
        let zero = self.timestamps.as_ref().map(|_| 0.0);
        Milliseconds {
            generator: zero,
            prefill: zero,
            decode: zero,
            total: 0.0,
        }
    }

    pub(super) fn check(&self, request: &Request) -> Result<(), GpuError> {
        self.gpu.check_alive()?;
        let generator = self.generator().map(GpuModel::model);
        let capacity = self.context_tokens() as usize;
        request.check(self.target.model(), generator, capacity)?;
        let Some(input) = &request.generator else {
            return Ok(());
        };
        if input.count > MAX_GIVEN {
            return Err(GpuError::Unsupported {
                what: "number of implicit tokens",
                found: input.count.into(),
                most: MAX_GIVEN.into(),
            });
        }
        // Only the rows of the last piece are still there when the pass has ended.
        let len = input.ids.len() as u32;
        if input.first_row < len.saturating_sub(MAX_ROWS) {
            return Err(GpuError::Unsupported {
                what: "number of rows behind the first implicit token's",
                found: u64::from(len - input.first_row),
                most: MAX_ROWS.into(),
            });
        }
        Ok(())
    }

    pub(super) fn encode_generator(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        input: &GeneratorInput,
        report: &mut Report,
    ) {
        let Some(source) = &self.source else { return };
        let len = input.ids.len() as u32;
        let wanted = input.first_row..input.first_row + input.count;
        source
            .model
            .write_prompt(&input.ids, RunState::default(), wanted);

        let timestamps = self.timestamps.as_ref();
        // The phase ends with the projection, in a pass of its own.
        report.dispatches += source.model.encode_prompt(
            encoder,
            len,
            input.count,
            timestamps.map(|it| (it, Phase::Generator)),
            None,
        );
        report.dispatches += source.again.encode(encoder, &source.model, input);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("projection"),
            timestamp_writes: timestamps.and_then(|it| it.writes(Phase::Generator, false, true)),
        });
        report.dispatches += encode(&self.gpu, &mut pass, &source.project, input.count);
        report.generator_passes = input.passes;
    }

    fn encode_prefill(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        request: &Request,
        report: &mut Report,
    ) {
        let run = RunState {
            max_tokens: request.max_tokens,
            end_token: request.end_token,
            ..RunState::default()
        };
        let timestamps = self.timestamps.as_ref().map(|it| (it, Phase::Prefill));
        let len = request.target_ids.len() as u32;
        self.target
            .write_prompt(&request.target_ids, run, len - 1..len);
        let choice = self.target.choice(&request.sampling);
        let target = &self.target;
        report.dispatches += target.encode_prompt(encoder, len, 1, timestamps, choice);
    }

    fn encode_decode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        passes: u32,
        sampling: &Sampling,
        report: &mut Report,
    ) {
        let choice = self.target.choice(sampling);
        let choice = choice.map_or(&[][..], std::slice::from_ref);
        let timestamps = self.timestamps.as_ref();
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("decode"),
            timestamp_writes: timestamps.and_then(|it| it.writes(Phase::Decode, true, true)),
        });
        for _ in 0..passes {
            report.dispatches += encode(&self.gpu, &mut pass, &self.target.decode, 1);
            report.dispatches += encode(&self.gpu, &mut pass, choice, 1);
        }
    }

    /// Submits and waits for what `tokens` passes wrote.
    async fn submit_and_read(
        &mut self,
        mut encoder: wgpu::CommandEncoder,
        phases: &[Phase],
        first_token: u32,
        tokens: u32,
        report: &mut Report,
    ) -> Result<Written, GpuError> {
        let activations = &self.target.activations;
        encoder.copy_buffer_to_buffer(&activations.run, 0, &self.staging, 0, RUN_BYTES);
        let token_bytes = u64::from(tokens) * 4;
        let from = u64::from(first_token) * 4;
        encoder.copy_buffer_to_buffer(
            &activations.tokens,
            from,
            &self.staging,
            TOKENS_AT,
            token_bytes,
        );
        if let Some(timestamps) = &self.timestamps {
            timestamps.resolve(&mut encoder, phases, &self.staging, TIMESTAMPS_AT);
        }
        self.gpu.queue.submit([encoder.finish()]);
        let bytes = TOKENS_AT + token_bytes;
        report.submits += 1;
        report.read_backs += 1;
        report.bytes_read_back += bytes;

        self.is_staging_left = true;
        let already = report.token_ids.len();
        let timestamps = self.timestamps.as_ref();
        let ms = &mut report.ms;
        let written = self
            .gpu
            .read_mapped(&self.staging, bytes, |bytes| {
                if let Some(timestamps) = timestamps {
                    add_times(ms, timestamps, phases, &bytes[TIMESTAMPS_AT as usize..]);
                }
                written(bytes, already)
            })
            .await?;
        self.is_staging_left = false;
        Ok(written)
    }
}

/// Reads a read-back: of the tokens, those that were really written.
fn written(bytes: &[u8], already: usize) -> Written {
    let run = RunState::from_words(bytemuck::pod_read_unaligned(&bytes[..RUN_BYTES as usize]));
    let ids: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes[TOKENS_AT as usize..]);
    let count = (run.written as usize).saturating_sub(already);
    Written {
        tokens: ids.into_iter().take(count).collect(),
        done: run.done != 0,
    }
}

fn add_times(ms: &mut Milliseconds, timestamps: &Timestamps, phases: &[Phase], bytes: &[u8]) {
    for &phase in phases {
        let total = match phase {
            Phase::Generator => &mut ms.generator,
            Phase::Prefill => &mut ms.prefill,
            Phase::Decode => &mut ms.decode,
        };
        *total.get_or_insert(0.0) += timestamps.milliseconds(bytes, phase);
    }
}

/// Joins a generator's projection to the target's input.
fn connect(gpu: &Gpu, model: GpuModel, target: &GpuModel) -> Result<Source, GpuError> {
    let file = || model.model.file.clone();
    check_pair(target.model(), model.model()).map_err(|fault| ModelError {
        file: file(),
        fault,
    })?;
    let projection = model
        .model
        .weights
        .projection
        .expect("a checked generator has a projection");
    let project = gpu.matmul(
        &model.activations.tail_run,
        &Linear {
            x: &model.activations.hidden,
            packed: model.activations.packed.as_ref(),
            norm: None,
            weight: &model.weights[projection.weight.0],
            bias: Some(&model.weights[projection.bias.0]),
            out: &target.activations.given,
            out_first: 0,
            out_stride: target.config().hidden_size,
            add: false,
            times_silu: false,
            gated: false,
            compact: true,
        },
    )?;
    Ok(Source {
        again: Again::new(&model)?,
        model,
        project,
    })
}
