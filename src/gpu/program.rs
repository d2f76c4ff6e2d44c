//! The forward pass compiled: each step of `model` becomes a dispatch with its pipeline and bind
//! group, made once and used for every token. Prefill multiplies matrices by matrices, decode by
//! vectors; both work on the same buffers.

use super::buffers::Weight;
use super::kernels::{Constant, Parts, WeightLayout};
use super::{Gpu, GpuError, kernel};
use crate::model::step::{Output, Slot, Step, WeightId};
use crate::model::{KvType, LlamaConfig, RopePairing};
use crate::weights::WeightType;

/// Threads of a workgroup in the kernels that are not laid out by rows.
const THREADS: u64 = 64;

/// Rows that one thread of `matmul`, `matmul_columns` and `attend_rows` computes.
const ROWS_A_THREAD: u64 = 4;

/// Columns that one thread computes.
const MATMUL_COLUMNS: u64 = 4;
const MATMUL_COLUMNS_COLUMNS: u64 = 16;
const MATVEC_COLUMNS_COLUMNS: u64 = 4;

/// Threads whose columns lie side by side (LANES of the kernels for software adapters).
const LANES: u64 = 4;

/// Values of a head that one thread of `attend` and `attend_rows` computes.
const ATTEND_VALUES: usize = 16;

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
    /// `Run` of the last rows of a prompt, see [`Program`].
    pub(super) tail_run: wgpu::Buffer,
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
            tail_run: gpu.storage("run of the last rows", RUN_BYTES)?,
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
}

/// A compiled pass over a prompt. Once the last layer's keys and values are cached, nothing but the
/// rows that are wanted need be computed: the last one of a target, the implicit tokens' of a
/// generator. Of three layers that saves a quarter of the work.
pub(super) struct Program {
    /// For every row of every piece of the prompt.
    pub(super) body: Vec<Dispatch>,
    /// For the wanted rows of the last piece, on [`Activations::tail_run`].
    pub(super) tail: Vec<Dispatch>,
}

/// What a pass over a prompt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All rows.
    AllRows,
    /// Some of the last rows.
    LastRows,
    /// The last row.
    LastRow,
}

/// Encodes dispatches for a pass of `rows` rows; gives their number.
pub(super) fn encode(
    gpu: &Gpu,
    pass: &mut wgpu::ComputePass<'_>,
    dispatches: &[Dispatch],
    rows: u32,
) -> u32 {
    let most = u64::from(gpu.limits().max_compute_workgroups_per_dimension);
    for dispatch in dispatches {
        let groups = dispatch.grid.groups(rows);
        // Kernels count workgroups across x and y; those past the end do nothing.
        let y = groups.div_ceil(most);
        let x = groups.div_ceil(y.max(1));
        pass.set_pipeline(&dispatch.pipeline);
        pass.set_bind_group(0, &dispatch.bind_group, &[]);
        pass.dispatch_workgroups(x as u32, y as u32, 1);
    }
    dispatches.len() as u32
}

/// How many rows a list of steps is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    Many,
    One,
}

/// Compiles steps of one model.
pub(super) struct Compiler<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) config: &'a LlamaConfig,
    pub(super) weights: &'a [Weight],
    pub(super) activations: &'a Activations,
}

impl Compiler<'_> {
    /// A pass over a prompt.
    pub(super) fn prompt(&self, steps: &[Step], wanted: Wanted) -> Result<Program, GpuError> {
        let cached = steps
            .iter()
            .rposition(|it| matches!(it, Step::RotateAndCache { .. }));
        let body_len = match (wanted, cached) {
            (Wanted::LastRows | Wanted::LastRow, Some(last)) => last + 1,
            _ => steps.len(),
        };
        let (body, tail) = steps.split_at(body_len);
        let rows = match wanted {
            Wanted::LastRow => Rows::One,
            Wanted::AllRows | Wanted::LastRows => Rows::Many,
        };
        let activations = self.activations;
        Ok(Program {
            body: self.compile(body, Rows::Many, &activations.run)?,
            tail: self.compile(tail, rows, &activations.tail_run)?,
        })
    }

    /// A pass over one token.
    pub(super) fn decode(&self, steps: &[Step]) -> Result<Vec<Dispatch>, GpuError> {
        self.compile(steps, Rows::One, &self.activations.run)
    }

    fn compile(
        &self,
        steps: &[Step],
        rows: Rows,
        run: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let mut dispatches = Vec::new();
        // What the buffer of normed rows holds at this point.
        let mut normed: Option<(Slot, WeightId)> = None;
        for &step in steps {
            match step {
                Step::Embed { table, out } => dispatches.push(self.embed(run, table, out)?),
                Step::RmsNorm { x, weight, out } => {
                    dispatches.push(self.rms_norm(run, x, weight, self.activations.slot(out))?);
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
                    let rows = if last_row_only { Rows::One } else { rows };
                    let linear = Linear {
                        x: self.activations.slot(x),
                        norm,
                        weight,
                        bias,
                        out: self.activations.slot(out),
                        out_stride: self.width(out),
                        output,
                        gated: false,
                        // Logits are those of one row, whichever it is.
                        compact: last_row_only,
                    };
                    dispatches.extend(self.linear(run, linear, x, rows, &mut normed)?);
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
                        compact: false,
                    };
                    dispatches.extend(self.linear(run, linear, x, rows, &mut normed)?);
                }
                Step::RotateAndCache { layer } => {
                    dispatches.push(self.rotate_and_cache(run, layer)?)
                }
                Step::Attend { layer } => dispatches.push(self.attend(run, layer, rows)?),
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
        })
    }

    fn embed(&self, run: &wgpu::Buffer, table: WeightId, out: Slot) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[table.0];
        let quads = weight.cols / 4;
        let activations = self.activations;
        self.dispatch(
            "embed",
            weight.weight_type,
            &[("WIDTH_QUADS", quads as f64)],
            &[
                run.as_entire_binding(),
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
        run: &wgpu::Buffer,
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
                run.as_entire_binding(),
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
        run: &wgpu::Buffer,
        mut linear: Linear<'b>,
        x: Slot,
        rows: Rows,
        normed: &mut Option<(Slot, WeightId)>,
    ) -> Result<Vec<Dispatch>, GpuError> {
        if rows == Rows::One {
            return Ok(vec![self.matvec(run, &linear)?]);
        }
        let mut dispatches = Vec::new();
        if let Some(norm) = linear.norm {
            if *normed != Some((x, norm)) {
                dispatches.push(self.rms_norm(run, x, norm, &self.activations.normed)?);
                *normed = Some((x, norm));
            }
            linear.x = &self.activations.normed;
        }
        dispatches.push(self.matmul(run, &linear)?);
        Ok(dispatches)
    }

    fn matvec(&self, run: &wgpu::Buffer, linear: &Linear<'_>) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[linear.weight.0];
        let reduce = self.gpu.layout().reduce;
        let mut constants = linear.constants(weight);
        constants.push(("NORM", linear.norm.is_some().into()));
        if linear.norm.is_some() {
            constants.push(("EPS", f64::from(self.config.rms_norm_eps)));
        }
        let columns = linear.out_width(weight) as u64;
        let (name, groups) = match reduce.weight_layout() {
            WeightLayout::Rows => {
                let groups = columns.div_ceil(u64::from(reduce.rows_per_workgroup()));
                ("matvec", groups)
            }
            WeightLayout::Columns => {
                let threads = columns.div_ceil(MATVEC_COLUMNS_COLUMNS * LANES) * LANES;
                ("matvec_columns", threads.div_ceil(THREADS))
            }
        };
        self.dispatch(
            name,
            weight.weight_type,
            &constants,
            &[
                run.as_entire_binding(),
                weight.main(),
                weight.scales(),
                self.vector(linear.norm, weight),
                self.vector(linear.bias, weight),
                linear.x.as_entire_binding(),
                linear.out.as_entire_binding(),
            ],
            Grid::Fixed(groups),
        )
    }

    pub(super) fn matmul(
        &self,
        run: &wgpu::Buffer,
        linear: &Linear<'_>,
    ) -> Result<Dispatch, GpuError> {
        let weight = &self.weights[linear.weight.0];
        let rows = weight.rows as u64;
        let (name, threads) = match self.gpu.layout().reduce.weight_layout() {
            WeightLayout::Rows => ("matmul", rows.div_ceil(MATMUL_COLUMNS)),
            WeightLayout::Columns => {
                let tiles = rows.div_ceil(MATMUL_COLUMNS_COLUMNS * LANES);
                ("matmul_columns", tiles * LANES)
            }
        };
        self.dispatch(
            name,
            weight.weight_type,
            &linear.constants(weight),
            &[
                run.as_entire_binding(),
                weight.main(),
                weight.scales(),
                self.vector(linear.bias, weight),
                linear.x.as_entire_binding(),
                linear.out.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: ROWS_A_THREAD,
                threads,
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

    fn rotate_and_cache(&self, run: &wgpu::Buffer, layer: u32) -> Result<Dispatch, GpuError> {
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
                run.as_entire_binding(),
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

    fn attend(&self, run: &wgpu::Buffer, layer: u32, rows: Rows) -> Result<Dispatch, GpuError> {
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
        let (name, rows_a_thread) = match (rows, self.gpu.layout().reduce.weight_layout()) {
            (Rows::Many, WeightLayout::Columns) => ("attend_rows", ROWS_A_THREAD),
            _ => ("attend", 1),
        };
        self.dispatch(
            name,
            WeightType::F32,
            &constants,
            &[
                run.as_entire_binding(),
                activations.qkv.as_entire_binding(),
                keys.as_entire_binding(),
                values.as_entire_binding(),
                activations.attention.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: rows_a_thread,
                threads: (config.num_heads * config.head_dim.div_ceil(ATTEND_VALUES)) as u64,
                threads_per_group: THREADS,
            },
        )
    }

    /// The choice of the next token; ends a prompt and every decode pass.
    pub(super) fn select(&self) -> Result<Dispatch, GpuError> {
        let activations = self.activations;
        self.dispatch(
            "select",
            WeightType::F32,
            &[("VOCAB", self.config.vocab_size as f64)],
            &[
                activations.run.as_entire_binding(),
                activations.logits.as_entire_binding(),
                activations.tokens.as_entire_binding(),
            ],
            Grid::Fixed(1),
        )
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
    /// The rows of the output are those of the pass from row 0 on, not those of the input.
    pub(super) compact: bool,
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
            ("OUT_STRIDE", self.out_stride as f64),
            ("COMPACT", self.compact.into()),
        ]
    }
}
