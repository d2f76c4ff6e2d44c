//! Models as Hugging Face folders hold them: which columns of our stacked matrices each tensor is, and reading them.
//!
//! For models to train with; `crate::convert` turns such folders into files for the engine without burn.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors};

use super::error::TrainError;
use super::initialization::Normal;
use super::kernels::Kernels;
use super::llama::{EmbeddingScale, Head, Llama, LlamaSizes, Named};
use crate::convert::{Architecture, Config, RopeScaling};

/// How a tensor lies in a folder, beside ours `[inputs, outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[outputs, inputs]`.
    Transposed,
    /// `[width]`, ours `[1, width]`.
    Vector,
    /// As ours: rows of a table.
    Rows,
}

/// Where a tensor of a folder lies in one of our parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Without the prefix `model.`.
    pub name: String,
    pub columns: Range<usize>,
    pub layout: Layout,
}

/// The tensors that make up a parameter of a [`Llama`] or its decoder, in the order of its columns; none for a name that is
/// not theirs.
pub fn places(parameter: &str, sizes: &LlamaSizes) -> Vec<Place> {
    let hidden = sizes.hidden_size;
    let (layer, part) = match parameter.rsplit_once('.') {
        Some((layer, part)) => (format!("{layer}."), part),
        None => (String::new(), parameter),
    };
    let stacked = |layout, parts: &[(&str, usize)]| {
        let mut start = 0;
        let place = |&(name, width): &(&str, usize)| {
            start += width;
            Place {
                name: format!("{layer}{name}.weight"),
                columns: start - width..start,
                layout,
            }
        };
        parts.iter().map(place).collect()
    };
    let query = sizes.num_heads * sizes.head_dim();
    let key_value = sizes.num_kv_heads * sizes.head_dim();
    let inner = sizes.intermediate_size;
    match part {
        "embedding" => stacked(Layout::Rows, &[("embed_tokens", hidden)]),
        "head" => stacked(Layout::Rows, &[("lm_head", hidden)]),
        "norm" => stacked(Layout::Vector, &[("norm", hidden)]),
        "attention_norm" => stacked(Layout::Vector, &[("input_layernorm", hidden)]),
        "ffn_norm" => stacked(Layout::Vector, &[("post_attention_layernorm", hidden)]),
        "query" => stacked(Layout::Transposed, &[("self_attn.q_proj", query)]),
        "key_value" => stacked(
            Layout::Transposed,
            &[
                ("self_attn.k_proj", key_value),
                ("self_attn.v_proj", key_value),
            ],
        ),
        "output" => stacked(Layout::Transposed, &[("self_attn.o_proj", hidden)]),
        "gate_up" => stacked(
            Layout::Transposed,
            &[("mlp.gate_proj", inner), ("mlp.up_proj", inner)],
        ),
        "down" => stacked(Layout::Transposed, &[("mlp.down_proj", hidden)]),
        _ => Vec::new(),
    }
}

/// The tensors of one safetensors file, as f32.
#[derive(Clone, Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Weights {
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let damaged = |message: String| TrainError::Checkpoint {
            path: path.to_owned(),
            message,
        };
        let bytes = fs::read(path).map_err(TrainError::file(path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut tensors = HashMap::new();
        for (name, view) in file.iter() {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => bytemuck::pod_collect_to_vec(data),
                Dtype::F16 => widened(data, f16::to_f32),
                Dtype::BF16 => widened(data, bf16::to_f32),
                other => {
                    return Err(damaged(format!(
                        "{name} is {other:?}; F32, F16 and BF16 are read"
                    )));
                }
            };
            tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
        }
        Ok(Self {
            path: path.to_owned(),
            tensors,
        })
    }

    fn wrong(&self, message: String) -> TrainError {
        TrainError::Checkpoint {
            path: self.path.clone(),
            message,
        }
    }

    /// Names of all tensors, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape and values of a tensor.
    pub fn tensor(&self, name: &str) -> Result<(&[usize], &[f32]), TrainError> {
        let (shape, values) =
            (self.tensors.get(name)).ok_or_else(|| self.wrong(format!("has no tensor {name}")))?;
        Ok((shape, values))
    }

    /// A tensor in our layout.
    pub fn matrix(
        &self,
        name: &str,
        layout: Layout,
        device: &Device,
    ) -> Result<Tensor<2>, TrainError> {
        let (shape, values) = self.tensor(name)?;
        let shape = match (layout, shape) {
            (Layout::Vector, &[width]) => [1, width],
            (Layout::Transposed | Layout::Rows, &[rows, width]) => [rows, width],
            _ => {
                return Err(self.wrong(format!("{name} has shape {shape:?}, {layout:?} expected")));
            }
        };
        let tensor = Tensor::from_data(TensorData::new(values.to_vec(), shape), device);
        Ok(match layout {
            Layout::Transposed => tensor.transpose(),
            Layout::Vector | Layout::Rows => tensor,
        })
    }

    /// Reads parameters of a model into place; names in the file begin with `prefix`, but the head's.
    pub fn fill(
        &self,
        prefix: &str,
        parameters: Vec<Named<'_>>,
        sizes: &LlamaSizes,
        device: &Device,
    ) -> Result<(), TrainError> {
        for (parameter, tensor) in parameters {
            let prefix = if parameter == "head" { "" } else { prefix };
            let parts = places(&parameter, sizes)
                .iter()
                .map(|place| self.matrix(&format!("{prefix}{}", place.name), place.layout, device))
                .collect::<Result<Vec<_>, _>>()?;
            let found = Tensor::cat(parts, 1);
            if found.dims() != tensor.dims() {
                let message = format!(
                    "{parameter} has shape {:?}, the configuration asks for {:?}",
                    found.dims(),
                    tensor.dims()
                );
                return Err(self.wrong(message));
            }
            *tensor = found;
        }
        Ok(())
    }
}

fn widened<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    data: &[u8],
    widen: impl Fn(T) -> f32,
) -> Vec<f32> {
    let values: Vec<T> = bytemuck::pod_collect_to_vec(data);
    values.into_iter().map(widen).collect()
}

/// Reads a folder of `config.json` and `model.safetensors`: Llama, and Mistral without a window.
pub fn read_llama(folder: &Path, kernels: Kernels, device: &Device) -> Result<Llama, TrainError> {
    let sizes = read_sizes(&folder.join("config.json"))?;
    let weights = Weights::read(&folder.join("model.safetensors"))?;
    let (shape, _) = weights.tensor("model.embed_tokens.weight")?;
    let kernels = kernels.for_head_dim(sizes.head_dim());
    let mut model = Llama::new(sizes, shape[0], kernels, &mut Normal::new(0), device);
    weights.fill("model.", model.parameters(), &sizes, device)?;
    Ok(model)
}

fn read_sizes(path: &Path) -> Result<LlamaSizes, TrainError> {
    let wrong = |message: String| TrainError::Configuration {
        path: path.to_owned(),
        message,
    };
    let bytes = fs::read(path).map_err(TrainError::file(path))?;
    let json = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let config = Config::from_json(&json).map_err(|error| wrong(error.to_string()))?;
    if config.architecture != Architecture::Llama {
        let message = format!(
            "{:?} has biases or norms of heads, which training has not; Llama and Mistral are read",
            config.architecture
        );
        return Err(wrong(message));
    }
    if config.rope_scaling != RopeScaling::None || config.sliding_window.is_some() {
        return Err(wrong(
            "training has neither stretched positions nor a window of attention".into(),
        ));
    }
    Ok(LlamaSizes {
        hidden_size: config.hidden_size,
        num_layers: config.num_layers,
        num_heads: config.num_heads,
        num_kv_heads: config.num_kv_heads,
        intermediate_size: config.intermediate_size,
        head_dim: Some(config.head_dim),
        rms_eps: config.rms_norm_eps,
        rope_theta: f64::from(config.rope_theta),
        embedding_scale: EmbeddingScale::One,
        head: if config.tied_embeddings {
            Head::Tied
        } else {
            Head::Untied
        },
    })
}
