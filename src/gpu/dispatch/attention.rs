//! Dispatches of attention: rotating and keeping keys and values, and attending to them.

use super::{Dispatch, Grid, ROWS_A_THREAD, Rows, SOFTWARE_THREADS, THREADS};
use crate::gpu::kernels::Constant;
use crate::gpu::layout::WeightLayout;
use crate::gpu::weight::Weight;
use crate::gpu::{Gpu, GpuError};
use crate::model::{KvType, LlamaConfig, RopePairing};
use crate::weights::WeightType;

/// Values of a head that one thread of `attend` and `attend_rows` computes.
const ATTEND_VALUES: usize = 16;

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gpu) struct Heads {
    pub(in crate::gpu) heads: usize,
    pub(in crate::gpu) kv_heads: usize,
    pub(in crate::gpu) head_dim: usize,
    pub(in crate::gpu) pairing: RopePairing,
    /// Whether a row sees no position behind its own.
    pub(in crate::gpu) is_causal: bool,
    /// Positions that a row sees, itself among them.
    pub(in crate::gpu) window: Option<usize>,
}

impl From<&LlamaConfig> for Heads {
    fn from(config: &LlamaConfig) -> Self {
        Self {
            heads: config.num_heads,
            kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            pairing: config.rope_pairing,
            is_causal: config.is_causal,
            window: config.sliding_window,
        }
    }
}

impl Heads {
    fn constants(&self) -> Vec<Constant> {
        vec![
            ("HEADS", self.heads as f64),
            ("KV_HEADS", self.kv_heads as f64),
            ("HEAD_QUADS", (self.head_dim / 4) as f64),
        ]
    }
}

/// RMS norms of the heads before rotation.
#[derive(Clone, Copy)]
pub(in crate::gpu) struct RotateNorms<'a> {
    /// Of query heads `[head_dim]`.
    pub(in crate::gpu) query: &'a Weight,
    /// Of key heads `[head_dim]`.
    pub(in crate::gpu) key: &'a Weight,
    /// Added to the mean square.
    pub(in crate::gpu) eps: f32,
}

/// Keys and values of a layer, `[context, kv_heads, head_dim]`.
pub(in crate::gpu) struct Cache {
    pub(in crate::gpu) keys: wgpu::Buffer,
    pub(in crate::gpu) values: wgpu::Buffer,
    pub(in crate::gpu) kv: KvType,
}

impl Gpu {
    /// Norms the heads of queries and keys, rotates them, and stores keys and values.
    pub(in crate::gpu) fn rotate_and_cache(
        &self,
        run: &wgpu::Buffer,
        heads: Heads,
        rotations: &wgpu::Buffer,
        qkv: &wgpu::Buffer,
        cache: &Cache,
        norms: Option<RotateNorms<'_>>,
    ) -> Result<Dispatch, GpuError> {
        let mut constants = heads.constants();
        constants.push(("HALVES", (heads.pairing == RopePairing::Halves).into()));
        constants.push(("NORM", norms.is_some().into()));
        if let Some(norms) = norms {
            constants.push(("EPS", f64::from(norms.eps)));
        }
        // Where there are none, something that nothing reads.
        let vector = |of: fn(RotateNorms<'_>) -> &Weight| match norms {
            Some(norms) => of(norms).vector(0),
            None => rotations.as_entire_binding(),
        };
        self.dispatch(
            "rotate_and_cache",
            self.parts(WeightType::F32, cache.kv),
            &constants,
            &[
                run.as_entire_binding(),
                rotations.as_entire_binding(),
                qkv.as_entire_binding(),
                cache.keys.as_entire_binding(),
                cache.values.as_entire_binding(),
                vector(|it| it.query),
                vector(|it| it.key),
            ],
            Grid::ByRows {
                rows: 1,
                threads: (heads.heads + 2 * heads.kv_heads) as u64,
                threads_per_group: THREADS,
            },
        )
    }

    /// Attention over the cache.
    pub(in crate::gpu) fn attend(
        &self,
        run: &wgpu::Buffer,
        heads: Heads,
        rows: Rows,
        qkv: &wgpu::Buffer,
        cache: &Cache,
        out: &wgpu::Buffer,
    ) -> Result<Dispatch, GpuError> {
        let mut constants = heads.constants();
        if !heads.is_causal {
            constants.push(("CAUSAL", 0.0));
        }
        if let Some(window) = heads.window {
            constants.push(("WINDOW", window as f64));
        }
        let layout = self.layout().reduce.weight_layout();
        let (name, rows_a_thread, threads_per_group) = match (rows, layout) {
            (Rows::Many, WeightLayout::Columns) => ("attend_rows", ROWS_A_THREAD, SOFTWARE_THREADS),
            _ => ("attend", 1, THREADS),
        };
        self.dispatch(
            name,
            self.parts(WeightType::F32, cache.kv),
            &constants,
            &[
                run.as_entire_binding(),
                qkv.as_entire_binding(),
                cache.keys.as_entire_binding(),
                cache.values.as_entire_binding(),
                out.as_entire_binding(),
            ],
            Grid::ByRows {
                rows: rows_a_thread,
                threads: (heads.heads * heads.head_dim.div_ceil(ATTEND_VALUES)) as u64,
                threads_per_group,
            },
        )
    }
}
