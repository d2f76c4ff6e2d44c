//! Models as Hugging Face folders hold them: which columns of our stacked matrices each tensor is, and reading them.
//!
//! For models to train with; `crate::convert` turns such folders into files for the engine without burn, and finds the
//! tensors of a folder for both.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::Tensor;
use burn::tensor::{Device, TensorData};

use super::error::TrainError;
use super::kernels::Kernels;
use super::llama::{AttentionBias, EmbeddingScale, Head, Llama, LlamaSizes, Named};
use crate::convert::{Architecture, Config, RopeScaling, open_tensors};
use crate::formats::tensors::{StoredTensor, TensorFiles};

/// Positions that published models are read for: question and answer of 512 tokens each, at most, with prompt and implicit
/// tokens between them.
const POSITIONS: usize = 2048;

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
    let ending = match part.ends_with("_bias") {
        true => "bias",
        false => "weight",
    };
    let stacked = |layout, parts: &[(&str, usize)]| {
        let mut start = 0;
        let place = |&(name, width): &(&str, usize)| {
            start += width;
            Place {
                name: format!("{layer}{name}.{ending}"),
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
        "query_bias" => stacked(Layout::Vector, &[("self_attn.q_proj", query)]),
        "key_value_bias" => stacked(
            Layout::Vector,
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

/// A parameter, or its gradient, as the tensors of a folder: names, shapes, values.
pub fn stored_tensors(
    parameter: &str,
    tensor: &Tensor<2>,
    sizes: &LlamaSizes,
) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let part = |place: &Place| {
        let columns = (tensor.clone().inner()).narrow(1, place.columns.start, place.columns.len());
        let columns = match place.layout {
            Layout::Transposed => columns.transpose(),
            Layout::Vector | Layout::Rows => columns,
        };
        let [rows, width] = columns.dims();
        let shape = match place.layout {
            Layout::Vector => vec![width],
            Layout::Transposed | Layout::Rows => vec![rows, width],
        };
        let values = columns.try_into_vec_as::<f32>();
        let values = values.expect("tensors in training are f32");
        (place.name.clone(), shape, values)
    };
    places(parameter, sizes).iter().map(part).collect()
}

/// The tensors of a file or a folder, each read when it is asked for, as f32.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    files: TensorFiles,
}

impl Weights {
    /// A safetensors file, its names as they are.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let mut files = TensorFiles::default();
        files
            .add_safetensors(path)
            .map_err(|error| wrong(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            files,
        })
    }

    /// All tensors of a folder, in however many files, their names as [`open_tensors`] gives them.
    pub fn of_folder(folder: &Path) -> Result<Self, TrainError> {
        Ok(Self {
            path: folder.to_owned(),
            files: open_tensors(folder).map_err(|error| wrong(folder, error))?,
        })
    }

    fn wrong(&self, message: impl ToString) -> TrainError {
        wrong(&self.path, message)
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.tensors().keys().map(String::as_str)
    }

    fn stored(&self, name: &str) -> Result<&StoredTensor, TrainError> {
        let stored = self.files.tensors().get(name);
        stored.ok_or_else(|| self.wrong(format!("has no tensor {name}")))
    }

    /// Shape and values of a tensor.
    pub fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), TrainError> {
        let stored = self.stored(name)?;
        let count = stored.shape.iter().product();
        let values = self.files.read(stored, 0, count);
        let values = values.map_err(|error| self.wrong(error))?;
        Ok((stored.shape.clone(), values))
    }

    /// A tensor in our layout.
    pub fn matrix(
        &self,
        name: &str,
        layout: Layout,
        device: &Device,
    ) -> Result<Tensor<2>, TrainError> {
        let (shape, values) = self.tensor(name)?;
        let shape = match (layout, &shape[..]) {
            (Layout::Vector, &[width]) => [1, width],
            (Layout::Transposed | Layout::Rows, &[rows, width]) => [rows, width],
            _ => {
                return Err(self.wrong(format!("{name} has shape {shape:?}, {layout:?} expected")));
            }
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), device);
        Ok(match layout {
            Layout::Transposed => tensor.transpose(),
            Layout::Vector | Layout::Rows => tensor,
        })
    }

    /// A tensor in our layout, which must have this shape in it.
    pub fn matrix_of(
        &self,
        name: &str,
        layout: Layout,
        shape: [usize; 2],
        device: &Device,
    ) -> Result<Tensor<2>, TrainError> {
        let tensor = self.matrix(name, layout, device)?;
        let found = tensor.dims();
        if found == shape {
            return Ok(tensor);
        }
        Err(self.wrong(format!(
            "{name} is {found:?} as [inputs, outputs], the configuration asks for {shape:?}"
        )))
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
            let [rows, _] = tensor.dims();
            let part = |place: &Place| {
                let name = format!("{prefix}{}", place.name);
                self.matrix_of(&name, place.layout, [rows, place.columns.len()], device)
            };
            let parts = places(&parameter, sizes);
            let parts = parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
            let found = Tensor::cat(parts, 1);
            *tensor = found;
        }
        Ok(())
    }
}

fn wrong(path: &Path, message: impl ToString) -> TrainError {
    TrainError::Checkpoint {
        path: path.to_owned(),
        message: message.to_string(),
    }
}

/// Reads a folder of Hugging Face's form: Llama, Mistral without a window, Qwen2.
pub fn read_llama(folder: &Path, kernels: Kernels, device: &Device) -> Result<Llama, TrainError> {
    read(folder, read_config(folder)?, kernels, device)
}

/// Reads such a folder for its hidden states alone: a head of its own is left out.
pub fn read_without_head(
    folder: &Path,
    kernels: Kernels,
    device: &Device,
) -> Result<Llama, TrainError> {
    let config = Config {
        tied_embeddings: true,
        ..read_config(folder)?
    };
    read(folder, config, kernels, device)
}

fn read(
    folder: &Path,
    config: Config,
    kernels: Kernels,
    device: &Device,
) -> Result<Llama, TrainError> {
    let sizes = sizes(&config);
    let weights = Weights::of_folder(folder)?;
    let table = weights.stored("embed_tokens.weight")?;
    let vocab_size = table.shape.first().copied().unwrap_or_default();
    let kernels = kernels.for_head_dim(sizes.head_dim());
    let mut model = Llama::zeros(sizes, vocab_size, kernels, device);
    model.decoder = model.decoder.with_positions(POSITIONS);
    if config.architecture == Architecture::Qwen2 {
        for layer in &mut model.decoder.layers {
            layer.bias = Some(AttentionBias {
                query: Tensor::zeros([1, config.query_width()], device),
                key_value: Tensor::zeros([1, 2 * config.kv_width()], device),
            });
        }
    }
    weights.fill("", model.parameters(), &sizes, device)?;
    Ok(model)
}

/// `config.json` of a folder, where training can compute what it says.
pub fn read_config(folder: &Path) -> Result<Config, TrainError> {
    let path = folder.join("config.json");
    let wrong = |message: String| TrainError::Configuration {
        path: path.clone(),
        message,
    };
    let bytes = fs::read(&path).map_err(TrainError::file(&path))?;
    let json = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let config = Config::from_json(&json).map_err(|error| wrong(error.to_string()))?;
    if config.architecture == Architecture::Qwen3 {
        return Err(wrong(
            "Qwen3 has norms of heads, which training has not; Llama, Mistral and Qwen2 are read"
                .into(),
        ));
    }
    let window = config.sliding_window.unwrap_or(POSITIONS);
    if config.rope_scaling != RopeScaling::None || window < POSITIONS {
        return Err(wrong(format!(
            "training has neither stretched positions nor a window of attention under {POSITIONS}"
        )));
    }
    Ok(config)
}

fn sizes(config: &Config) -> LlamaSizes {
    LlamaSizes {
        hidden_size: config.hidden_size,
        num_layers: config.num_layers,
        num_heads: config.num_heads,
        num_kv_heads: config.num_kv_heads,
        intermediate_size: config.intermediate_size,
        head_dim: Some(config.head_dim),
        rms_eps: config.rms_norm_eps,
        rope_theta: f64::from(config.rope_theta),
        embedding_scale: EmbeddingScale::One,
        head: match config.tied_embeddings {
            true => Head::Tied,
            false => Head::Untied,
        },
    }
}
