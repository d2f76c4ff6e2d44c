//! The device: which adapter was chosen, what it offers, whether it still lives, and how kernels
//! are laid out on it.

use std::collections::HashMap;
use std::sync::Mutex;

use super::kernels::PipelineKey;
use super::layout::{Layout, Reduce};
use super::loss::Loss;
use super::variants::Trials;
use super::{GpuError, ReadBack};

/// How an adapter is chosen and used.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Only adapters whose name contains this, in any case (native only; browsers show one).
    pub adapter_name: Option<String>,
    /// How kernels are laid out; absent: by the adapter's type, and by trials on GPUs.
    pub layout: Option<Layout>,
    /// How read-backs are waited for.
    pub read_back: ReadBack,
    /// Largest binding of a storage buffer; absent: the adapter's limit. Weights above it are kept
    /// in pieces.
    pub most_binding_bytes: Option<u64>,
}

impl GpuOptions {
    /// What an adapter allows, by these options.
    pub(super) fn limits(&self, adapter: &wgpu::Adapter) -> wgpu::Limits {
        let mut limits = adapter.limits();
        if let Some(most) = self.most_binding_bytes {
            limits.max_storage_buffer_binding_size =
                limits.max_storage_buffer_binding_size.min(most);
        }
        limits
    }
}

/// A device and what this project knows about it.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pipelines: Mutex<HashMap<PipelineKey, wgpu::ComputePipeline>>,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    features: wgpu::Features,
    pub(super) layout: Layout,
    pub(super) trials: Trials,
    read_back: ReadBack,
    loss: Loss,
}

impl Gpu {
    /// Chooses an adapter and opens a device with all its limits and the features used here. Unless
    /// it is given, the layout of the kernels is the fastest that passes a self-test there.
    pub async fn new(options: GpuOptions) -> Result<Self, GpuError> {
        let mut gpu = Self::open(&options).await?;
        match options.layout {
            None => gpu.choose_layout().await?,
            Some(layout) if layout.is_offered(gpu.features()) => {}
            Some(layout) => {
                return Err(GpuError::LayoutNotOffered {
                    layout,
                    adapter: gpu.info.name,
                });
            }
        }
        Ok(gpu)
    }

    async fn open(options: &GpuOptions) -> Result<Self, GpuError> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = choose_adapter(&instance, options).await?;
        let info = adapter.get_info();
        let limits = options.limits(&adapter);
        let opened = open_device(&adapter, &limits).await;
        let (device, queue, features) = opened.map_err(|error| GpuError::NoDevice {
            adapter: info.name.clone(),
            reason: error.to_string(),
        })?;

        let loss = Loss::default();
        let noted = loss.clone();
        device.set_device_lost_callback(move |reason, message| {
            noted.note(format!("{reason:?}: {message}"));
        });
        Ok(Self {
            layout: options
                .layout
                .unwrap_or_else(|| Reduce::for_device(&info, features).into()),
            device,
            queue,
            pipelines: Mutex::default(),
            trials: Trials::default(),
            read_back: options.read_back,
            info,
            limits,
            features,
            loss,
        })
    }

    /// The adapter's name, type and driver.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// What the adapter allows.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// What the adapter offers of the features that are used here.
    pub fn features(&self) -> wgpu::Features {
        self.features
    }

    /// How kernels are laid out here.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How read-backs are waited for.
    pub fn read_back(&self) -> ReadBack {
        self.read_back
    }

    /// An error if the device was lost since it was opened.
    pub fn check_alive(&self) -> Result<(), GpuError> {
        match self.loss.reason() {
            Some(reason) => Err(GpuError::DeviceLost { reason }),
            None => Ok(()),
        }
    }

    /// Gives why the device went away, when it does or did; never, where it lives on.
    pub fn until_lost(&self) -> impl Future<Output = String> + use<> {
        let receiver = self.loss.listen();
        async move {
            match receiver.await {
                Ok(reason) => reason,
                // Nobody is left who could say.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

/// Opens a device with all features that are used here, as far as the adapter offers them.
async fn open_device(
    adapter: &wgpu::Adapter,
    limits: &wgpu::Limits,
) -> Result<(wgpu::Device, wgpu::Queue, wgpu::Features), wgpu::RequestDeviceError> {
    let features = adapter.features()
        & (wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16);
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("semcot"),
        required_features: features,
        required_limits: limits.clone(),
        ..Default::default()
    };
    #[cfg(not(target_arch = "wasm32"))]
    let (request, has_subgroups) = (adapter.request_device(&descriptor), false);
    #[cfg(target_arch = "wasm32")]
    let (request, has_subgroups) =
        super::subgroups::with_subgroups(|| adapter.request_device(&descriptor));
    let (device, queue) = request.await?;
    let subgroups = if has_subgroups {
        wgpu::Features::SUBGROUP
    } else {
        wgpu::Features::empty()
    };
    Ok((device, queue, features | subgroups))
}

#[cfg(target_arch = "wasm32")]
pub(super) async fn choose_adapter(
    instance: &wgpu::Instance,
    _options: &GpuOptions,
) -> Result<wgpu::Adapter, GpuError> {
    request_adapter(instance).await
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn choose_adapter(
    instance: &wgpu::Instance,
    options: &GpuOptions,
) -> Result<wgpu::Adapter, GpuError> {
    let Some(name) = &options.adapter_name else {
        return request_adapter(instance).await;
    };
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let names: Vec<_> = adapters.iter().map(|it| it.get_info().name).collect();
    let wanted = name.to_lowercase();
    adapters
        .into_iter()
        .find(|it| it.get_info().name.to_lowercase().contains(&wanted))
        .ok_or_else(|| GpuError::NoWebGpu {
            reason: format!(
                "no adapter's name contains {name:?}; there are: {}",
                names.join(", ")
            ),
        })
}

async fn request_adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter, GpuError> {
    let request = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    instance
        .request_adapter(&request)
        .await
        .map_err(|error| GpuError::NoWebGpu {
            reason: error.to_string(),
        })
}
