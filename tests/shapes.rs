//! Models of odd shapes with random weights: head widths, one key head, heads that together are
//! wider than the residual stream, vocabularies that fill no tile, biases, norms, windows, scaled
//! positions, and prompts of odd lengths up to the brim of the context. The GPU must agree with
//! the CPU twin on each, whose own arithmetic is checked against values of others in
//! `tests/fixtures`.

#![cfg(not(target_arch = "wasm32"))]

use std::ops::ControlFlow;
use std::sync::Arc;

use semcot::formats::gguf::{Tensor, Value, Writer};
use semcot::formats::source::MemorySource;
use semcot::gpu::{
    Gpu, GpuModel, GpuModelOptions, GpuOptions, GpuPair, Halves, Layout, Products, Reduce,
};
use semcot::model::run::{Execute, Request};
use semcot::model::{ForwardOptions, Head, KvType, Model, Sampling};
use semcot::reference::{ExecutorOptions, PairExecutor};
use semcot::weights::WeightType;

/// Logits of these models are below 10; f32 sums of the GPU differ from the twin's f64 sums by less
/// than 2e-5, a wrong rotation or norm by more than 1e-2.
const TOLERANCE: f64 = 2e-4;

/// Longest sequence of every model here.
const CONTEXT: usize = 160;

const PROMPT_LENGTHS: [usize; 6] = [1, 2, 31, 33, 150, CONTEXT];

/// Tokens decoded behind a prompt that leaves just enough room for them.
const WRITTEN: usize = 12;

struct Shape {
    name: &'static str,
    architecture: &'static str,
    vocab: usize,
    hidden: usize,
    wide: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Types of queries, keys and values.
    types: [WeightType; 3],
    /// Biases on queries, keys and values, and on the output of attention.
    biases: [bool; 2],
    head_norms: bool,
    rope_factors: bool,
    tied: bool,
    /// Further metadata, under the architecture's prefix.
    metadata: &'static [(&'static str, Value)],
}

const PLAIN: Shape = Shape {
    name: "plain",
    architecture: "llama",
    vocab: 901,
    hidden: 64,
    wide: 96,
    heads: 4,
    kv_heads: 2,
    head_dim: 16,
    types: [WeightType::Q8_0; 3],
    biases: [false; 2],
    head_norms: false,
    rope_factors: false,
    tied: true,
    metadata: &[],
};

const SHAPES: [Shape; 7] = [
    Shape {
        name: "heads 80 wide, one key head, together wider than the stream",
        heads: 2,
        kv_heads: 1,
        head_dim: 80,
        hidden: 96,
        tied: false,
        ..PLAIN
    },
    Shape {
        name: "heads 128 wide, as many key heads, linear scaling",
        heads: 2,
        kv_heads: 2,
        head_dim: 128,
        types: [WeightType::F16; 3],
        ..PLAIN
    },
    Shape {
        name: "widths that are no multiple of 32",
        vocab: 77,
        hidden: 60,
        wide: 84,
        heads: 3,
        kv_heads: 3,
        head_dim: 12,
        types: [WeightType::F32; 3],
        metadata: &[("rope.freq_base", Value::F32(500_000.0))],
        ..PLAIN
    },
    Shape {
        name: "a window of 5 and divided frequencies",
        architecture: "mistral",
        rope_factors: true,
        metadata: &[("attention.sliding_window", Value::U32(5))],
        ..PLAIN
    },
    Shape {
        name: "biases, halves of 24",
        architecture: "qwen2",
        heads: 6,
        kv_heads: 3,
        head_dim: 24,
        biases: [true, false],
        ..PLAIN
    },
    Shape {
        name: "biases everywhere, types that differ",
        types: [WeightType::F16, WeightType::Q8_0, WeightType::F32],
        biases: [true, true],
        ..PLAIN
    },
    Shape {
        name: "normed heads 40 wide",
        architecture: "qwen3",
        heads: 4,
        kv_heads: 1,
        head_dim: 40,
        head_norms: true,
        ..PLAIN
    },
];

impl Shape {
    fn writer(&self, seed: u64) -> Writer {
        let mut random = Random(seed);
        let mut writer = Writer::default();
        self.set_metadata(&mut writer);
        let mut add = |name: String, rows: usize, cols: usize, weight_type: WeightType| {
            let values = match rows {
                1 => random.values(cols, 0.5).iter().map(|it| 1.0 + it).collect(),
                // Outputs of about the size of the inputs.
                _ => random.values(rows * cols, (3.0 / cols as f32).sqrt()),
            };
            let tensor = Tensor::quantized(&name, &values, rows, cols, weight_type);
            writer.tensors.push(tensor);
        };
        let (hidden, wide) = (self.hidden, self.wide);
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let matrices = self.types[2];
        add("token_embd.weight".into(), self.vocab, hidden, matrices);
        for layer in 0..2 {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let vector = WeightType::F32;
            add(name("attn_norm.weight"), 1, hidden, vector);
            let outputs = [("attn_q", queries), ("attn_k", keys), ("attn_v", keys)];
            for ((part, rows), weight_type) in outputs.into_iter().zip(self.types) {
                add(name(&format!("{part}.weight")), rows, hidden, weight_type);
                if self.biases[0] {
                    add(name(&format!("{part}.bias")), 1, rows, vector);
                }
            }
            if self.head_norms {
                add(name("attn_q_norm.weight"), 1, self.head_dim, vector);
                add(name("attn_k_norm.weight"), 1, self.head_dim, vector);
            }
            add(name("attn_output.weight"), hidden, queries, WeightType::F16);
            if self.biases[1] {
                add(name("attn_output.bias"), 1, hidden, vector);
            }
            add(name("ffn_norm.weight"), 1, hidden, vector);
            add(name("ffn_gate.weight"), wide, hidden, matrices);
            add(name("ffn_up.weight"), wide, hidden, self.types[1]);
            add(name("ffn_down.weight"), hidden, wide, matrices);
        }
        add("output_norm.weight".into(), 1, hidden, WeightType::F32);
        if !self.tied {
            add("output.weight".into(), self.vocab, hidden, matrices);
        }
        if self.rope_factors {
            let len = self.head_dim / 2;
            add("rope_freqs.weight".into(), 1, len, WeightType::F32);
        }
        writer
    }

    fn set_metadata(&self, writer: &mut Writer) {
        let metadata = &mut writer.metadata;
        let architecture = Value::String(self.architecture.into());
        metadata.set("general.architecture", architecture);
        let key = |name: &str| format!("{}.{name}", self.architecture);
        for (name, value) in [
            ("block_count", 2),
            ("context_length", CONTEXT),
            ("embedding_length", self.hidden),
            ("feed_forward_length", self.wide),
            ("attention.head_count", self.heads),
            ("attention.head_count_kv", self.kv_heads),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
        ] {
            metadata.set(&key(name), Value::U32(value as u32));
        }
        let eps = Value::F32(1e-6);
        metadata.set(&key("attention.layer_norm_rms_epsilon"), eps);
        for (name, value) in self.metadata {
            metadata.set(&key(name), value.clone());
        }
    }
}

fn source(name: &str, writer: &Writer) -> MemorySource {
    let mut file = Vec::new();
    writer.write(&mut file).expect("memory takes all");
    MemorySource::new(name, file)
}

/// Logits of every prompt, and a greedy run to the brim.
struct Results {
    logits: Vec<Vec<f32>>,
    written: Vec<u32>,
}

fn prompts(vocab: usize) -> Vec<Vec<u32>> {
    let mut random = Random(7);
    let mut prompt = |len: usize| {
        let ids = random.values(len, 0.5).into_iter();
        ids.map(|it| ((it + 0.5) * vocab as f32) as u32).collect()
    };
    PROMPT_LENGTHS.map(&mut prompt).to_vec()
}

fn request(prompt: &[u32]) -> Request {
    Request {
        generator: None,
        // The last token written is not read again, and finds no room.
        target_ids: prompt[..CONTEXT + 1 - WRITTEN].to_vec(),
        max_tokens: WRITTEN as u32,
        end_token: u32::MAX,
        tokens_per_submit: 5,
        sampling: Sampling::default(),
    }
}

fn run<E: Execute>(executor: &mut E, prompt: &[u32]) -> Vec<u32> {
    let mut go_on = |_: &[u32]| ControlFlow::Continue(());
    let report = pollster::block_on(executor.run(&request(prompt), &mut go_on));
    report.unwrap().token_ids
}

fn on_the_twin(source: &MemorySource, prompts: &[Vec<u32>]) -> Results {
    let options = ExecutorOptions {
        kv_type: KvType::F32,
        positions: None,
    };
    let mut pair = pollster::block_on(PairExecutor::load_target(source, options)).unwrap();
    let logits = prompts.iter().map(|it| pair.target().last_logits(it, &[]));
    let logits = logits.collect::<Result<_, _>>().unwrap();
    let written = run(&mut pair, &prompts[prompts.len() - 1]);
    Results { logits, written }
}

fn on_the_gpu(gpu: &Arc<Gpu>, source: &MemorySource, prompts: &[Vec<u32>]) -> Results {
    let model = pollster::block_on(Model::open(source)).unwrap();
    let options = GpuModelOptions {
        kv: KvType::F32,
        context_tokens: None,
    };
    let model = pollster::block_on(GpuModel::load(gpu.clone(), model, source, options)).unwrap();
    let (_, a_layer) = model.decode_dispatches();
    assert!(a_layer <= 10, "{a_layer} dispatches a layer");
    let pair = GpuPair::new(model, None);
    let mut pair = pollster::block_on(pair).unwrap();
    let options = ForwardOptions::from(Head::LastLogits);
    let logits = prompts.iter().map(|ids| {
        let logits = pair.target().forward(ids, &[], options);
        pollster::block_on(logits).unwrap()
    });
    let logits = logits.collect();
    let written = run(&mut pair, &prompts[prompts.len() - 1]);
    Results { logits, written }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    let differences = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
    differences.fold(0.0, |max, it| if it <= max { max } else { it })
}

fn check(layout: Layout) {
    let options = GpuOptions {
        layout: Some(layout),
        ..GpuOptions::default()
    };
    let gpu = Arc::new(pollster::block_on(Gpu::new(options)).unwrap());
    println!("{layout} on {}", gpu.info().name);
    for (seed, shape) in (1..).zip(&SHAPES) {
        let source = source(shape.name, &shape.writer(seed));
        let prompts = prompts(shape.vocab);
        let twin = on_the_twin(&source, &prompts);
        let gpu = on_the_gpu(&gpu, &source, &prompts);
        let differences = twin.logits.iter().zip(&gpu.logits);
        let differences: Vec<f64> = differences.map(|(a, b)| largest_difference(a, b)).collect();
        let largest = differences.iter().copied().fold(0.0, f64::max);
        println!("{}, seed {seed}: {largest:.1e}", shape.name);
        for (len, difference) in PROMPT_LENGTHS.iter().zip(&differences) {
            assert!(*difference <= TOLERANCE, "{} tokens", len);
        }
        assert_eq!(gpu.written, twin.written, "{}", shape.name);
    }
}

#[test]
fn the_gpu_agrees_with_the_twin_on_odd_shapes_with_one_thread_a_row() {
    check(Reduce::Serial.into());
}

#[test]
fn the_gpu_agrees_with_the_twin_on_odd_shapes_with_a_workgroup_a_row() {
    check(Reduce::Workgroup.into());
}

#[test]
fn what_is_not_computed_is_refused_by_its_name() {
    let refusal = |change: &dyn Fn(&mut Writer)| {
        let mut writer = PLAIN.writer(1);
        change(&mut writer);
        let model = pollster::block_on(Model::open(&source("odd", &writer)));
        model.map(|it| it.config.vocab_size)
    };
    assert_eq!(refusal(&|_| ()).unwrap(), PLAIN.vocab);
    let text = |value: &str| Value::String(value.into());
    for (key, value, named) in [
        ("general.architecture", text("gemma2"), "gemma2"),
        ("llama.rope.scaling.type", text("yarn"), "yarn"),
        ("llama.rope.scaling.type", text("llama3"), "rope_freqs"),
        (
            "llama.rope.scaling.attn_factor",
            Value::F32(1.2),
            "attn_factor",
        ),
        ("llama.expert_count", Value::U32(8), "expert_count"),
        (
            "llama.rope.dimension_count",
            Value::U32(8),
            "dimension_count",
        ),
    ] {
        let error = refusal(&|it| it.metadata.set(key, value.clone())).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    for name in ["blk.0.ffn_gate.bias", "blk.1.attn_sinks.weight"] {
        let tensor = Tensor::quantized(name, &[0.0; 64], 1, 64, WeightType::F32);
        let error = refusal(&|it| it.tensors.push(tensor.clone())).unwrap_err();
        assert_eq!(error.code(), "model_unsupported_tensor");
        assert!(error.to_string().contains(name), "{error}");
    }
    for (architecture, missing) in [("qwen2", "attn_q.bias"), ("qwen3", "attn_q_norm.weight")] {
        let mut writer = PLAIN.writer(1);
        Shape {
            architecture,
            ..PLAIN
        }
        .set_metadata(&mut writer);
        let model = pollster::block_on(Model::open(&source("bare", &writer)));
        let error = model.unwrap_err();
        assert_eq!(error.code(), "model_missing_tensor");
        assert!(error.to_string().contains(missing), "{error}");
    }
}

/// splitmix64: the same values on every machine.
struct Random(u64);

impl Random {
    /// Uniform values from `-bound` to `bound`.
    fn values(&mut self, count: usize, bound: f32) -> Vec<f32> {
        (0..count).map(|_| bound * self.uniform()).collect()
    }

    /// Uniform from -1 to 1, exact in f32.
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (z ^ (z >> 31)) >> 40;
        bits as f32 / (1 << 23) as f32 - 1.0
    }
}

#[test]
fn the_gpu_agrees_with_the_twin_on_odd_shapes_with_subgroups_and_f16_of_the_device() {
    check(Layout {
        reduce: Reduce::Subgroup,
        halves: Halves::Native,
        products: Products::Floats,
    });
}
