//! Kernels from parts: a module is the plain concatenation of a body and the parts that define the
//! functions it calls. This file lists the bodies, finds the parts, and makes pipelines, each once.

use super::layout::{Halves, Layout, Reduce, WeightLayout};
use super::{Gpu, GpuError};
use crate::model::KvType;
use crate::weights::WeightType;

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// Read only.
    Read,
    /// Read and written.
    Write,
}

/// A kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartKind {
    Run,
    /// Weights in the layout that goes with the reduction: the type's part, the layout's, and the
    /// unpacking of bytes that most types use.
    Weights,
    /// Four columns at once.
    Four,
    /// Four rows times four columns.
    Products,
    Reduce,
    Kv,
}

/// A kernel: its body, the parts that complete it, and its bindings.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Name of its file. Its twin in `reference` has the same name, without the ending of the
    /// variants for software adapters, `_columns` and `_rows`.
    pub name: &'static str,
    /// Name of its entry point: its name, unless WGSL has a function of that name.
    pub entry_point: &'static str,
    /// What each binding of group 0 is, from binding 0 on.
    pub bindings: &'static [BindingKind],
    body: &'static str,
    parts: &'static [PartKind],
    /// The layout of weights that it is for; absent: it serves both.
    layout: Option<WeightLayout>,
}

impl Kernel {
    /// Whether the kernel reads weights, so that it exists once a weight type.
    pub fn has_weights(&self) -> bool {
        self.parts.contains(&PartKind::Weights)
    }

    /// Whether the kernel can be completed by these parts.
    pub fn takes(&self, parts: Parts) -> bool {
        self.layout
            .is_none_or(|it| it == parts.layout.reduce.weight_layout())
    }

    /// Whether the kernel is laid out by rows.
    pub fn has_reduce(&self) -> bool {
        self.parts.contains(&PartKind::Reduce)
    }

    /// Whether the kernel reads or writes keys and values.
    pub fn has_kv(&self) -> bool {
        self.parts.contains(&PartKind::Kv)
    }

    /// Whether the kernel multiplies rows by rows.
    pub fn has_products(&self) -> bool {
        self.parts.contains(&PartKind::Products)
    }
}

use BindingKind::{Read as R, Write as W};

macro_rules! body {
    ($name:literal) => {
        include_str!(concat!("../../shaders/", $name, ".wgsl"))
    };
}

/// Every kernel.
pub const KERNELS: &[Kernel] = &[
    Kernel {
        name: "embed",
        entry_point: "embed",
        bindings: &[R, R, R, R, R, W],
        body: body!("embed"),
        parts: &[PartKind::Run, PartKind::Weights],
        layout: None,
    },
    Kernel {
        name: "rms_norm",
        entry_point: "rms_norm",
        bindings: &[R, R, R, W],
        body: body!("rms_norm"),
        parts: &[PartKind::Run, PartKind::Reduce],
        layout: None,
    },
    Kernel {
        name: "matvec",
        entry_point: "matvec",
        bindings: &[R, R, R, R, R, R, W],
        body: body!("matvec"),
        parts: &[PartKind::Run, PartKind::Weights, PartKind::Reduce],
        layout: Some(WeightLayout::Rows),
    },
    Kernel {
        name: "matvec_columns",
        entry_point: "matvec_columns",
        bindings: &[R, R, R, R, R, R, W],
        body: body!("matvec_columns"),
        parts: &[PartKind::Run, PartKind::Weights, PartKind::Four],
        layout: Some(WeightLayout::Columns),
    },
    Kernel {
        name: "matmul",
        entry_point: "matmul",
        bindings: &[R, R, R, R, R, W, R],
        body: body!("matmul"),
        parts: &[
            PartKind::Run,
            PartKind::Weights,
            PartKind::Four,
            PartKind::Products,
        ],
        layout: Some(WeightLayout::Rows),
    },
    Kernel {
        name: "pack_rows",
        entry_point: "pack_rows",
        bindings: &[R, R, W, W],
        body: body!("pack_rows"),
        parts: &[PartKind::Run],
        layout: Some(WeightLayout::Rows),
    },
    Kernel {
        name: "matmul_columns",
        entry_point: "matmul_columns",
        bindings: &[R, R, R, R, R, W],
        body: body!("matmul_columns"),
        parts: &[PartKind::Run, PartKind::Weights, PartKind::Four],
        layout: Some(WeightLayout::Columns),
    },
    Kernel {
        name: "rotate_and_cache",
        entry_point: "rotate_and_cache",
        bindings: &[R, R, W, W, W, R, R],
        body: body!("rotate_and_cache"),
        parts: &[PartKind::Run, PartKind::Kv],
        layout: None,
    },
    Kernel {
        name: "attend",
        entry_point: "attend",
        bindings: &[R, R, R, R, W],
        body: body!("attend"),
        parts: &[PartKind::Run, PartKind::Kv],
        layout: None,
    },
    Kernel {
        name: "attend_rows",
        entry_point: "attend_rows",
        bindings: &[R, R, R, R, W],
        body: body!("attend_rows"),
        parts: &[PartKind::Run, PartKind::Kv],
        layout: Some(WeightLayout::Columns),
    },
    Kernel {
        name: "mean",
        entry_point: "mean",
        bindings: &[R, R, W],
        body: body!("mean"),
        parts: &[PartKind::Run],
        layout: None,
    },
    Kernel {
        name: "select",
        entry_point: "select_token",
        bindings: &[W, R, W],
        body: body!("select"),
        parts: &[PartKind::Run, PartKind::Reduce],
        layout: None,
    },
    Kernel {
        name: "sample",
        entry_point: "sample",
        bindings: &[W, R, W, W],
        body: body!("sample"),
        parts: &[PartKind::Run, PartKind::Reduce],
        layout: None,
    },
];

/// The kernel of a name.
pub fn kernel(name: &str) -> Result<&'static Kernel, GpuError> {
    KERNELS
        .iter()
        .find(|it| it.name == name)
        .ok_or_else(|| GpuError::UnknownKernel {
            name: name.to_owned(),
        })
}

/// Which part of each kind completes a body. Kinds that a body does not need are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parts {
    /// Type of the weights.
    pub weights: WeightType,
    /// Type of keys and values.
    pub kv: KvType,
    /// The parts that a device decides.
    pub layout: Layout,
}

fn part_sources(kind: PartKind, parts: Parts) -> Result<Vec<&'static str>, GpuError> {
    let reduce = parts.layout.reduce;
    Ok(match kind {
        PartKind::Run => vec![body!("run")],
        PartKind::Four => vec![body!("four")],
        PartKind::Weights => vec![
            part("weights", &parts.weights.name().to_lowercase())?,
            part("layout", reduce.weight_layout().name())?,
            body!("bytes"),
        ],
        PartKind::Products => vec![part("products", parts.layout.products_part(parts.weights))?],
        PartKind::Reduce => vec![part("reduce", reduce.name())?],
        PartKind::Kv => vec![part("kv", parts.layout.kv_part(parts.kv))?],
    })
}

/// The source of the part of this name.
fn part(folder: &'static str, name: &str) -> Result<&'static str, GpuError> {
    Ok(match (folder, name) {
        ("weights", "f32") => body!("weights/f32"),
        ("weights", "f16") => body!("weights/f16"),
        ("weights", "bf16") => body!("weights/bf16"),
        ("weights", "q8_0") => body!("weights/q8_0"),
        ("weights", "q4_0") => body!("weights/q4_0"),
        ("weights", "q4_1") => body!("weights/q4_1"),
        ("weights", "q5_0") => body!("weights/q5_0"),
        ("weights", "q5_1") => body!("weights/q5_1"),
        ("weights", "q2_k") => body!("weights/q2_k"),
        ("weights", "q3_k") => body!("weights/q3_k"),
        ("weights", "q4_k") => body!("weights/q4_k"),
        ("weights", "q5_k") => body!("weights/q5_k"),
        ("weights", "q6_k") => body!("weights/q6_k"),
        ("weights", "iq4_nl") => body!("weights/iq4_nl"),
        ("layout", "rows") => body!("layout/rows"),
        ("layout", "columns") => body!("layout/columns"),
        ("reduce", "serial") => body!("reduce/serial"),
        ("reduce", "workgroup") => body!("reduce/workgroup"),
        ("reduce", "subgroup") => body!("reduce/subgroup"),
        ("products", "floats") => body!("products/floats"),
        ("products", "bytes") => body!("products/bytes"),
        ("kv", "f16") => body!("kv/f16"),
        ("kv", "f16_native") => body!("kv/f16_native"),
        ("kv", "f32") => body!("kv/f32"),
        _ => {
            return Err(GpuError::UnknownPart {
                folder,
                part: name.to_owned(),
            });
        }
    })
}

/// The source of a kernel's module: its body, then its parts.
pub fn assemble(kernel: &Kernel, parts: Parts) -> Result<String, GpuError> {
    let mut source = String::new();
    // Browsers demand the line where the native front end rejects it.
    let has_subgroups = kernel.has_reduce() && parts.layout.reduce == Reduce::Subgroup;
    if cfg!(target_arch = "wasm32") && has_subgroups {
        source.push_str("enable subgroups;\n");
    }
    if kernel.has_kv() && parts.kv == KvType::F16 && parts.layout.halves == Halves::Native {
        source.push_str("enable f16;\n");
    }
    source.push_str(kernel.body);
    for &kind in kernel.parts {
        for part in part_sources(kind, parts)? {
            source.push('\n');
            source.push_str(part);
        }
    }
    Ok(source)
}

/// A constant of a pipeline: an `override` of the WGSL.
pub type Constant = (&'static str, f64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PipelineKey {
    kernel: &'static str,
    parts: Parts,
    constants: Vec<(&'static str, u64)>,
}

impl Gpu {
    /// The pipeline of a kernel with its parts and constants; made at its first use.
    pub(super) fn pipeline(
        &self,
        kernel: &Kernel,
        parts: Parts,
        constants: &[Constant],
    ) -> Result<wgpu::ComputePipeline, GpuError> {
        let key = PipelineKey {
            kernel: kernel.name,
            parts,
            constants: constants
                .iter()
                .map(|&(name, value)| (name, value.to_bits()))
                .collect(),
        };
        let mut pipelines = self.pipelines.lock().expect("no one panics holding it");
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        let source = assemble(kernel, parts)?;
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
        let entries: Vec<_> = (0..)
            .zip(kernel.bindings)
            .map(|(binding, kind)| layout_entry(binding, *kind))
            .collect();
        let bind_group_layout =
            self.device
                .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                    label: Some(kernel.name),
                    entries: &entries,
                });
        let layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(kernel.name),
                bind_group_layouts: &[Some(&bind_group_layout)],
                immediate_size: 0,
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(kernel.entry_point),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            });
        pipelines.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// A bind group for a pipeline of a kernel.
    pub(super) fn bind_group(
        &self,
        kernel: &Kernel,
        pipeline: &wgpu::ComputePipeline,
        bindings: &[wgpu::BindingResource<'_>],
    ) -> wgpu::BindGroup {
        debug_assert_eq!(bindings.len(), kernel.bindings.len(), "{}", kernel.name);
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(binding, resource)| wgpu::BindGroupEntry {
                binding,
                resource: resource.clone(),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }
}

fn layout_entry(binding: u32, kind: BindingKind) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage {
                read_only: kind == R,
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}
