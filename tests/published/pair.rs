//! A pair of the folder: its models as training holds them, its items, its expected values.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::Tensor;
use burn::tensor::Device;
use semcot::problems::Family;
use semcot::train::config::{GeneratorSettings, SentenceSettings};
use semcot::train::examples::Example;
use semcot::train::kernels::Kernels;
use semcot::train::linear::Linear;
use semcot::train::llama::{Llama, LlamaSizes};
use semcot::train::pretrained::{Layout, Weights, read_llama, stored_tensors};
use semcot::train::sentence_transformer::SentenceTransformer;
use semcot::train::source::Generator;
use serde_json::Value;

use crate::settings;

/// Names of the linear layer's parts in the fixtures.
pub const PROJECTION: &str = "projection_layer";
pub const EMBEDDING_PROJECTION: &str = "embedding_projection";

pub struct Pair {
    pub folder: PathBuf,
    pub manifest: Value,
    pub items: Vec<Value>,
    pub target: Llama,
    /// As it was before training.
    pub generator: Generator,
    pub heads: Weights,
    /// All at their published values.
    pub generator_settings: GeneratorSettings,
    pub sentence_settings: SentenceSettings,
    pub device: Device,
    read: RefCell<HashMap<String, Rc<Weights>>>,
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Token ids, positions or item numbers of a list.
pub fn numbers<T: TryFrom<u64>>(list: &Value) -> Vec<T> {
    let number = |it: &Value| {
        let number = it.as_u64().expect("a number from 0 on");
        T::try_from(number).unwrap_or_else(|_| panic!("{number} is too large"))
    };
    list.as_array()
        .expect("a list")
        .iter()
        .map(number)
        .collect()
}

impl Pair {
    pub fn read(folder: &Path, kernels: Kernels) -> Self {
        let device = Device::flex().autodiff();
        let manifest = json(&folder.join("manifest.json"));
        let mut data = json(&folder.join("data.json"));
        let Value::Array(items) = data["items"].take() else {
            panic!("{} has no items", folder.display());
        };
        let model = |part: &str| {
            read_llama(&folder.join(part), kernels, &device)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let heads = Weights::read(&folder.join("heads.safetensors")).expect("the heads");
        let linear = |part: &str, layout| {
            let name = format!("{PROJECTION}.{part}");
            heads
                .matrix(&name, layout, &device)
                .expect("the projection")
        };
        let generator_settings = settings::generator(&manifest);
        let model_of_generator = model("generator");
        let generator = Generator {
            thought: last_row(&model_of_generator.embedding),
            model: model_of_generator,
            projection: Linear {
                weight: linear("weight", Layout::Transposed),
                bias: linear("bias", Layout::Vector),
            },
            alignment_projection: None,
            implicit_from: generator_settings.implicit_from,
            passes: 1,
        };
        Self {
            folder: folder.to_owned(),
            target: model("target"),
            generator,
            heads,
            generator_settings,
            sentence_settings: settings::sentence(&manifest),
            items,
            manifest,
            device,
            read: RefCell::default(),
        }
    }

    pub fn name(&self) -> String {
        self.manifest["pair"].as_str().expect("a name").to_owned()
    }

    pub fn has_fused_kernels(&self) -> bool {
        [&self.target, &self.generator.model]
            .iter()
            .any(|model| model.decoder.kernels == Kernels::Fused)
    }

    /// A file of expected values, by its name in the manifest.
    pub fn expected(&self, file: &str) -> Rc<Weights> {
        let mut read = self.read.borrow_mut();
        let weights = read.entry(file.to_owned()).or_insert_with(|| {
            let path = self.folder.join(file);
            Rc::new(Weights::read(&path).unwrap_or_else(|error| panic!("{error}")))
        });
        weights.clone()
    }

    pub fn setting(&self, name: &str) -> &Value {
        &self.manifest["settings"][name]
    }

    pub fn count(&self, name: &str) -> usize {
        self.setting(name).as_u64().expect("a number") as usize
    }

    /// Number of the hidden state that the sentence transformer reads.
    pub fn hidden_state(&self) -> usize {
        let settings = self.setting("sentence_transformer");
        settings["hidden_state"].as_u64().expect("a number") as usize
    }

    pub fn example(&self, item: usize) -> Example {
        let item = &self.items[item];
        let ids = |field: &str| match &item[field] {
            Value::Null => Vec::new(),
            list => numbers(list),
        };
        Example {
            family: Family::Arithmetic,
            steps: 0,
            question: ids("target_query_ids"),
            generator_question: ids("generator_query_ids"),
            reasoning: ids("target_reasoning_ids"),
            condensed: ids("target_condensed_ids"),
            answer: ids("target_answer_ids"),
            intermediate: Vec::new(),
            step_ends: Vec::new(),
        }
    }

    pub fn examples(&self, items: impl IntoIterator<Item = usize>) -> Vec<Example> {
        items.into_iter().map(|item| self.example(item)).collect()
    }

    /// The target's end token.
    pub fn end_token(&self) -> u32 {
        let config = json(&self.folder.join("target/config.json"));
        config["eos_token_id"].as_u64().expect("an end token") as u32
    }

    /// The ids of the answer prompt, the same for every item.
    pub fn answer_prompt(&self) -> Vec<u32> {
        let prompts: Vec<Vec<u32>> = (self.items.iter())
            .map(|item| numbers(&item["target_answer_prompt_ids"]))
            .collect();
        assert!(
            prompts.iter().all(|prompt| *prompt == prompts[0]),
            "the answer prompt is the same for every item"
        );
        prompts[0].clone()
    }

    /// The sentence transformer as it is copied from the target, its linear layer from a file of weights.
    pub fn untrained_sentence_transformer(
        &self,
        linear: &Weights,
        prefix: &str,
    ) -> SentenceTransformer {
        let settings = &self.sentence_settings;
        let mut sentence = SentenceTransformer::new(settings, 0, &self.target, &self.device);
        let part = |name: &str, layout| {
            let name = format!("{prefix}{EMBEDDING_PROJECTION}.{name}");
            linear
                .matrix(&name, layout, &self.device)
                .expect("the linear layer")
        };
        sentence.linear = Linear {
            weight: part("weight", Layout::Transposed),
            bias: part("bias", Layout::Vector),
        };
        sentence
    }

    /// The trained one.
    pub fn sentence_transformer(&self) -> SentenceTransformer {
        let weights = self.expected("sentence_transformer.safetensors");
        let mut sentence = self.untrained_sentence_transformer(&weights, "");
        let sizes = sentence.decoder.sizes;
        weights
            .fill("", sentence.decoder.parameters(), &sizes, &self.device)
            .expect("the sentence transformer");
        sentence
    }

    /// The generator after training.
    pub fn final_generator(&self) -> Generator {
        let weights = self.expected("expected/generator_final.safetensors");
        let mut generator = self.generator.clone();
        let sizes = generator.model.decoder.sizes;
        weights
            .fill("model.", generator.model.parameters(), &sizes, &self.device)
            .expect("the generator");
        let linear = |part: &str, layout| {
            let name = format!("{PROJECTION}.{part}");
            weights
                .matrix(&name, layout, &self.device)
                .expect("the projection")
        };
        generator.thought = last_row(&generator.model.embedding);
        generator.projection.weight = linear("weight", Layout::Transposed);
        generator.projection.bias = linear("bias", Layout::Vector);
        generator
    }
}

/// `<thought>` is the last row of the fixtures' tables; training holds it apart.
fn last_row(embedding: &Tensor<2>) -> Tensor<2> {
    let rows = embedding.dims()[0];
    embedding.clone().narrow(0, rows - 1, 1)
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .inner()
        .try_into_vec_as::<f32>()
        .expect("tensors in training are f32")
}

/// One of our parameters, or its gradient, as the arrays that the fixtures have of it: names and values.
pub fn arrays(parameter: &str, tensor: &Tensor<2>, sizes: &LlamaSizes) -> Vec<(String, Vec<f32>)> {
    let stored = stored_tensors(parameter, tensor, sizes).into_iter();
    stored.map(|(name, _, values)| (name, values)).collect()
}
