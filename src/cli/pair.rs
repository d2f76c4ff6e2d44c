//! Opening a pair for the commands that ask: which device, which cache, which folder; and writing what they
//! measured into it.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::cpu::{CpuModelOptions, CpuPair, NoPause};
use crate::formats::manifest::{FILE_NAME, Manifest};
use crate::gpu::{Gpu, GpuModelOptions, GpuOptions, GpuPair};
use crate::model::KvType;
use crate::reasoning::Pair;
use crate::reasoning::folder::Folder;
use crate::reasoning::loading::{load_on_cpu, load_on_gpu, load_on_simd};
use crate::reference::{ExecutorOptions, PairExecutor};

use super::CommandError;

/// What computes, and how.
#[derive(Args)]
pub struct DeviceArguments {
    /// What computes.
    #[arg(long, default_value = "gpu")]
    pub device: Device,
    /// How keys and values are kept.
    #[arg(long, default_value = "f16")]
    pub kv: Kv,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The GPU, by this project's shaders.
    Gpu,
    /// The CPU twin: slow, and written to be read.
    Cpu,
    /// The CPU, by what browsers without WebGPU get; one thread.
    Simd,
}

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kv {
    /// Half precision.
    F16,
    /// Single precision.
    F32,
}

impl From<Kv> for KvType {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F16 => KvType::F16,
            Kv::F32 => KvType::F32,
        }
    }
}

/// A pair on one of the devices.
pub enum OpenPair {
    /// On the GPU.
    Gpu(Box<Pair<GpuPair>>),
    /// On the CPU twin.
    Cpu(Box<Pair<PairExecutor>>),
    /// On the CPU, by what browsers without WebGPU get.
    Simd(Box<Pair<CpuPair>>),
}

impl OpenPair {
    /// Opens the model folder at `path` with its sentence transformer.
    pub async fn open_with_sentence_transformer(
        path: &Path,
        arguments: &DeviceArguments,
    ) -> Result<Self, CommandError> {
        let mut pair = Self::open(path, arguments).await?;
        let Some(source) = Folder::open(path)?.sentence_transformer().await? else {
            let folder = path.display();
            return Err(format!("{folder} has no sentence transformer to compare with").into());
        };
        match &mut pair {
            Self::Gpu(pair) => pair.executor().load_sentence_transformer(&source).await?,
            Self::Cpu(pair) => pair.executor().load_sentence_transformer(&source).await?,
            Self::Simd(pair) => pair.executor().load_sentence_transformer(&source).await?,
        }
        Ok(pair)
    }

    /// Opens the model folder at `path` on the chosen device.
    pub async fn open(path: &Path, arguments: &DeviceArguments) -> Result<Self, CommandError> {
        let folder = Folder::open(path)?;
        let (target, generator) = (folder.target().await?, folder.generator().await?);
        let kv: KvType = arguments.kv.into();
        match arguments.device {
            Device::Gpu => {
                let gpu = Arc::new(Gpu::new(GpuOptions::default()).await?);
                let options = GpuModelOptions {
                    kv,
                    ..GpuModelOptions::default()
                };
                let pair = load_on_gpu(gpu, &folder.manifest, &target, &generator, options);
                Ok(OpenPair::Gpu(Box::new(pair.await?)))
            }
            Device::Cpu => {
                let options = ExecutorOptions {
                    kv_type: kv,
                    ..ExecutorOptions::default()
                };
                let pair = load_on_cpu(&folder.manifest, &target, &generator, options);
                Ok(OpenPair::Cpu(Box::new(pair.await?)))
            }
            Device::Simd => {
                let options = CpuModelOptions {
                    kv,
                    ..CpuModelOptions::default()
                };
                let pair = load_on_simd(&folder.manifest, &target, &generator, options, NoPause);
                Ok(OpenPair::Simd(Box::new(pair.await?)))
            }
        }
    }
}

/// Puts figures into the manifest of a model folder.
pub fn update_manifest(
    folder: &Path,
    update: impl FnOnce(&mut Manifest) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let path = folder.join(FILE_NAME);
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(&path).map_err(|error| named(&error))?;
    let mut manifest = Manifest::parse(&bytes).map_err(|error| named(&error))?;
    update(&mut manifest)?;
    std::fs::write(&path, manifest.to_json()).map_err(|error| named(&error))?;
    Ok(())
}
