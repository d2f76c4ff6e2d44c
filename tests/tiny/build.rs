//! The tiny pair: random weights from a fixed seed, every weight type and both layouts of queries,
//! keys and values in it.

use semcot::formats::gguf::{Tensor, Value, Writer};
use semcot::model::set_vocabulary;
use semcot::tokenizer::Vocabulary;
use semcot::weights::WeightType;

pub const VOCAB_SIZE: usize = 48;
pub const ANSWER_TOKEN: u32 = 46;
pub const THOUGHT_TOKEN: u32 = 47;

const SEED: u64 = 20_251_123;

/// Names and contents of the two files.
pub fn files() -> [(&'static str, Vec<u8>); 2] {
    let target = Shape {
        hidden: 32,
        wide: 64,
        heads: 4,
        kv_heads: 2,
        head_dim: 8,
        // The second layer has queries, keys and values of different types.
        layers: &[
            [WeightType::Q8_0; 3],
            [WeightType::F16, WeightType::Q8_0, WeightType::F32],
        ],
    };
    let generator = Shape {
        hidden: 32,
        wide: 32,
        heads: 2,
        kv_heads: 1,
        head_dim: 12,
        layers: &[[WeightType::F16; 3]],
    };
    let mut random = Random(SEED);
    let target_file = target.writer("tiny-target", &mut random);
    let mut generator_file = generator.writer("tiny-generator", &mut random);
    add_projection(&mut generator_file, &generator, &target, &mut random);
    [
        ("tiny-target.gguf", bytes(&target_file)),
        ("tiny-generator.gguf", bytes(&generator_file)),
    ]
}

fn bytes(writer: &Writer) -> Vec<u8> {
    let mut file = Vec::new();
    writer.write(&mut file).expect("memory takes all");
    file
}

struct Shape {
    hidden: usize,
    wide: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Types of queries, keys and values a layer.
    layers: &'static [[WeightType; 3]],
}

impl Shape {
    fn writer(&self, name: &str, random: &mut Random) -> Writer {
        let mut writer = Writer::default();
        self.set_metadata(&mut writer, name);
        let mut add = |name: &str, rows: usize, cols: usize, weight_type: WeightType| {
            let values = match rows {
                1 => random.values(cols, 0.2).iter().map(|it| 1.0 + it).collect(),
                // Outputs of about the size of the inputs.
                _ => random.values(rows * cols, (3.0 / cols as f32).sqrt()),
            };
            let tensor = Tensor::quantized(name, &values, rows, cols, weight_type);
            writer.tensors.push(tensor);
        };
        let (hidden, wide) = (self.hidden, self.wide);
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        add("token_embd.weight", VOCAB_SIZE, hidden, WeightType::Q8_0);
        for (layer, [query, key, value]) in self.layers.iter().enumerate() {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            add(&name("attn_norm"), 1, hidden, WeightType::F32);
            add(&name("attn_q"), queries, hidden, *query);
            add(&name("attn_k"), keys, hidden, *key);
            add(&name("attn_v"), keys, hidden, *value);
            add(&name("attn_output"), hidden, queries, WeightType::F16);
            add(&name("ffn_norm"), 1, hidden, WeightType::F32);
            add(&name("ffn_gate"), wide, hidden, WeightType::Q8_0);
            add(&name("ffn_up"), wide, hidden, WeightType::Q8_0);
            add(&name("ffn_down"), hidden, wide, WeightType::Q8_0);
        }
        add("output_norm.weight", 1, hidden, WeightType::F32);
        writer
    }

    fn set_metadata(&self, writer: &mut Writer, name: &str) {
        let metadata = &mut writer.metadata;
        metadata.set("general.architecture", Value::String("llama".into()));
        metadata.set("general.name", Value::String(name.into()));
        for (key, value) in [
            ("block_count", self.layers.len()),
            ("context_length", 64),
            ("embedding_length", self.hidden),
            ("feed_forward_length", self.wide),
            ("attention.head_count", self.heads),
            ("attention.head_count_kv", self.kv_heads),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
            ("rope.dimension_count", self.head_dim),
        ] {
            metadata.set(&format!("llama.{key}"), Value::U32(value as u32));
        }
        metadata.set("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5));
        metadata.set("llama.rope.freq_base", Value::F32(10000.0));
        set_vocabulary(metadata, &vocabulary());
    }
}

/// One character a token, a pair of them, then the special tokens.
fn vocabulary() -> Vocabulary {
    let specials = ["<eos>", "<reason>", "<answer>", "<thought>"];
    let letters = ('A'..).take(VOCAB_SIZE - 1 - specials.len());
    let mut tokens: Vec<String> = letters.map(String::from).collect();
    tokens.push("AB".into());
    tokens.extend(specials.map(String::from));
    let (normal, control) = (1, 3);
    let mut token_types = vec![normal; VOCAB_SIZE];
    token_types[VOCAB_SIZE - specials.len()..].fill(control);
    Vocabulary {
        model: "gpt2".into(),
        pre: "qwen2".into(),
        token_types,
        merges: vec!["A B".into()],
        eos_id: Some((VOCAB_SIZE - specials.len()) as u32),
        tokens,
        ..Vocabulary::default()
    }
}

fn add_projection(writer: &mut Writer, from: &Shape, to: &Shape, random: &mut Random) {
    let metadata = &mut writer.metadata;
    metadata.set("semcot.thought_token_id", Value::U32(THOUGHT_TOKEN));
    metadata.set("semcot.implicit_tokens", Value::U32(3));
    let implicit_from = Value::String("thought_positions".into());
    metadata.set("semcot.implicit_from", implicit_from);
    let weight = random.values(to.hidden * from.hidden, 0.3);
    let bias = random.values(to.hidden, 0.3);
    let name = "semcot.projection.weight";
    let weight = Tensor::quantized(name, &weight, to.hidden, from.hidden, WeightType::Q8_0);
    let name = "semcot.projection.bias";
    let bias = Tensor::quantized(name, &bias, 1, to.hidden, WeightType::F32);
    writer.tensors.extend([weight, bias]);
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
