//! Small random models in folders of Hugging Face's form, and data files of the authors' form.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use semcot::problems::{Family, Problem, Random, Settings, Split, generate};
use semcot::tokenizer::train_tokenizer;
use serde_json::{Map, Value, json};

/// Control tokens, ids from 0 on: begin and end.
const SPECIALS: [&str; 2] = ["<s>", "</s>"];

/// What a folder holds.
pub struct Shape {
    pub model_type: &'static str,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub inner: usize,
    pub vocab: usize,
    pub tied: bool,
    /// Files that the tensors are spread over.
    pub shards: usize,
    pub seed: u64,
}

/// Problems of the authors' form, `count` of each of two families.
pub fn problems(split: Split, count: usize) -> Vec<Problem> {
    let of_family = |family| {
        let problems = generate(family, split, 3, &Settings::default());
        problems.expect("the defaults are right").take(count)
    };
    [Family::Arithmetic, Family::Coin]
        .into_iter()
        .flat_map(of_family)
        .collect()
}

/// Writes `train.json` or `eval.json`.
pub fn write_data(path: &Path, problems: &[Problem]) {
    let item = |problem: &Problem| {
        json!({
            "query": problem.query, "reasoning": problem.reasoning, "answer": problem.answer,
            "condensed_reasoning": problem.condensed_reasoning,
        })
    };
    let items: Vec<Value> = problems.iter().map(item).collect();
    fs::write(path, json!(items).to_string()).expect("the test folder can be written");
}

/// Writes a model of a shape, with a tokenizer trained on these texts.
pub fn write_model(folder: &Path, shape: &Shape, texts: &[String]) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let tokenizer = train_tokenizer(texts.iter().cloned(), shape.vocab, &SPECIALS)
        .expect("the tokenizer can be trained");
    let rows = tokenizer.vocab_size();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_json()).expect("written");
    let config = json!({
        "model_type": shape.model_type, "hidden_size": shape.hidden, "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0, "max_position_embeddings": 512, "tie_word_embeddings": shape.tied,
        "bos_token_id": 0, "eos_token_id": 1, "vocab_size": rows,
    });
    fs::write(folder.join("config.json"), config.to_string()).expect("written");
    write_tensors(folder, shape, tensors(shape, rows));
}

type Tensors = Vec<(String, Vec<usize>)>;

fn tensors(shape: &Shape, rows: usize) -> Tensors {
    let (hidden, inner) = (shape.hidden, shape.inner);
    let kv = hidden / shape.heads * shape.kv_heads;
    let mut all: Tensors = vec![("model.embed_tokens.weight".into(), vec![rows, hidden])];
    for layer in 0..shape.layers {
        let mut add = |name: &str, shape: &[usize]| {
            all.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        };
        add("input_layernorm.weight", &[hidden]);
        add("post_attention_layernorm.weight", &[hidden]);
        for (name, outputs) in [("q", hidden), ("k", kv), ("v", kv)] {
            add(&format!("self_attn.{name}_proj.weight"), &[outputs, hidden]);
            if shape.model_type == "qwen2" {
                add(&format!("self_attn.{name}_proj.bias"), &[outputs]);
            }
        }
        add("self_attn.o_proj.weight", &[hidden, hidden]);
        add("mlp.gate_proj.weight", &[inner, hidden]);
        add("mlp.up_proj.weight", &[inner, hidden]);
        add("mlp.down_proj.weight", &[hidden, inner]);
    }
    all.push(("model.norm.weight".into(), vec![hidden]));
    if !shape.tied {
        all.push(("lm_head.weight".into(), vec![rows, hidden]));
    }
    all
}

/// Random values: norms around 1, everything else around 0.
fn values(name: &str, count: usize, width: usize, random: &mut Random) -> Vec<f32> {
    let (middle, spread) = match name {
        _ if name.contains("norm") => (1.0, 0.2),
        _ if name.ends_with("bias") => (0.0, 0.5),
        _ => (0.0, 1.7 / (width as f32).sqrt()),
    };
    let mut uniform = || (random.bits() >> 40) as f32 / (1 << 24) as f32;
    (0..count)
        .map(|_| middle + spread * (2.0 * uniform() - 1.0))
        .collect()
}

fn write_tensors(folder: &Path, shape: &Shape, tensors: Tensors) {
    let mut random = Random::new(shape.seed);
    let filled: Vec<(String, Vec<usize>, Vec<f32>)> = (tensors.into_iter())
        .map(|(name, dims)| {
            let width = *dims.last().expect("a dimension");
            let filled = values(&name, dims.iter().product(), width, &mut random);
            (name, dims, filled)
        })
        .collect();
    let name = |shard: usize| match shape.shards {
        1 => "model.safetensors".to_owned(),
        shards => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
    };
    let mut map = Map::new();
    for shard in 0..shape.shards {
        // In turns, so that parts of one of our matrices lie in different files.
        let of_shard = filled.iter().enumerate();
        let of_shard = of_shard.filter(|(i, _)| i % shape.shards == shard);
        let views = of_shard.map(|(_, (tensor, dims, values))| {
            map.insert(tensor.clone(), json!(name(shard)));
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F32, dims.clone(), bytes).expect("a tensor");
            (tensor.clone(), view)
        });
        let bytes = safetensors::serialize(views.collect::<Vec<_>>(), None).expect("serialized");
        fs::write(folder.join(name(shard)), bytes).expect("written");
    }
    if shape.shards > 1 {
        let index = json!({ "metadata": {}, "weight_map": map }).to_string();
        fs::write(folder.join("model.safetensors.index.json"), index).expect("written");
    }
}
