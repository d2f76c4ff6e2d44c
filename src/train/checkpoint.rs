//! Checkpoints: parameters, the optimizer's moments and where the run stands, in one safetensors file.
//!
//! Written under a temporary name and renamed, so that a kill at any moment leaves a whole file. Batches are functions
//! of the seed and the step, so the step is all the state that the random numbers have.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::llama::Named;
use super::optimizer::{Moments, Optimizer};

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps done.
    pub step: usize,
    /// The best validation score so far and the step it was reached after.
    pub best: Option<(f64, usize)>,
    /// Steps of the optimizer for each parameter, in order; 0 where it was never stepped.
    pub optimizer_steps: Vec<u32>,
}

impl Position {
    /// Whether a validation score is above all before.
    pub fn is_better(&self, score: f64) -> bool {
        self.best.is_none_or(|(best, _)| score > best)
    }
}

/// Metadata key of the [`Position`].
const POSITION: &str = "semcot.position";

struct Stored {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn of(name: String, tensor: &Tensor<2>) -> Self {
        let shape = tensor.dims().to_vec();
        let values = tensor
            .clone()
            .inner()
            .try_into_vec_as::<f32>()
            .expect("tensors in training are f32");
        Self {
            name,
            shape,
            bytes: bytemuck::cast_slice(&values).to_vec(),
        }
    }
}

/// Writes parameters, and the optimizer where there is one.
pub fn save(
    path: &Path,
    parameters: Vec<Named<'_>>,
    optimizer: Option<&Optimizer>,
    position: &Position,
) -> Result<(), TrainError> {
    let mut position = position.clone();
    let mut stored = Vec::new();
    for (i, (name, tensor)) in parameters.iter().enumerate() {
        stored.push(Stored::of(name.clone(), tensor));
        let moments = optimizer.and_then(|optimizer| optimizer.moments[i].as_ref());
        if optimizer.is_some() {
            position.optimizer_steps.resize(i + 1, 0);
        }
        if let Some(moments) = moments {
            position.optimizer_steps[i] = moments.steps;
            stored.push(Stored::of(format!("first.{name}"), &moments.first));
            if let Some(second) = &moments.second {
                stored.push(Stored::of(format!("second.{name}"), second));
            }
        }
    }
    let views = stored.iter().map(|stored| {
        let view = TensorView::new(Dtype::F32, stored.shape.clone(), &stored.bytes)
            .expect("bytes are of the shape's size");
        (stored.name.clone(), view)
    });
    let position = serde_json::to_string(&position).expect("plain data serializes");
    let metadata = HashMap::from([(POSITION.to_owned(), position)]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).map_err(|error| TrainError::Checkpoint {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
    write_whole(path, &bytes)
}

/// Writes a file so that readers see the old one or the new one, never a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
    }
    let temporary = path.with_extension("partial");
    fs::write(&temporary, bytes).map_err(TrainError::file(&temporary))?;
    fs::rename(&temporary, path).map_err(TrainError::file(path))
}

/// Where the run stood that a checkpoint was written in.
pub fn position(path: &Path) -> Result<Position, TrainError> {
    position_of(path, &fs::read(path).map_err(TrainError::file(path))?)
}

fn position_of(path: &Path, bytes: &[u8]) -> Result<Position, TrainError> {
    let damaged = |message: String| TrainError::Checkpoint {
        path: path.to_owned(),
        message,
    };
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    (metadata.metadata().as_ref())
        .and_then(|metadata| metadata.get(POSITION))
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| {
            damaged(format!(
                "has no metadata {POSITION}: not a checkpoint of this program"
            ))
        })
}

/// Reads parameters into place, and the optimizer's moments where one is given.
pub fn load(
    path: &Path,
    mut parameters: Vec<Named<'_>>,
    optimizer: Option<&mut Optimizer>,
    device: &Device,
) -> Result<Position, TrainError> {
    let damaged = |message: String| TrainError::Checkpoint {
        path: path.to_owned(),
        message,
    };
    let bytes = fs::read(path).map_err(TrainError::file(path))?;
    let position = position_of(path, &bytes)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |name: &str, shape: [usize; 2]| -> Result<Tensor<2>, TrainError> {
        let view = tensors
            .tensor(name)
            .map_err(|error| damaged(format!("{name}: {error}")))?;
        if view.shape() != shape.as_slice() {
            let found = view.shape();
            return Err(damaged(format!(
                "{name} has shape {found:?}, the configuration asks for {shape:?}"
            )));
        }
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    };
    for (name, tensor) in &mut parameters {
        let keep = tensor.is_require_grad();
        **tensor = read(name, tensor.dims())?.set_require_grad(keep);
    }
    if let Some(optimizer) = optimizer {
        for (i, (name, tensor)) in parameters.iter().enumerate() {
            let steps = position.optimizer_steps.get(i).copied().unwrap_or(0);
            let moments =
                |kind: &str| read(&format!("{kind}.{name}"), tensor.dims()).map(Tensor::inner);
            optimizer.moments[i] = match steps {
                0 => None,
                steps => Some(Moments {
                    first: moments("first")?,
                    second: match tensors.tensor(&format!("second.{name}")) {
                        Ok(_) => Some(moments("second")?),
                        Err(_) => None,
                    },
                    steps,
                }),
            };
        }
    }
    Ok(position)
}
