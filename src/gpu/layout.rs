//! How kernels are laid out on a device: the parts that its type and its features decide about. Which layout
//! a device gets is chosen in [`super::variants`]; what the parts are completed to, in [`super::kernels`].

use serde::Deserialize;

use crate::model::KvType;
use crate::weights::WeightType;

/// How the threads that share a row add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduce {
    /// One thread a row.
    Serial,
    /// By workgroup memory.
    Workgroup,
    /// By subgroup operations.
    Subgroup,
}

impl Reduce {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Serial, Self::Workgroup, Self::Subgroup];

    /// The way for an adapter, by its type: software adapters pay more for a barrier than for the
    /// work it shares out (3 to 15 times slower on lavapipe and SwiftShader), GPUs the reverse.
    pub fn for_device(info: &wgpu::AdapterInfo, features: wgpu::Features) -> Self {
        if info.device_type == wgpu::DeviceType::Cpu {
            Self::Serial
        } else if features.contains(wgpu::Features::SUBGROUP) {
            Self::Subgroup
        } else {
            Self::Workgroup
        }
    }

    /// Whether a device offers it.
    pub fn is_offered(self, features: wgpu::Features) -> bool {
        self != Self::Subgroup || features.contains(wgpu::Features::SUBGROUP)
    }

    /// Name of its part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Workgroup => "workgroup",
            Self::Subgroup => "subgroup",
        }
    }

    /// The layout of weights that serves it.
    pub fn weight_layout(self) -> WeightLayout {
        match self {
            Self::Serial => WeightLayout::Columns,
            Self::Workgroup | Self::Subgroup => WeightLayout::Rows,
        }
    }

    /// Rows of a workgroup: `WORKGROUP / LANES` of the part.
    pub(super) fn rows_per_workgroup(self) -> u32 {
        match self {
            Self::Serial => 64,
            Self::Workgroup => 4,
            Self::Subgroup => 1,
        }
    }
}

/// How keys and values that are kept as f16 are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Halves {
    /// Two a word, unpacked by core WGSL.
    #[default]
    Packed,
    /// As the device's own type, `shader-f16`.
    Native,
}

/// How `matmul` multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Products {
    /// By f32.
    #[default]
    Floats,
    /// Weights that are quants by `dot4I8Packed`, with rows of 16-bit integers. As fine as 2^-15 of
    /// the largest of 16 values.
    Bytes,
}

/// How kernels are laid out on a device: along each axis, which part completes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// How the threads of a row add up.
    pub reduce: Reduce,
    /// How f16 is read.
    pub halves: Halves,
    /// How `matmul` multiplies.
    pub products: Products,
}

impl From<Reduce> for Layout {
    /// The layout that needs no more of a device than this way to reduce.
    fn from(reduce: Reduce) -> Self {
        Self {
            reduce,
            halves: Halves::default(),
            products: Products::default(),
        }
    }
}

impl Layout {
    /// Whether a device offers it. That it knows `dot4I8Packed` cannot be asked everywhere: where
    /// it does not, pipelines are refused.
    pub fn is_offered(self, features: wgpu::Features) -> bool {
        self.reduce.is_offered(features)
            && (self.halves == Halves::Packed || features.contains(wgpu::Features::SHADER_F16))
    }

    /// Whether `matmul` by weights of this type takes its rows from `pack_rows`. Kernels for
    /// software adapters never do.
    pub(super) fn packs_rows(self, weights: WeightType) -> bool {
        self.products == Products::Bytes
            && weights.has_quants()
            && self.reduce.weight_layout() == WeightLayout::Rows
    }

    pub(super) fn products_part(self, weights: WeightType) -> &'static str {
        if self.packs_rows(weights) {
            "bytes"
        } else {
            "floats"
        }
    }

    pub(super) fn kv_part(self, kv: KvType) -> &'static str {
        match (kv, self.halves) {
            (KvType::F32, _) => "f32",
            (KvType::F16, Halves::Packed) => "f16",
            (KvType::F16, Halves::Native) => "f16_native",
        }
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reduce.name())?;
        if self.halves == Halves::Native {
            f.write_str(" + shader-f16")?;
        }
        if self.products == Products::Bytes {
            f.write_str(" + dot4I8Packed")?;
        }
        Ok(())
    }
}

/// How weights lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightLayout {
    /// Row by row, for threads that share a row.
    Rows,
    /// 64 rows side by side, for threads that each have a row of their own.
    Columns,
}

impl WeightLayout {
    /// Name of its part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Columns => "columns",
        }
    }
}
