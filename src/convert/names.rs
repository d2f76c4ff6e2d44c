//! Hugging Face's names of tensors, their names in GGUF files, and their shapes.

use super::config::{Architecture, Config};

/// A tensor of a GGUF file, and where its values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name in the GGUF file.
    pub name: String,
    /// Name in the checkpoint, as [`stripped`] gives it.
    pub source: String,
    /// Shape, the slowest dimension first; the vocabulary's size is 0, as it is not known here.
    pub shape: Vec<usize>,
    /// Rows come in heads whose halves are rotated together: GGUF files of architecture `llama`
    /// have neighbours instead. The number of heads.
    pub interleaved_heads: Option<usize>,
}

/// All tensors of a model, in the order of a forward pass.
pub fn places(config: &Config) -> Vec<Place> {
    let hidden = config.hidden_size;
    let mut all = vec![place(
        "token_embd.weight",
        "embed_tokens.weight",
        &[0, hidden],
    )];
    for layer in 0..config.num_layers {
        all.extend(layer_places(config, layer));
    }
    all.push(place("output_norm.weight", "norm.weight", &[hidden]));
    if !config.tied_embeddings {
        all.push(place("output.weight", "lm_head.weight", &[0, hidden]));
    }
    all
}

/// A place whose rows stay in their order.
pub fn place(name: &str, source: &str, shape: &[usize]) -> Place {
    Place {
        name: name.to_owned(),
        source: source.to_owned(),
        shape: shape.to_vec(),
        interleaved_heads: None,
    }
}

fn layer_places(config: &Config, layer: usize) -> Vec<Place> {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let (queries, keys) = (config.query_width(), config.kv_width());
    let mut all = Vec::new();
    let mut add = |name: &str, source: &str, shape: &[usize], heads: Option<usize>| {
        all.push(Place {
            interleaved_heads: heads.filter(|_| config.architecture == Architecture::Llama),
            ..place(
                &format!("blk.{layer}.{name}"),
                &format!("layers.{layer}.{source}"),
                shape,
            )
        });
    };
    let (q_heads, k_heads) = (Some(config.num_heads), Some(config.num_kv_heads));
    add(
        "attn_norm.weight",
        "input_layernorm.weight",
        &[hidden],
        None,
    );
    add(
        "attn_q.weight",
        "self_attn.q_proj.weight",
        &[queries, hidden],
        q_heads,
    );
    add(
        "attn_k.weight",
        "self_attn.k_proj.weight",
        &[keys, hidden],
        k_heads,
    );
    add(
        "attn_v.weight",
        "self_attn.v_proj.weight",
        &[keys, hidden],
        None,
    );
    if config.architecture == Architecture::Qwen2 {
        add("attn_q.bias", "self_attn.q_proj.bias", &[queries], None);
        add("attn_k.bias", "self_attn.k_proj.bias", &[keys], None);
        add("attn_v.bias", "self_attn.v_proj.bias", &[keys], None);
    }
    if config.architecture == Architecture::Qwen3 {
        let head = [config.head_dim];
        add("attn_q_norm.weight", "self_attn.q_norm.weight", &head, None);
        add("attn_k_norm.weight", "self_attn.k_norm.weight", &head, None);
    }
    add(
        "attn_output.weight",
        "self_attn.o_proj.weight",
        &[hidden, queries],
        None,
    );
    add(
        "ffn_norm.weight",
        "post_attention_layernorm.weight",
        &[hidden],
        None,
    );
    add(
        "ffn_gate.weight",
        "mlp.gate_proj.weight",
        &[wide, hidden],
        None,
    );
    add("ffn_up.weight", "mlp.up_proj.weight", &[wide, hidden], None);
    add(
        "ffn_down.weight",
        "mlp.down_proj.weight",
        &[hidden, wide],
        None,
    );
    all
}

/// What a checkpoint puts in front of the names of its layers: the shortest that fits its first
/// layer, `model.` where it has none.
pub fn root<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let first = names.filter_map(|it| it.strip_suffix("layers.0.input_layernorm.weight"));
    let root = first.min_by_key(|it| it.len());
    root.unwrap_or("model.").to_owned()
}

/// A name without `root`; the linear layers and the head, which stand beside the layers, by the end
/// of their names. `None` for what is no weight (tables that follow from the configuration).
pub fn stripped(name: &str, root: &str) -> Option<String> {
    if name.ends_with(".rotary_emb.inv_freq") {
        return None;
    }
    if let Some(rest) = name.strip_prefix(root) {
        return Some(rest.to_owned());
    }
    let beside = ["projection_layer.", "embedding_projection.", "lm_head."];
    let start = beside.iter().find_map(|it| name.rfind(it));
    Some(name[start.unwrap_or(0)..].to_owned())
}
