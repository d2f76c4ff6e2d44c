//! One dispatch of each kernel: its constants, its bindings in their order, and how many workgroups
//! it takes. Tiles and threads are known here and in the WGSL, nowhere else. What is dispatched in
//! which order is `program`'s.

mod attention;

pub(super) use attention::{Cache, Heads, RotateNorms};

use super::kernels::{Constant, Parts};
use super::layout::{Products, WeightLayout};
use super::linear::{Linear, LinearPiece, PackedRows};
use super::weight::{Piece, Weight};
use super::{Gpu, GpuError, kernel};
use crate::model::KvType;
use crate::reference::PACKED_GROUP;
use crate::weights::WeightType;

/// Threads of a workgroup in the kernels that are not laid out by rows.
const THREADS: u64 = 64;

/// The same of the kernels for software adapters, `matmul_columns`, `matvec_columns` and
/// `attend_rows`: they share out whole workgroups among the processors, and a narrow model's matrix
/// gives 60 threads.
const SOFTWARE_THREADS: u64 = 16;

/// Rows that one thread of `matmul`, `matmul_columns` and `attend_rows` computes.
const ROWS_A_THREAD: u64 = 4;

/// Columns that one thread computes.
const MATMUL_COLUMNS: u64 = 4;
const MATMUL_COLUMNS_COLUMNS: u64 = 16;
const MATVEC_COLUMNS_COLUMNS: u64 = 4;

/// Threads whose columns lie side by side (LANES of the kernels for software adapters).
const LANES: u64 = 4;

/// A kernel with everything it works on.
pub(super) struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: Grid,
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

/// Whether a kernel is for one row or for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Many,
    One,
}

/// Names a kernel without a cache where the parts want a type.
const NO_CACHE: KvType = KvType::F32;

impl Gpu {
    fn parts(&self, weights: WeightType, kv: KvType) -> Parts {
        Parts {
            weights,
            kv,
            layout: self.layout(),
        }
    }

    fn dispatch(
        &self,
        name: &str,
        parts: Parts,
        constants: &[Constant],
        bindings: &[wgpu::BindingResource<'_>],
        grid: Grid,
    ) -> Result<Dispatch, GpuError> {
        let kernel = kernel(name)?;
        let pipeline = self.pipeline(kernel, parts, constants)?;
        let bind_group = self.bind_group(kernel, &pipeline, bindings);
        Ok(Dispatch {
            pipeline,
            bind_group,
            grid,
        })
    }

    /// Rows of `table` by the ids in `tokens`, or of `given`.
    pub(super) fn embed(
        &self,
        run: &wgpu::Buffer,
        table: &Weight,
        tokens: &wgpu::Buffer,
        given: &wgpu::Buffer,
        out: &wgpu::Buffer,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let quads = table.cols / 4;
        let embed = |piece: &Piece| {
            self.dispatch(
                "embed",
                self.parts(table.weight_type, NO_CACHE),
                &[
                    ("WIDTH_QUADS", quads as f64),
                    ("TABLE_FIRST", piece.first_row as f64),
                    ("TABLE_ROWS", piece.rows as f64),
                ],
                &[
                    run.as_entire_binding(),
                    piece.main(),
                    piece.scales(),
                    tokens.as_entire_binding(),
                    given.as_entire_binding(),
                    out.as_entire_binding(),
                ],
                Grid::ByRows {
                    rows: 1,
                    threads: quads as u64,
                    threads_per_group: THREADS,
                },
            )
        };
        table.pieces().iter().map(embed).collect()
    }

    /// The norm of all rows.
    pub(super) fn rms_norm(
        &self,
        run: &wgpu::Buffer,
        (weight, eps): (&Weight, f32),
        x: &wgpu::Buffer,
        out: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        self.dispatch(
            "rms_norm",
            self.parts(WeightType::F32, NO_CACHE),
            &[
                ("WIDTH_QUADS", (weight.cols / 4) as f64),
                ("EPS", f64::from(eps)),
            ],
            &[
                run.as_entire_binding(),
                weight.vector(0),
                x.as_entire_binding(),
                out.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: u64::from(self.layout().reduce.rows_per_workgroup()),
                threads: 1,
                threads_per_group: 1,
            },
        )
    }

    /// A linear map of the last row.
    pub(super) fn matvec(
        &self,
        run: &wgpu::Buffer,
        linear: &Linear<'_>,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let matvec = |piece: &LinearPiece<'_>| {
            let mut constants = piece.constants();
            constants.push(("NORM", linear.norm.is_some().into()));
            if let Some((_, eps)) = linear.norm {
                constants.push(("EPS", f64::from(eps)));
            }
            let columns = piece.out_width() as u64;
            let reduce = self.layout().reduce;
            let (name, groups) = match reduce.weight_layout() {
                WeightLayout::Rows => {
                    let groups = columns.div_ceil(u64::from(reduce.rows_per_workgroup()));
                    ("matvec", groups)
                }
                WeightLayout::Columns => {
                    let threads = columns.div_ceil(MATVEC_COLUMNS_COLUMNS * LANES) * LANES;
                    ("matvec_columns", threads.div_ceil(SOFTWARE_THREADS))
                }
            };
            self.dispatch(
                name,
                self.parts(linear.weight.weight_type, NO_CACHE),
                &constants,
                &[
                    run.as_entire_binding(),
                    piece.weight.main(),
                    piece.weight.scales(),
                    piece.norm(),
                    piece.bias(),
                    linear.x.as_entire_binding(),
                    linear.out.as_entire_binding(),
                ],
                Grid::Fixed(groups),
            )
        };
        linear.pieces()?.iter().map(matvec).collect()
    }

    /// Rows of `width` values as integers of 16 bits.
    pub(super) fn pack_rows(
        &self,
        run: &wgpu::Buffer,
        width: usize,
        x: &wgpu::Buffer,
        packed: &PackedRows,
    ) -> Result<Dispatch, GpuError> {
        self.dispatch(
            "pack_rows",
            self.parts(WeightType::F32, NO_CACHE),
            &[("WIDTH_QUADS", (width / 4) as f64)],
            &[
                run.as_entire_binding(),
                x.as_entire_binding(),
                packed.words.as_entire_binding(),
                packed.lines.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: 1,
                threads: (width / PACKED_GROUP) as u64,
                threads_per_group: THREADS,
            },
        )
    }

    /// A linear map of all rows; its input is normed already.
    pub(super) fn matmul(
        &self,
        run: &wgpu::Buffer,
        linear: &Linear<'_>,
    ) -> Result<Vec<Dispatch>, GpuError> {
        let packed = linear
            .packed
            .filter(|_| self.layout().packs_rows(linear.weight.weight_type));
        let mut parts = self.parts(linear.weight.weight_type, NO_CACHE);
        if packed.is_none() {
            parts.layout.products = Products::Floats;
        }
        let pack = packed.map(|it| self.pack_rows(run, linear.weight.cols, linear.x, it));
        let x = packed.map_or(linear.x, |it| &it.words);
        let matmul = |piece: &LinearPiece<'_>| {
            let rows = piece.weight.rows as u64;
            let (name, bindings, threads, threads_per_group) =
                match self.layout().reduce.weight_layout() {
                    WeightLayout::Rows => ("matmul", 7, rows.div_ceil(MATMUL_COLUMNS), THREADS),
                    WeightLayout::Columns => {
                        let tiles = rows.div_ceil(MATMUL_COLUMNS_COLUMNS * LANES);
                        ("matmul_columns", 6, tiles * LANES, SOFTWARE_THREADS)
                    }
                };
            self.dispatch(
                name,
                parts,
                &piece.constants(),
                &[
                    run.as_entire_binding(),
                    piece.weight.main(),
                    piece.weight.scales(),
                    piece.bias(),
                    x.as_entire_binding(),
                    linear.out.as_entire_binding(),
                    packed.map_or(piece.weight.scales(), |it| it.lines.as_entire_binding()),
                ][..bindings],
                Grid::ByRows {
                    rows: ROWS_A_THREAD,
                    threads,
                    threads_per_group,
                },
            )
        };
        let pieces = linear.pieces()?;
        pack.into_iter().chain(pieces.iter().map(matmul)).collect()
    }

    /// The mean of all rows, in place of the last row of `out`.
    pub(super) fn mean(
        &self,
        run: &wgpu::Buffer,
        width: usize,
        x: &wgpu::Buffer,
        out: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        let quads = width / 4;
        self.dispatch(
            "mean",
            self.parts(WeightType::F32, NO_CACHE),
            &[("WIDTH_QUADS", quads as f64)],
            &[
                run.as_entire_binding(),
                x.as_entire_binding(),
                out.as_entire_binding(),
            ],
            Grid::Fixed((quads as u64).div_ceil(THREADS)),
        )
    }

    /// The choice of the next token by its probability.
    pub(super) fn sample(
        &self,
        run: &wgpu::Buffer,
        sampling: &wgpu::Buffer,
        vocab_size: usize,
        logits: &wgpu::Buffer,
        tokens: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        self.dispatch(
            "sample",
            self.parts(WeightType::F32, NO_CACHE),
            &[("VOCAB", vocab_size as f64)],
            &[
                run.as_entire_binding(),
                sampling.as_entire_binding(),
                logits.as_entire_binding(),
                tokens.as_entire_binding(),
            ],
            Grid::Fixed(1),
        )
    }

    /// The greedy choice of the next token.
    pub(super) fn select(
        &self,
        run: &wgpu::Buffer,
        vocab_size: usize,
        logits: &wgpu::Buffer,
        tokens: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        self.dispatch(
            "select",
            self.parts(WeightType::F32, NO_CACHE),
            &[("VOCAB", vocab_size as f64)],
            &[
                run.as_entire_binding(),
                logits.as_entire_binding(),
                tokens.as_entire_binding(),
            ],
            Grid::Fixed(1),
        )
    }
}
