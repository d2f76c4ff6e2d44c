//! What can go wrong on a GPU, each with a stable code that the page's messages are keyed by.

use super::{Layout, Misfit};
use crate::model::{ModelError, RequestError};

/// A failure of the GPU side.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GpuError {
    /// No adapter answered.
    #[error(
        "no WebGPU adapter was found: {reason}; use a browser with WebGPU, or install a Vulkan driver (Mesa's llvmpipe is enough)"
    )]
    NoWebGpu {
        /// What the browser or the driver said.
        reason: String,
    },
    /// The adapter gave no device.
    #[error(
        "adapter {adapter} gave no device: {reason}; close other programs that use the GPU, or choose another adapter"
    )]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// What it said.
        reason: String,
    },
    /// A layout of the kernels was asked for that needs more than the adapter offers.
    #[error(
        "adapter {adapter} does not offer what kernels of the layout {layout} need; name none, and the best that it offers is used"
    )]
    LayoutNotOffered {
        /// The layout asked for.
        layout: Layout,
        /// The adapter's name.
        adapter: String,
    },
    /// The adapter allows less than the model needs.
    #[error(
        "{what} needs {needed}, but this adapter's {limit} is {allowed}; use a smaller model or another adapter"
    )]
    LimitTooLow {
        /// What is too large.
        what: String,
        /// The limit, as WebGPU names it.
        limit: &'static str,
        /// What is needed.
        needed: u64,
        /// What the adapter allows.
        allowed: u64,
    },
    /// Models need more than the adapter allows; found before their weights are read.
    #[error(
        "{}; use a smaller or more strongly quantized model, or another adapter",
        super::preflight::sentence(misfits)
    )]
    DoesNotFit {
        /// All that is too large, the worst first.
        misfits: Vec<Misfit>,
    },
    /// Memory could not be had.
    #[error(
        "the GPU is out of memory: {size_bytes} bytes for {what} could not be had; close other programs that use the GPU, or use a smaller model"
    )]
    OutOfMemory {
        /// What the memory was for.
        what: String,
        /// How much was asked for.
        size_bytes: u64,
    },
    /// The device went away.
    #[error("the GPU device was lost: {reason}; try again")]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// A kernel or a command that the driver refuses: a bug in this project or in the driver.
    #[error("the GPU refused {what}: {reason}; please report this with the adapter's name")]
    Refused {
        /// Kernel or command.
        what: String,
        /// What the driver said.
        reason: String,
    },
    /// A kernel of this name does not exist.
    #[error("there is no kernel {name}; there are {}", crate::gpu::KERNELS.iter().map(|it| it.name).collect::<Vec<_>>().join(", "))]
    UnknownKernel {
        /// The name asked for.
        name: String,
    },
    /// A part of this name does not exist.
    #[error("there is no part {part} among shaders/{folder}/")]
    UnknownPart {
        /// Folder of the part: `weights`, `reduce`, `kv`.
        folder: &'static str,
        /// Name asked for.
        part: String,
    },
    /// A request of a size that the buffers here are not made for.
    #[error("the {what} is {found}; the GPU takes at most {most}")]
    Unsupported {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        most: u64,
    },
    /// A request that contradicts itself or the models.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The model or its weights could not be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl GpuError {
    /// A stable name for the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoWebGpu { .. } => "no_webgpu",
            Self::NoDevice { .. } => "no_device",
            Self::LayoutNotOffered { .. } => "layout_not_offered",
            Self::LimitTooLow { .. } | Self::DoesNotFit { .. } => "limit_too_low",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::DeviceLost { .. } => "device_lost",
            Self::Refused { .. } => "gpu_refused",
            Self::UnknownKernel { .. } => "unknown_kernel",
            Self::UnknownPart { .. } => "unknown_part",
            Self::Unsupported { .. } => "unsupported_request",
            Self::Request(error) => error.code(),
            Self::Model(error) => error.code(),
        }
    }
}
