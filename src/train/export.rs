//! From a run to a model folder: GGUF files that any Llama engine reads, and their manifest.
//!
//! Three things differ between training and files. Matrices are `[input, output]` in training and `[output, input]` in
//! files. Queries and keys rotate halves in training and neighbouring pairs in files of architecture `llama`, so their
//! rows are reordered within each head. Embeddings are scaled by sqrt(hidden_size) in training: the tables of the files
//! hold the scaled rows, and where the table is also the head the final norm is divided by the same factor.

use std::fs;
use std::path::Path;

use burn::Tensor;
use serde_json::json;

use super::config::{AlignmentSpace, Config, Method};
use super::error::TrainError;
use super::llama::{CONTEXT_LENGTH, Decoder, Llama, LlamaSizes};
use super::score::longest_continuation;
use super::sentence_transformer::SentenceTransformer;
use super::source::Source;
use super::stages::Run;
use super::vocabulary::{ANSWER, END, QUESTION_PROMPT, REASON, Vocabulary};
use crate::formats::gguf::{Metadata, Tensor as GgufTensor, Value, Writer};
use crate::formats::manifest::{FILE_NAME, Files, Manifest, ModelFile, Prompts};
use crate::model::set_vocabulary;
use crate::weights::WeightType;

/// License of the weights that this project trains.
const LICENSE: &str = "MIT OR Apache-2.0";

/// Writes the model folder of a finished run, its matrices as `weight_type`.
pub fn export(run: &Run, out: &Path, weight_type: WeightType) -> Result<Manifest, TrainError> {
    let config = &run.config;
    if config.generator.method != Method::Semcot {
        let message = "only runs with method \"semcot\" have a generator to export".to_owned();
        return Err(TrainError::Setting {
            field: "generator.method",
            message,
        });
    }
    let vocabulary = run.vocabulary()?;
    let target = run.target(&vocabulary)?;
    let writer = FileWriter {
        config,
        vocabulary: &vocabulary,
        weight_type,
    };
    fs::create_dir_all(out).map_err(TrainError::file(out))?;
    let write = |name: &str, file: Writer| -> Result<ModelFile, TrainError> {
        let mut bytes = Vec::new();
        file.write(&mut bytes)
            .expect("writing to memory does not fail");
        let path = out.join(name);
        fs::write(&path, &bytes).map_err(TrainError::file(&path))?;
        Ok(ModelFile::of(name, &bytes))
    };

    let generator = run.generator(&vocabulary)?;
    let files = Files {
        target: write("target.gguf", writer.target(&target))?,
        generator: write("generator.gguf", writer.generator(&generator.source)?)?,
        sentence_transformer: match run.sentence_transformer(&target) {
            Ok(sentence) => Some(write(
                "sentence_transformer.gguf",
                writer.sentence_transformer(&sentence),
            )?),
            Err(TrainError::EarlierStage { .. })
                if config.generator.alpha == 0.0
                    || config.generator.alignment_space != AlignmentSpace::SentenceTransformer =>
            {
                None
            }
            Err(error) => return Err(error),
        },
    };
    let manifest = Manifest {
        format: 1,
        name: config.name.clone(),
        description: config.description.clone(),
        license: LICENSE.into(),
        implicit_tokens: config.generator.eval_implicit_tokens() as u32,
        implicit_from: config.generator.implicit_from,
        generator_passes: config.generator.passes as u32,
        prompts: Prompts {
            question: QUESTION_PROMPT.into(),
            reasoning: REASON.into(),
            answer: ANSWER.into(),
        },
        end_token: END.into(),
        max_tokens: longest_continuation(config, &vocabulary)? as u32,
        files,
        training: json!({ "configuration": config, "stages": run.best_positions()? }),
        accuracy: Vec::new(),
        alignment: Vec::new(),
    };
    let path = out.join(FILE_NAME);
    fs::write(&path, manifest.to_json()).map_err(TrainError::file(&path))?;
    Ok(manifest)
}

/// The rows of a matrix of a file, from a tensor of training `[inputs, outputs]`.
struct Rows {
    values: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Rows {
    /// As it is: rows are rows.
    fn of(tensor: &Tensor<2>) -> Self {
        let [rows, cols] = tensor.dims();
        let values = tensor
            .clone()
            .inner()
            .try_into_vec_as::<f32>()
            .expect("tensors in training are f32");
        Self { values, rows, cols }
    }

    fn transposed(tensor: &Tensor<2>) -> Self {
        Self::of(&tensor.clone().inner().transpose())
    }

    fn scaled(mut self, factor: f32) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// The part of the rows, as a matrix of its own.
    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let values = self.values[rows.start * self.cols..rows.end * self.cols].to_vec();
        Self {
            values,
            rows: rows.len(),
            cols: self.cols,
        }
    }

    /// Within each head, row i of the first half and row i of the second become neighbours.
    fn neighbouring_pairs(&self, head_dim: usize) -> Self {
        let half = head_dim / 2;
        let order = (0..self.rows).map(|row| {
            let (head, within) = (row / head_dim, row % head_dim);
            head * head_dim + within / 2 + (within % 2) * half
        });
        let values = order
            .flat_map(|row| self.values[row * self.cols..][..self.cols].to_vec())
            .collect();
        Self { values, ..*self }
    }
}

/// Makes the files of one export.
struct FileWriter<'a> {
    config: &'a Config,
    vocabulary: &'a Vocabulary,
    weight_type: WeightType,
}

impl FileWriter<'_> {
    fn matrix(&self, file: &mut Writer, name: &str, rows: Rows) {
        let Rows { values, rows, cols } = rows;
        file.tensors.push(GgufTensor::quantized(
            name,
            &values,
            rows,
            cols,
            self.weight_type,
        ));
    }

    fn vector(&self, file: &mut Writer, name: &str, rows: Rows) {
        let Rows { values, rows, cols } = rows;
        file.tensors.push(GgufTensor::quantized(
            name,
            &values,
            rows,
            cols,
            WeightType::F32,
        ));
    }

    fn target(&self, target: &Llama) -> Writer {
        let mut file = self.begin("target", &target.decoder.sizes);
        set_vocabulary(
            &mut file.metadata,
            &self.vocabulary.tokenizer.to_vocabulary(),
        );
        let scale = target.embedding_scale();
        self.matrix(
            &mut file,
            "token_embd.weight",
            Rows::of(&target.embedding).scaled(scale),
        );
        self.layers(&mut file, &target.decoder);
        let norm = Rows::of(&target.decoder.norm);
        let norm = match &target.head {
            None => norm.scaled(1.0 / scale),
            Some(head) => {
                self.matrix(&mut file, "output.weight", Rows::of(head));
                norm
            }
        };
        self.vector(&mut file, "output_norm.weight", norm);
        file
    }

    fn generator(&self, source: &Source) -> Result<Writer, TrainError> {
        let Source::Generator(generator) = source else {
            unreachable!("the method was checked to be semcot");
        };
        let model = &generator.model;
        let mut file = self.begin("generator", &model.decoder.sizes);
        set_vocabulary(
            &mut file.metadata,
            &self.vocabulary.tokenizer.to_vocabulary(),
        );
        let settings = &self.config.generator;
        file.metadata.set(
            "semcot.thought_token_id",
            Value::U32(self.vocabulary.thought),
        );
        file.metadata.set(
            "semcot.implicit_tokens",
            Value::U32(settings.eval_implicit_tokens() as u32),
        );
        file.metadata.set(
            "semcot.implicit_from",
            Value::String(settings.implicit_from.name().into()),
        );
        file.metadata
            .set("semcot.passes", Value::U32(settings.passes as u32));
        let mut table = Rows::of(&model.embedding);
        let thought = Rows::of(&generator.thought);
        let at = self.vocabulary.thought as usize * table.cols;
        table.values[at..at + table.cols].copy_from_slice(&thought.values);
        self.matrix(
            &mut file,
            "token_embd.weight",
            table.scaled(model.embedding_scale()),
        );
        self.layers(&mut file, &model.decoder);
        // The generator's head is never used, so its norm stays as the projection reads it.
        self.vector(
            &mut file,
            "output_norm.weight",
            Rows::of(&model.decoder.norm),
        );
        let projection = Rows::transposed(&generator.projection.weight);
        self.matrix(&mut file, "semcot.projection.weight", projection);
        self.vector(
            &mut file,
            "semcot.projection.bias",
            Rows::of(&generator.projection.bias),
        );
        Ok(file)
    }

    /// Layers, norm and linear layer; there is no embedding table, since its input is a hidden state of the target.
    fn sentence_transformer(&self, sentence: &SentenceTransformer) -> Writer {
        let mut file = self.begin("sentence transformer", &sentence.decoder.sizes);
        let settings = &self.config.sentence_transformer;
        let full = settings.attention == super::config::SentenceAttention::Full;
        file.metadata.set(
            "semcot.sentence.first_layer",
            Value::U32(settings.first_layer as u32),
        );
        file.metadata
            .set("semcot.sentence.causal", Value::Bool(!full));
        self.layers(&mut file, &sentence.decoder);
        self.vector(
            &mut file,
            "output_norm.weight",
            Rows::of(&sentence.decoder.norm),
        );
        self.matrix(
            &mut file,
            "semcot.sentence.weight",
            Rows::transposed(&sentence.linear.weight),
        );
        self.vector(
            &mut file,
            "semcot.sentence.bias",
            Rows::of(&sentence.linear.bias),
        );
        file
    }

    fn begin(&self, part: &str, sizes: &LlamaSizes) -> Writer {
        let mut metadata = Metadata::default();
        let number = |value: usize| Value::U32(value as u32);
        let entries = [
            ("general.architecture", Value::String("llama".into())),
            (
                "general.name",
                Value::String(format!("semcot {} {part}", self.config.name)),
            ),
            ("general.license", Value::String(LICENSE.into())),
            ("llama.context_length", number(CONTEXT_LENGTH)),
            ("llama.embedding_length", number(sizes.hidden_size)),
            ("llama.block_count", number(sizes.num_layers)),
            ("llama.feed_forward_length", number(sizes.intermediate_size)),
            ("llama.attention.head_count", number(sizes.num_heads)),
            ("llama.attention.head_count_kv", number(sizes.num_kv_heads)),
            (
                "llama.attention.layer_norm_rms_epsilon",
                Value::F32(sizes.rms_eps),
            ),
            ("llama.attention.key_length", number(sizes.head_dim())),
            ("llama.attention.value_length", number(sizes.head_dim())),
            ("llama.rope.dimension_count", number(sizes.head_dim())),
            ("llama.rope.freq_base", Value::F32(sizes.rope_theta as f32)),
            ("llama.vocab_size", number(self.vocabulary.size)),
        ];
        for (key, value) in entries {
            metadata.set(key, value);
        }
        Writer {
            metadata,
            tensors: Vec::new(),
        }
    }

    fn layers(&self, file: &mut Writer, decoder: &Decoder) {
        let sizes = decoder.sizes;
        let (head_dim, inner) = (sizes.head_dim(), sizes.intermediate_size);
        let kv_width = sizes.num_kv_heads * head_dim;
        for (i, layer) in decoder.layers.iter().enumerate() {
            let name = |part: &str| format!("blk.{i}.{part}.weight");
            let query = Rows::transposed(&layer.query).neighbouring_pairs(head_dim);
            let key_value = Rows::transposed(&layer.key_value);
            let key = key_value.part(0..kv_width).neighbouring_pairs(head_dim);
            let gate_up = Rows::transposed(&layer.gate_up);
            self.vector(file, &name("attn_norm"), Rows::of(&layer.attention_norm));
            self.matrix(file, &name("attn_q"), query);
            self.matrix(file, &name("attn_k"), key);
            self.matrix(
                file,
                &name("attn_v"),
                key_value.part(kv_width..2 * kv_width),
            );
            self.matrix(file, &name("attn_output"), Rows::transposed(&layer.output));
            self.vector(file, &name("ffn_norm"), Rows::of(&layer.ffn_norm));
            self.matrix(file, &name("ffn_gate"), gate_up.part(0..inner));
            self.matrix(file, &name("ffn_up"), gate_up.part(inner..2 * inner));
            self.matrix(file, &name("ffn_down"), Rows::transposed(&layer.down));
        }
    }
}
