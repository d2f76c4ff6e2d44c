//! A target and the generator of its implicit tokens, and the run of a question through them: the
//! generator's pass, the projection, the target's pass and the first tokens in one submit, then K
//! tokens a submit. Only token ids come back.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::clock::now_ms;
use super::model::pieces;
use super::program::{Compiler, Dispatch, Linear, MAX_ROWS, Piece, RUN_BYTES, Run, encode};
use super::timing::{Phase, TIMESTAMP_BYTES, Timestamps};
use super::{Gpu, GpuError, GpuModel, ReadBack};
use crate::model::run::{GeneratorInput, Milliseconds, Report, Request};
use crate::model::step::{EMBEDDING_GIVEN, Output};

/// A generator and its way into the target.
struct Source {
    model: GpuModel,
    /// Hidden rows to the target's given embeddings.
    project: Dispatch,
    /// [`Run`] of the projection.
    run: wgpu::Buffer,
}

/// A target, and where there is one, its generator.
pub struct GpuPair {
    gpu: Arc<Gpu>,
    target: GpuModel,
    source: Option<Source>,
    /// `Run`, timestamps, token ids.
    staging: wgpu::Buffer,
    /// A wait for `staging` was given up: it must be unmapped before it is used again.
    is_staging_left: bool,
    timestamps: Option<Timestamps>,
    /// How read-backs are waited for.
    pub read_back: ReadBack,
}

const TIMESTAMPS_AT: u64 = RUN_BYTES;
const TOKENS_AT: u64 = TIMESTAMPS_AT + TIMESTAMP_BYTES;

impl GpuPair {
    /// Joins a target with its generator.
    pub async fn new(
        target: GpuModel,
        generator: Option<GpuModel>,
        read_back: ReadBack,
    ) -> Result<Self, GpuError> {
        let gpu = target.gpu.clone();
        let scopes = gpu.error_scopes();
        let source = generator.map(|it| connect(&gpu, it, &target)).transpose()?;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging_bytes = TOKENS_AT + (u64::from(target.context_tokens()) + 1) * 4;
        let staging = gpu.buffer("read-back", staging_bytes, usage)?;
        let timestamps = Timestamps::new(&gpu)?;
        scopes.finish("the pair", staging_bytes).await?;
        Ok(Self {
            gpu,
            target,
            source,
            staging,
            is_staging_left: false,
            timestamps,
            read_back,
        })
    }

    /// The target.
    pub fn target(&self) -> &GpuModel {
        &self.target
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
                self.encode_decode(&mut encoder, passes, &mut report);
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

    fn check(&self, request: &Request) -> Result<(), GpuError> {
        self.gpu.check_alive()?;
        let generator = request.generator.as_ref();
        let given = generator.map_or(0, |it| it.count as usize);
        self.target.check_prompt(&request.target_ids, given)?;
        for (what, found) in [
            ("max_tokens", request.max_tokens),
            ("tokens_per_submit", request.tokens_per_submit),
        ] {
            if found == 0 {
                return invalid(what, found, "at least 1");
            }
        }
        let context = u64::from(self.target.context_tokens());
        let prompt_tokens = request.target_ids.len() as u64;
        if prompt_tokens + u64::from(request.max_tokens) > context {
            return Err(GpuError::ContextOverflow {
                prompt_tokens,
                max_tokens: request.max_tokens.into(),
                context_tokens: context,
            });
        }
        let Some(input) = generator else {
            return Ok(());
        };
        let Some(source) = &self.source else {
            return invalid(
                "the generator's input",
                "given",
                "absent: there is no generator",
            );
        };
        source.model.check_prompt(&input.ids, 0)?;
        let rows = request.target_ids.iter().skip(input.target_row as usize);
        let holes = rows.take_while(|&&id| id == EMBEDDING_GIVEN).count();
        if holes != input.count as usize {
            return invalid(
                "the number of given rows from target_row on",
                holes,
                format!("count, {}", input.count),
            );
        }
        let len = input.ids.len() as u64;
        let first_kept = len.saturating_sub(u64::from(MAX_ROWS));
        let end = u64::from(input.first_row) + u64::from(input.count);
        if u64::from(input.first_row) < first_kept || end > len {
            return invalid(
                "the generator's rows",
                format!("{} to {end}", input.first_row),
                format!("within {first_kept} to {len}"),
            );
        }
        Ok(())
    }

    fn encode_generator(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        input: &GeneratorInput,
        report: &mut Report,
    ) {
        let Some(source) = &self.source else { return };
        let len = input.ids.len() as u32;
        source.model.write_prompt(&input.ids, Run::default());
        let [last_piece, _] = *pieces(len).last().expect("a prompt has a piece");
        let run = Run {
            rows: input.count,
            first_row: input.first_row - last_piece,
            ..Run::default()
        };
        self.gpu
            .queue
            .write_buffer(&source.run, 0, bytemuck::bytes_of(&run));

        let timestamps = self.timestamps.as_ref();
        // The phase ends with the projection, in a pass of its own.
        report.dispatches += source.model.encode_prompt(
            encoder,
            len,
            timestamps.map(|it| (it, Phase::Generator)),
            false,
        );
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("projection"),
            timestamp_writes: timestamps.and_then(|it| it.writes(Phase::Generator, false, true)),
        });
        let project = std::slice::from_ref(&source.project);
        report.dispatches += encode(&self.gpu, &mut pass, project, input.count, Piece::Last);
        report.generator_passes = 1;
    }

    fn encode_prefill(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        request: &Request,
        report: &mut Report,
    ) {
        let run = Run {
            max_tokens: request.max_tokens,
            end_token: request.end_token,
            ..Run::default()
        };
        self.target.write_prompt(&request.target_ids, run);
        let timestamps = self.timestamps.as_ref().map(|it| (it, Phase::Prefill));
        let len = request.target_ids.len() as u32;
        report.dispatches += self.target.encode_prompt(encoder, len, timestamps, true);
    }

    fn encode_decode(&self, encoder: &mut wgpu::CommandEncoder, passes: u32, report: &mut Report) {
        let timestamps = self.timestamps.as_ref();
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("decode"),
            timestamp_writes: timestamps.and_then(|it| it.writes(Phase::Decode, true, true)),
        });
        for _ in 0..passes {
            report.dispatches += encode(&self.gpu, &mut pass, &self.target.decode, 1, Piece::Last);
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
            .read_mapped(&self.staging, bytes, self.read_back, |bytes| {
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
    let run: Run = bytemuck::pod_read_unaligned(&bytes[..RUN_BYTES as usize]);
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
    let Some(projection) = model.model.weights.projection else {
        return invalid(
            "the generator",
            "a file without semcot.projection.weight",
            "one with it",
        );
    };
    let width = model.model.weights.get(projection.weight).rows;
    let hidden_size = target.config().hidden_size;
    if width != hidden_size {
        return invalid(
            "the width of the generator's projection",
            width,
            format!("{hidden_size}, the target's hidden size"),
        );
    }
    let run = gpu.storage("projection run", RUN_BYTES)?;
    let compiler = Compiler {
        gpu,
        config: &model.model.config,
        weights: &model.weights,
        activations: &model.activations,
    };
    let project = compiler.matmul(
        &run,
        &Linear {
            x: &model.activations.hidden,
            norm: None,
            weight: projection.weight,
            bias: Some(projection.bias),
            out: &target.activations.given,
            out_stride: hidden_size,
            output: Output::Store { first: 0 },
            gated: false,
        },
    )?;
    Ok(Source {
        model,
        project,
        run,
    })
}

fn invalid<T>(
    what: &'static str,
    found: impl ToString,
    expected: impl ToString,
) -> Result<T, GpuError> {
    Err(GpuError::InvalidRequest {
        what,
        found: found.to_string(),
        expected: expected.to_string(),
    })
}
