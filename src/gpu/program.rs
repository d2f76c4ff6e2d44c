//! The forward pass compiled: each step of `model` becomes a dispatch with its pipeline and bind
//! group, made once and used for every token. Prefill multiplies matrices by matrices, decode by
//! vectors; both work on the same buffers.

use super::buffers::Weight;
use super::kernels::{Constant, Parts};
use super::{Gpu, GpuError, kernel};
use crate::model::step::{Output, Slot, Step, WeightId};
use crate::model::{KvType, LlamaConfig, RopePairing};
use crate::weights::WeightType;

/// Threads of a workgroup in the kernels that are not laid out by rows.
const THREADS: u64 = 64;

/// Rows and columns that one thread of `matmul` computes.
const MATMUL_ROWS: u64 = 4;
const MATMUL_COLUMNS: u64 = 4;

/// Longer prompts are taken in pieces of this many rows: activations stay small (256 rows of a
/// model 4096 wide are 4 MiB a buffer) and a piece is still large enough to keep a GPU busy.
pub(super) const MAX_ROWS: u32 = 256;

/// Implicit tokens and spliced embeddings that a prompt may hold.
pub(super) const MAX_GIVEN: u32 = 256;

/// Ids from this one on stand for rows of the `given` buffer (GIVEN_FIRST in `embed.wgsl`).
pub(super) const GIVEN_FIRST: u32 = 0x8000_0000;

/// Bytes of `Run` of `run.wgsl`, which is [`RunState`](crate::model::RunState).
pub(super) const RUN_BYTES: u64 = size_of::<[u32; 8]>() as u64;

/// Buffers that the steps of a model share.
pub(super) struct Activations {
    /// `Run` of `run.wgsl`.
    pub(super) run: wgpu::Buffer,
    /// The sequence so far, `[context + 1]`.
    pub(super) tokens: wgpu::Buffer,
    /// Embeddings that are no token's, `[MAX_GIVEN, hidden_size]`.
    pub(super) given: wgpu::Buffer,
    /// Cosines and sines, `[context, head_dim / 2, 2]`.
    rotations: wgpu::Buffer,
    residual: wgpu::Buffer,
    /// Normed rows for `matmul`, `[max_rows, hidden_size]`.
    normed: wgpu::Buffer,
    qkv: wgpu::Buffer,
    attention: wgpu::Buffer,
    feed_forward: wgpu::Buffer,
    pub(super) hidden: wgpu::Buffer,
    pub(super) logits: wgpu::Buffer,
    /// Keys and values of each layer, `[context, num_kv_heads, head_dim]`.
    cache: Vec<[wgpu::Buffer; 2]>,
    kv: KvType,
}

/// Sizes of the buffers that do not follow from the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// Positions.
    pub(super) context: u32,
    /// Rows of [`Slot::Logits`]: 1, but for read-backs of all logits.
    pub(super) logit_rows: u32,
    pub(super) kv: KvType,
}

impl Activations {
    pub(super) fn allocate(
        gpu: &Gpu,
        config: &LlamaConfig,
        capacity: Capacity,
        rotations: &[[f32; 2]],
    ) -> Result<Self, GpuError> {
        let max_rows = u64::from(MAX_ROWS.min(capacity.context));
        let rows = |what, width: usize| gpu.storage(what, max_rows * width as u64 * 4);
        let context = u64::from(capacity.context);
        let cache_bytes = context * (config.kv_width() * capacity.kv.value_bytes()) as u64;
        let cache = (0..config.num_layers)
            .map(|_| {
                Ok([
                    gpu.storage("keys", cache_bytes)?,
                    gpu.storage("values", cache_bytes)?,
                ])
            })
            .collect::<Result<_, GpuError>>()?;
        let rotation_bytes: &[u8] = bytemuck::cast_slice(rotations);
        let activations = Self {
            run: gpu.storage("run", RUN_BYTES)?,
            tokens: gpu.storage("tokens", (context + 1) * 4)?,
            given: gpu.storage(
                "given",
                u64::from(MAX_GIVEN) * config.hidden_size as u64 * 4,
            )?,
            rotations: gpu.storage("rotations", rotation_bytes.len() as u64)?,
            residual: rows("residual", config.hidden_size)?,
            normed: rows("normed", config.hidden_size)?,
            qkv: rows("qkv", config.qkv_width())?,
            attention: rows("attention", config.query_width())?,
            feed_forward: rows("feed_forward", config.intermediate_size)?,
            hidden: rows("hidden", config.hidden_size)?,
            logits: gpu.storage(
                "logits",
                u64::from(capacity.logit_rows) * config.vocab_size as u64 * 4,
            )?,
            cache,
            kv: capacity.kv,
        };
        gpu.queue
            .write_buffer(&activations.rotations, 0, rotation_bytes);
        Ok(activations)
    }

    pub(super) fn slot(&self, slot: Slot) -> &wgpu::Buffer {
        match slot {
            Slot::Residual => &self.residual,
            Slot::Qkv => &self.qkv,
            Slot::Attention => &self.attention,
            Slot::FeedForward => &self.feed_forward,
            Slot::Hidden => &self.hidden,
            Slot::Logits => &self.logits,
        }
    }
}

/// How many workgroups a dispatch has.
#[derive(Clone, Copy, Debug)]
enum Grid {
    Fixed(u64),
    /// `threads` for every `rows` rows of the pass, `threads_per_group` a workgroup.
    ByRows {
        rows: u64,
        threads: u64,
        threads_per_group: u64,
    },
}

impl Grid {
    fn groups(self, rows: u32) -> u64 {
        match self {
            Self::Fixed(groups) => groups,
            Self::ByRows {
                rows: block,
                threads,
                threads_per_group,
            } => (u64::from(rows).div_ceil(block) * threads).div_ceil(threads_per_group),
        }
    }
}

/// A kernel with everything it works on.
pub(super) struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: Grid,
    /// A step of which only the last row of the last piece of a prompt is wanted.
    last_row_only: bool,
}

/// Which part of a prompt a pass computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// More rows follow: no logits yet.
    Inner,
    /// The last rows.
    Last,
}

/// Encodes dispatches for a pass of `rows` rows; gives their number.
pub(super) fn encode(
    gpu: &Gpu,
    pass: &mut wgpu::ComputePass<'_>,
    dispatches: &[Dispatch],
    rows: u32,
    piece: Piece,
) -> u32 {
    let most = u64::from(gpu.limits().max_compute_workgroups_per_dimension);
    let mut encoded = 0;
    for dispatch in dispatches {
        if dispatch.last_row_only && piece == Piece::Inner {
            continue;
        }
        let groups = dispatch.grid.groups(rows);
        // Kernels count workgroups across x and y; those past the end do nothing.
        let y = groups.div_ceil(most);
        let x = groups.div_ceil(y.max(1));
        pass.set_pipeline(&dispatch.pipeline);
        pass.set_bind_group(0, &dispatch.bind_group, &[]);
        pass.dispatch_workgroups(x as u32, y as u32, 1);
        encoded += 1;
    }
    encoded
}

/// What a list of steps is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Many rows.
    Prefill,
    /// One row.
    Decode,
}

/// Compiles steps of one model.
pub(super) struct Compiler<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) config: &'a LlamaConfig,
    pub(super) weights: &'a [Weight],
    pub(super) activations: &'a Activations,
}

impl Compiler<'_> {
    /// The dispatches of a list of steps.
    pub(super) fn compile(&self, steps: &[Step], phase: Phase) -> Result<Vec<Dispatch>, GpuError> {
        let mut dispatches = Vec::new();
        // What the buffer of normed rows holds at this point.
        let mut normed: Option<(Slot, WeightId)> = None;
        for &step in steps {
            match step {
                Step::Embed { table, out } => dispatches.push(self.embed(table, out)?),
                Step::RmsNorm { x, weight, out } => {
                    dispatches.push(self.rms_norm(x, weight, self.activations.slot(out))?);
                }
                Step::Linear {
                    x,
                    norm,
                    weight,
                    bias,
                    out,
                    output,
                    last_row_only,
                } => {
                    let linear = Linear {
                        x: self.activations.slot(x),
                        norm,
                        weight,
                        bias,
                        out: self.activations.slot(out),
                        out_stride: self.width(out),
                        output,
                        gated: false,
                    };
                    dispatches.extend(self.linear(linear, x, last_row_only, phase, &mut normed)?);
                }
                Step::GatedLinear {
                    x,
                    norm,
                    weight,
                    out,
                } => {
                    let linear = Linear {
                        x: self.activations.slot(x),
                        norm: Some(norm),
                        weight,
                        bias: None,
                        out: self.activations.slot(out),
                        out_stride: self.width(out),
                        output: Output::Store { first: 0 },
                        gated: true,
                    };
                    dispatches.extend(self.linear(linear, x, false, phase, &mut normed)?);
                }
                Step::RotateAndCache { layer } => dispatches.push(self.rotate_and_cache(layer)?),
                Step::Attend { layer } => dispatches.push(self.attend(layer)?),
            }
            if normed.is_some_and(|(slot, _)| Some(slot) == written(step)) {
                normed = None;
            }
        }
        Ok(dispatches)
    }

    fn width(&self, slot: Slot) -> usize {
        match slot {
            Slot::Residual | Slot::Hidden => self.config.hidden_size,
            Slot::Qkv => self.config.qkv_width(),
            Slot::Attention => self.config.query_width(),
            Slot::FeedForward => self.config.intermediate_size,
            Slot::Logits => self.config.vocab_size,
        }
    }

    fn parts(&self, weights: WeightType) -> Parts {
        Parts {
            weights,
            reduce: self.gpu.layout().reduce,
            kv: self.activations.kv,
        }
    }

    fn dispatch(
        &self,
        name: &str,
        weights: WeightType,
        constants: &[Constant],
        bindings: &[wgpu::BindingResource<'_>],
        grid: Grid,
    ) -> Result<Dispatch, GpuError> {
        let kernel = kernel(name)?;
        let pipeline = self.gpu.pipeline(kernel, self.parts(weights), constants)?;
        let bind_group = self.gpu.bind_group(kernel, &pipeline, bindings);
        Ok(Dispatch {
            pipeline,
            bind_group,
            grid,
            last_row_only: false,
        })
    }

    fn embed(&self, table: WeightId, out: Slot) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[table.0];
        let quads = weight.cols / 4;
        let activations = self.activations;
        self.dispatch(
            "embed",
            weight.weight_type,
            &[("WIDTH_QUADS", quads as f64)],
            &[
                activations.run.as_entire_binding(),
                weight.main(),
                weight.scales(),
                activations.tokens.as_entire_binding(),
                activations.given.as_entire_binding(),
                activations.slot(out).as_entire_binding(),
            ],
            Grid::ByRows {
                rows: 1,
                threads: quads as u64,
                threads_per_group: THREADS,
            },
        )
    }

    fn rms_norm(
        &self,
        x: Slot,
        weight: WeightId,
        out: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        let reduce = self.gpu.layout().reduce;
        let norm_weight = &self.weights[weight.0];
        self.dispatch(
            "rms_norm",
            WeightType::F32,
            &[
                ("WIDTH_QUADS", (norm_weight.cols / 4) as f64),
                ("EPS", f64::from(self.config.rms_norm_eps)),
            ],
            &[
                self.activations.run.as_entire_binding(),
                norm_weight.main(),
                self.activations.slot(x).as_entire_binding(),
                out.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: u64::from(reduce.rows_per_workgroup()),
                threads: 1,
                threads_per_group: 1,
            },
        )
    }

    fn linear<'b>(
        &'b self,
        mut linear: Linear<'b>,
        x: Slot,
        last_row_only: bool,
        phase: Phase,
        normed: &mut Option<(Slot, WeightId)>,
    ) -> Result<Vec<Dispatch>, GpuError> {
        if phase == Phase::Decode || last_row_only {
            let dispatch = self.matvec(&linear)?;
            return Ok(vec![Dispatch {
                last_row_only,
                ..dispatch
            }]);
        }
        let mut dispatches = Vec::new();
        if let Some(norm) = linear.norm {
            if *normed != Some((x, norm)) {
                dispatches.push(self.rms_norm(x, norm, &self.activations.normed)?);
                *normed = Some((x, norm));
            }
            linear.x = &self.activations.normed;
        }
        dispatches.push(self.matmul(&self.activations.run, &linear)?);
        Ok(dispatches)
    }

    fn matvec(&self, linear: &Linear<'_>) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[linear.weight.0];
        let reduce = self.gpu.layout().reduce;
        let mut constants = linear.constants(weight);
        constants.push(("NORM", linear.norm.is_some().into()));
        if linear.norm.is_some() {
            constants.push(("EPS", f64::from(self.config.rms_norm_eps)));
        }
        let rows = linear.out_width(weight) as u64;
        self.dispatch(
            "matvec",
            weight.weight_type,
            &constants,
            &[
                self.activations.run.as_entire_binding(),
                weight.main(),
                weight.scales(),
                self.vector(linear.norm, weight),
                self.vector(linear.bias, weight),
                linear.x.as_entire_binding(),
                linear.out.as_entire_binding(),
            ],
            Grid::Fixed(rows.div_ceil(u64::from(reduce.rows_per_workgroup()))),
        )
    }

    pub(super) fn matmul(
        &self,
        run: &wgpu::Buffer,
        linear: &Linear<'_>,
    ) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[linear.weight.0];
        let mut constants = linear.constants(weight);
        constants.push(("OUT_STRIDE", linear.out_stride as f64));
        self.dispatch(
            "matmul",
            weight.weight_type,
            &constants,
            &[
                run.as_entire_binding(),
                weight.main(),
                weight.scales(),
                self.vector(linear.bias, weight),
                linear.x.as_entire_binding(),
                linear.out.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: MATMUL_ROWS,
                threads: (weight.rows as u64).div_ceil(MATMUL_COLUMNS),
                threads_per_group: THREADS,
            },
        )
    }

    /// A vector, or, where there is none, bytes that nothing reads.
    fn vector<'w>(&'w self, id: Option<WeightId>, unused: &'w Weight) -> wgpu::BindingResource<'w> {
        match id {
            Some(id) => self.weights[id.0].main(),
            None => unused.scales(),
        }
    }

    fn rotate_and_cache(&self, layer: u32) -> Result<Dispatch, GpuError> {
        let (config, activations) = (self.config, self.activations);
        let [keys, values] = &activations.cache[layer as usize];
        self.dispatch(
            "rotate_and_cache",
            WeightType::F32,
            &[
                ("HEADS", config.num_heads as f64),
                ("KV_HEADS", config.num_kv_heads as f64),
                ("HEAD_QUADS", (config.head_dim / 4) as f64),
                (
                    "HALVES",
                    (config.rope_pairing == RopePairing::Halves).into(),
                ),
            ],
            &[
                activations.run.as_entire_binding(),
                activations.rotations.as_entire_binding(),
                activations.qkv.as_entire_binding(),
                keys.as_entire_binding(),
                values.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: 1,
                threads: (config.num_heads + 2 * config.num_kv_heads) as u64,
                threads_per_group: THREADS,
            },
        )
    }

    fn attend(&self, layer: u32) -> Result<Dispatch, GpuError> {
        let (config, activations) = (self.config, self.activations);
        let [keys, values] = &activations.cache[layer as usize];
        let mut constants = vec![
            ("HEADS", config.num_heads as f64),
            ("KV_HEADS", config.num_kv_heads as f64),
            ("HEAD_QUADS", (config.head_dim / 4) as f64),
        ];
        if let Some(window) = config.sliding_window {
            constants.push(("WINDOW", window as f64));
        }
        self.dispatch(
            "attend",
            WeightType::F32,
            &constants,
            &[
                activations.run.as_entire_binding(),
                activations.qkv.as_entire_binding(),
                keys.as_entire_binding(),
                values.as_entire_binding(),
                activations.attention.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: 1,
                threads: (config.num_heads * config.head_dim.div_ceil(16)) as u64,
                threads_per_group: THREADS,
            },
        )
    }

    /// The choice of the next token; ends a prompt and every decode pass.
    pub(super) fn select(&self) -> Result<Dispatch, GpuError> {
        let activations = self.activations;
        let dispatch = self.dispatch(
            "select",
            WeightType::F32,
            &[("VOCAB", self.config.vocab_size as f64)],
            &[
                activations.run.as_entire_binding(),
                activations.logits.as_entire_binding(),
                activations.tokens.as_entire_binding(),
            ],
            Grid::Fixed(1),
        )?;
        Ok(Dispatch {
            last_row_only: true,
            ..dispatch
        })
    }
}

/// The slot that a step writes.
fn written(step: Step) -> Option<Slot> {
    match step {
        Step::Embed { out, .. }
        | Step::RmsNorm { out, .. }
        | Step::Linear { out, .. }
        | Step::GatedLinear { out, .. } => Some(out),
        Step::RotateAndCache { .. } => Some(Slot::Qkv),
        Step::Attend { .. } => Some(Slot::Attention),
    }
}

/// A linear step with its buffers.
#[derive(Clone, Copy)]
pub(super) struct Linear<'a> {
    pub(super) x: &'a wgpu::Buffer,
    pub(super) norm: Option<WeightId>,
    pub(super) weight: WeightId,
    pub(super) bias: Option<WeightId>,
    pub(super) out: &'a wgpu::Buffer,
    pub(super) out_stride: usize,
    pub(super) output: Output,
    pub(super) gated: bool,
}

impl Linear<'_> {
    fn out_width(&self, weight: &Weight) -> usize {
        if self.gated {
            weight.rows / 2
        } else {
            weight.rows
        }
    }

    fn constants(&self, weight: &Weight) -> Vec<Constant> {
        let (first, add) = match self.output {
            Output::Store { first } => (first, false),
            Output::Add => (0, true),
        };
        vec![
            ("WIDTH_QUADS", (weight.cols / 4) as f64),
            ("OUT_WIDTH", self.out_width(weight) as f64),
            ("OUT_FIRST", f64::from(first)),
            ("BIAS", self.bias.is_some().into()),
            ("ADD", add.into()),
            ("GATED", self.gated.into()),
        ]
    }
}
