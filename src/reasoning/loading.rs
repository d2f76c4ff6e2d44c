//! From opened files to a [`Pair`], on the GPU, on the CPU or on the CPU twin: the same checks for
//! all.

use std::sync::Arc;

use crate::cpu::{CpuModel, CpuModelOptions, CpuPair, Pause};
use crate::formats::manifest::Manifest;
use crate::formats::source::ByteSource;
use crate::gpu::{Allowed, Gpu, GpuError, GpuModel, GpuModelOptions, GpuPair};
use crate::model::{Model, ModelError, check_pair};
use crate::reference::{ExecutorOptions, PairExecutor};
use crate::tokenizer::{Tokenizer, TokenizerError};

use super::pair::{Pair, PairError};

/// Why a pair could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file in the generator's place makes no implicit tokens.
    #[error(
        "{file} is no generator: it has no semcot.* metadata; export it as one, or name another file"
    )]
    NotAGenerator {
        /// The file.
        file: String,
    },
    /// The tokenizer cannot be used.
    #[error("{file}: {error}")]
    Tokenizer {
        /// The file.
        file: String,
        /// What is wrong.
        error: TokenizerError,
    },
    /// Manifest and models contradict each other.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The device refused.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// What the headers of a pair say.
struct Models {
    target: Model,
    generator: Model,
    thought_token: u32,
}

async fn open_models(
    target: &impl ByteSource,
    generator: &impl ByteSource,
) -> Result<Models, LoadError> {
    let target = Model::open(target).await?;
    let generator = Model::open(generator).await?;
    let Some(thoughts) = generator.generator else {
        return Err(LoadError::NotAGenerator {
            file: generator.file,
        });
    };
    check_pair(&target, &generator).map_err(|fault| ModelError {
        file: generator.file.clone(),
        fault,
    })?;
    Ok(Models {
        target,
        generator,
        thought_token: thoughts.thought_token_id,
    })
}

fn tokenizer(target: &Model) -> Result<Tokenizer, LoadError> {
    Tokenizer::from_vocabulary(target.vocabulary()?).map_err(|error| LoadError::Tokenizer {
        file: target.file.clone(),
        error,
    })
}

/// Checks by their headers that two files are a pair that a GPU can hold, before either is there in
/// full.
///
/// # Errors
/// [`LoadError`]: a file that cannot be used, files that are no pair, or an adapter that allows less
/// than they need.
pub async fn check_before_loading(
    allowed: Allowed,
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: GpuModelOptions,
) -> Result<(), LoadError> {
    let models = open_models(target, generator).await?;
    allowed.check(&[&models.target, &models.generator], options)?;
    Ok(())
}

/// Checks by their headers that two files are a pair, before either is there in full, and gives what
/// they say: of the target, then of the generator.
///
/// # Errors
/// [`LoadError`]: a file that cannot be used, or files that are no pair.
pub async fn check_pair_headers(
    target: &impl ByteSource,
    generator: &impl ByteSource,
) -> Result<[Model; 2], LoadError> {
    let models = open_models(target, generator).await?;
    Ok([models.target, models.generator])
}

/// Loads a pair onto a GPU; weights go from the sources to the device in chunks.
///
/// # Errors
/// [`LoadError`]: a file that cannot be used, files that are no pair, or a device that refuses.
pub async fn load_on_gpu(
    gpu: Arc<Gpu>,
    manifest: &Manifest,
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: GpuModelOptions,
) -> Result<Pair<GpuPair>, LoadError> {
    let opened = open_models(target, generator).await?;
    Allowed::by_device(&gpu).check(&[&opened.target, &opened.generator], options)?;
    let tokenizer = tokenizer(&opened.target)?;
    let target = GpuModel::load(gpu.clone(), opened.target, target, options).await?;
    let generator = GpuModel::load(gpu, opened.generator, generator, options).await?;
    let executor = GpuPair::new(target, Some(generator)).await?;
    Ok(Pair::new(
        executor,
        tokenizer,
        manifest,
        opened.thought_token,
    )?)
}

/// Loads a pair into memory, for the CPU. `pause` lets others run while an answer is computed.
///
/// # Errors
/// [`LoadError`]: a file that cannot be used, or files that are no pair.
pub async fn load_on_simd<P: Pause>(
    manifest: &Manifest,
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: CpuModelOptions,
    pause: P,
) -> Result<Pair<CpuPair<P>>, LoadError> {
    let opened = open_models(target, generator).await?;
    let tokenizer = tokenizer(&opened.target)?;
    let target = CpuModel::load(opened.target, target, options).await?;
    let generator = CpuModel::load(opened.generator, generator, options).await?;
    let executor = CpuPair::new(target, Some(generator), pause)?;
    Ok(Pair::new(
        executor,
        tokenizer,
        manifest,
        opened.thought_token,
    )?)
}

/// Loads a pair onto the CPU twin.
///
/// # Errors
/// [`LoadError`]: a file that cannot be used, or files that are no pair.
pub async fn load_on_cpu(
    manifest: &Manifest,
    target: &impl ByteSource,
    generator: &impl ByteSource,
    options: ExecutorOptions,
) -> Result<Pair<PairExecutor>, LoadError> {
    let opened = open_models(target, generator).await?;
    let tokenizer = tokenizer(&opened.target)?;
    let executor = PairExecutor::load(target, generator, options).await?;
    Ok(Pair::new(
        executor,
        tokenizer,
        manifest,
        opened.thought_token,
    )?)
}
