//! Cases of `rotate_and_cache` and `attend`.

use half::f16;

use super::super::dispatch::{Cache, Heads, RotateNorms, Rows};
use super::super::{Gpu, GpuError};
use super::bench::Values;
use super::{Comparison, Pass};
use crate::model::{KvType, RopePairing, rope_table};
use crate::reference;

/// Two products and a sum in f32 on both sides, which a device may fuse: a few units in the last
/// place. With norms the tolerance of `rms_norm`, which is said there.
const ROTATE_TOLERANCE: f32 = 1e-6;
const NORMED_TOLERANCE: f32 = 5e-6;

const EPS: f32 = 1e-5;

/// `pack2x16float` may round either way: one unit of f16, 2^-10 of a value.
const F16_TOLERANCE: f32 = 1.0 / 1024.0;

/// Shares of up to 287 positions, which f32 sums up online and the twin in f64: 1e-6 was the most on
/// lavapipe and SwiftShader; GPUs may take exp some units less exactly. A position left out moves a
/// value by 1e-3.
const ATTEND_TOLERANCE: f32 = 1e-5;

/// Makes scores differ by several units, so that some positions have large shares and others none.
const QUERY_SCALE: f32 = 6.0;

/// The heads of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadsCase {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

impl HeadsCase {
    fn heads(self, pairing: RopePairing) -> Heads {
        Heads {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            pairing,
            is_causal: true,
            window: None,
        }
    }

    fn qkv_width(self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    fn kv_width(self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Values as the cache holds them.
fn packed(values: &[f32], kv: KvType) -> Vec<u8> {
    match kv {
        KvType::F32 => bytemuck::cast_slice(values).to_vec(),
        KvType::F16 => values
            .iter()
            .flat_map(|&it| f16::from_f32(it).to_le_bytes())
            .collect(),
    }
}

/// Values out of a cache of `len` values.
async fn unpacked(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    kv: KvType,
    len: usize,
) -> Result<Vec<f32>, GpuError> {
    Ok(match kv {
        KvType::F32 => gpu.content(buffer, len).await?,
        KvType::F16 => {
            let halves: Vec<u16> = gpu.content(buffer, len).await?;
            let value = |it: u16| f16::from_bits(it).to_f32();
            halves.into_iter().map(value).collect()
        }
    })
}

/// A rotation, and what it puts into the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotateCase {
    /// The heads.
    pub heads: HeadsCase,
    /// Which values are rotated together.
    pub pairing: RopePairing,
    /// Whether heads are normed first.
    pub has_norms: bool,
    /// Type of the cache.
    pub kv: KvType,
    /// The rows. The cache ends with the last one's position.
    pub pass: Pass,
}

impl RotateCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let Self {
            heads, kv, pass, ..
        } = *self;
        let frequencies: Vec<f64> = (0..heads.head_dim / 2)
            .map(|pair| 1.0 / (1.0 + pair as f64))
            .collect();
        let rotations = rope_table(&frequencies, pass.context());
        let cache_len = pass.context() * heads.kv_width();
        let mut keys = rounded(values.within(1.0, cache_len), kv);
        let mut cached_values = rounded(values.within(1.0, cache_len), kv);
        let mut qkv = values.within(1.0, pass.buffer_rows() * heads.qkv_width());
        let cache = Cache {
            keys: gpu.filled("keys", &packed(&keys, kv))?,
            values: gpu.filled("values", &packed(&cached_values, kv))?,
            kv,
        };
        let qkv_buffer = gpu.filled("qkv", &qkv)?;
        let query_norm = values.within(1.0, heads.head_dim);
        let key_norm = values.within(1.0, heads.head_dim);
        let (query_weight, key_weight) = (gpu.vector(&query_norm)?, gpu.vector(&key_norm)?);
        let dispatch = gpu.rotate_and_cache(
            &gpu.run_buffer(pass.run())?,
            heads.heads(self.pairing),
            &gpu.filled("rotations", bytemuck::cast_slice::<_, f32>(&rotations))?,
            &qkv_buffer,
            &cache,
            self.has_norms.then_some(RotateNorms {
                query: &query_weight,
                key: &key_weight,
                eps: EPS,
            }),
        )?;
        let found_qkv: Vec<f32> = gpu
            .written(&[dispatch], pass.rows, &qkv_buffer, qkv.len())
            .await?;
        let found_keys = unpacked(gpu, &cache.keys, kv, cache_len).await?;
        let found_values = unpacked(gpu, &cache.values, kv, cache_len).await?;

        let constants = reference::Rotate {
            heads: heads.heads,
            kv_heads: heads.kv_heads,
            head_dim: heads.head_dim,
            pairing: self.pairing,
            kv_type: kv,
        };
        if !pass.is_done {
            reference::rotate_and_cache(
                &pass.run_from_row_0(),
                &constants,
                &rotations,
                &mut qkv[pass.first_row as usize * heads.qkv_width()..],
                &mut keys,
                &mut cached_values,
                self.has_norms.then_some(&reference::RotateNorms {
                    query: &query_norm,
                    key: &key_norm,
                    eps: EPS,
                }),
            );
        }
        let tolerance = if self.has_norms {
            NORMED_TOLERANCE
        } else {
            ROTATE_TOLERANCE
        };
        let cache_tolerance = match kv {
            KvType::F32 => tolerance,
            KvType::F16 => F16_TOLERANCE,
        };
        Ok(Comparison::new(&found_qkv, &qkv, tolerance)
            .and(Comparison::new(&found_keys, &keys, cache_tolerance))
            .and(Comparison::new(
                &found_values,
                &cached_values,
                cache_tolerance,
            )))
    }
}

/// Attention over a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttendCase {
    /// The heads.
    pub heads: HeadsCase,
    /// Whether a row sees no position behind its own.
    pub is_causal: bool,
    /// Positions that a row sees.
    pub window: Option<usize>,
    /// Whether the kernel for one row is meant; else the one for many.
    pub is_one_row: bool,
    /// Type of the cache.
    pub kv: KvType,
    /// The rows. The cache ends with the last one's position.
    pub pass: Pass,
}

impl AttendCase {
    pub(super) async fn check(&self, gpu: &Gpu) -> Result<Comparison, GpuError> {
        let mut values = Values::new();
        let Self {
            heads, kv, pass, ..
        } = *self;
        let cache_len = pass.context() * heads.kv_width();
        let keys = rounded(values.within(1.0, cache_len), kv);
        let cached_values = rounded(values.within(1.0, cache_len), kv);
        let qkv = values.within(QUERY_SCALE, pass.buffer_rows() * heads.qkv_width());
        let out_width = heads.heads * heads.head_dim;
        let mut out = values.within(1.0, pass.buffer_rows() * out_width);
        let cache = Cache {
            keys: gpu.filled("keys", &packed(&keys, kv))?,
            values: gpu.filled("values", &packed(&cached_values, kv))?,
            kv,
        };
        let out_buffer = gpu.filled("out", &out)?;
        let rows = if self.is_one_row {
            Rows::One
        } else {
            Rows::Many
        };
        let dispatch = gpu.attend(
            &gpu.run_buffer(pass.run())?,
            Heads {
                is_causal: self.is_causal,
                window: self.window,
                ..heads.heads(RopePairing::Neighbours)
            },
            rows,
            &gpu.filled("qkv", &qkv)?,
            &cache,
            &out_buffer,
        )?;
        let found: Vec<f32> = gpu
            .written(&[dispatch], pass.rows, &out_buffer, out.len())
            .await?;

        let constants = reference::Attend {
            heads: heads.heads,
            kv_heads: heads.kv_heads,
            head_dim: heads.head_dim,
            is_causal: self.is_causal,
            window: self.window,
        };
        if !pass.is_done {
            let first_row = pass.first_row as usize;
            reference::attend(
                &pass.run_from_row_0(),
                &constants,
                &qkv[first_row * heads.qkv_width()..],
                &keys,
                &cached_values,
                &mut out[first_row * out_width..],
            );
        }
        Ok(Comparison::new(&found, &out, ATTEND_TOLERANCE))
    }
}

/// Values that a cache of this type holds exactly.
fn rounded(values: Vec<f32>, kv: KvType) -> Vec<f32> {
    values.into_iter().map(|it| kv.round(it)).collect()
}
