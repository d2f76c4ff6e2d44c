//! The forward pass of a Llama and its relatives, from top to bottom: the model, not the machine. What
//! a step means is in [`super::step`], who executes it in `gpu` and `reference`.

use super::LlamaConfig;
use super::step::{Output, Slot, Step, WeightId};
use super::weights::{GateUp, LayerWeights, LinearMap, QueryKeyValue, Weights};

/// How far a pass goes and what it ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForwardOptions {
    /// Layers to run, from the input on; `None` runs all.
    pub layers: Option<usize>,
    /// What comes behind the last layer run.
    pub head: Head,
}

/// What comes behind the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// Nothing: the residual stream is left in [`Slot::Residual`].
    None,
    /// The final norm: hidden states of all rows in [`Slot::Hidden`].
    HiddenStates,
    /// Logits of the last row, in row 0 of [`Slot::Logits`].
    #[default]
    LastLogits,
    /// Logits of all rows in [`Slot::Logits`].
    AllLogits,
    /// A sentence transformer's: `W mean(norm(x)) + bias` over all rows, in row 0 of
    /// [`Slot::Logits`].
    Sentence,
}

impl From<Head> for ForwardOptions {
    fn from(head: Head) -> Self {
        Self { layers: None, head }
    }
}

/// The forward pass as a list of steps.
pub fn forward(config: &LlamaConfig, weights: &Weights, options: ForwardOptions) -> Vec<Step> {
    let mut steps = Vec::new();
    // A sentence transformer's input lies in its residual stream already.
    steps.extend(weights.embedding.map(|table| Step::Embed {
        table,
        out: Slot::Residual,
    }));
    let layers = options.layers.unwrap_or(config.num_layers);
    for (index, layer) in weights.layers.iter().take(layers).enumerate() {
        attention(&mut steps, config, index as u32, layer);
        feed_forward(&mut steps, layer);
    }
    head(&mut steps, weights, options.head);
    steps
}

/// `x += W_o attention(rotate(norm(W_qkv norm(x) + b_qkv))) + b_o`; the inner norm, of each head of
/// queries and keys, and the biases where the architecture has them.
fn attention(steps: &mut Vec<Step>, config: &LlamaConfig, index: u32, layer: &LayerWeights) {
    match layer.query_key_value {
        QueryKeyValue::Stacked(map) => {
            steps.push(to_qkv(layer.attention_norm, map, 0));
        }
        QueryKeyValue::Separate { query, key, value } => {
            let keys = config.query_width();
            let values = keys + config.kv_width();
            steps.push(to_qkv(layer.attention_norm, query, 0));
            steps.push(to_qkv(layer.attention_norm, key, keys));
            steps.push(to_qkv(layer.attention_norm, value, values));
        }
    }
    steps.push(Step::RotateAndCache {
        layer: index,
        norms: layer.head_norms,
    });
    steps.push(Step::Attend { layer: index });
    steps.push(Step::Linear {
        x: Slot::Attention,
        norm: None,
        weight: layer.attention_output.weight,
        bias: layer.attention_output.bias,
        out: Slot::Residual,
        output: Output::Add,
        last_row_only: false,
    });
}

fn to_qkv(norm: WeightId, map: LinearMap, first: usize) -> Step {
    Step::Linear {
        x: Slot::Residual,
        norm: Some(norm),
        weight: map.weight,
        bias: map.bias,
        out: Slot::Qkv,
        output: Output::Store {
            first: first as u32,
        },
        last_row_only: false,
    }
}

/// `x += W_down (silu(W_gate norm(x)) * (W_up norm(x)))`
fn feed_forward(steps: &mut Vec<Step>, layer: &LayerWeights) {
    let norm = layer.feed_forward_norm;
    match layer.gate_up {
        GateUp::Stacked(weight) => steps.push(Step::GatedLinear {
            x: Slot::Residual,
            norm,
            weight,
            out: Slot::FeedForward,
        }),
        GateUp::Separate { gate, up } => {
            steps.push(to_feed_forward(norm, gate, Output::Store { first: 0 }));
            steps.push(to_feed_forward(norm, up, Output::TimesSilu));
        }
    }
    steps.push(Step::Linear {
        x: Slot::FeedForward,
        norm: None,
        weight: layer.down,
        bias: None,
        out: Slot::Residual,
        output: Output::Add,
        last_row_only: false,
    });
}

fn to_feed_forward(norm: WeightId, weight: WeightId, output: Output) -> Step {
    Step::Linear {
        x: Slot::Residual,
        norm: Some(norm),
        weight,
        bias: None,
        out: Slot::FeedForward,
        output,
        last_row_only: false,
    }
}

/// Hidden states `norm(x)`, logits `W_output norm(x)`, or the embedding of all rows together.
fn head(steps: &mut Vec<Step>, weights: &Weights, head: Head) {
    let to_hidden = Step::RmsNorm {
        x: Slot::Residual,
        weight: weights.output_norm,
        out: Slot::Hidden,
    };
    let last_row_only = match head {
        Head::None => return,
        Head::HiddenStates => {
            steps.push(to_hidden);
            return;
        }
        Head::Sentence => {
            steps.push(to_hidden);
            steps.push(Step::Mean {
                x: Slot::Hidden,
                out: Slot::Residual,
            });
            steps.push(Step::Linear {
                x: Slot::Residual,
                norm: None,
                weight: weights.output,
                bias: weights.output_bias,
                out: Slot::Logits,
                output: Output::Store { first: 0 },
                last_row_only: true,
            });
            return;
        }
        Head::LastLogits => true,
        Head::AllLogits => false,
    };
    steps.push(Step::Linear {
        x: Slot::Residual,
        norm: Some(weights.output_norm),
        weight: weights.output,
        bias: None,
        out: Slot::Logits,
        output: Output::Store { first: 0 },
        last_row_only,
    });
}
