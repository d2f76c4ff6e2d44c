//! Inference by the trained pair, on the training backend (the engine has no heads of 6 or 10 values): implicit tokens, what
//! the target reads, its logits, the distribution of the first token by the sampler's CPU twin, and the greedy answer.

use burn::Tensor;
use semcot::model::Sampling;
use semcot::reference::sampling_weights;
use semcot::train::generator::GeneratorStage;

use crate::checks::Checks;
use crate::forward::stage;
use crate::pair::{Pair, numbers, values};

const FORWARD: &str = "expected/forward.safetensors";

pub fn check(pair: &Pair, checks: &mut Checks) {
    let stage = stage(pair, pair.final_generator(), Vec::new());
    let answers = pair.manifest["inference"].as_array().expect("a list");
    assert!(!answers.is_empty(), "{} has no answers", pair.name());
    for answer in answers {
        let item = answer["item"].as_u64().expect("a number") as usize;
        let example = pair.example(item);
        let name = |what: &str| format!("inference.{item}.{what}");
        let k = stage.settings.eval_implicit_tokens();
        let vectors = stage.vectors(std::slice::from_ref(&example), k);
        checks.array(pair, FORWARD, &name("implicit"), &values(vectors.clone()));

        let read = Tensor::cat(
            vec![
                stage.target.embed(&example.question),
                vectors.clone(),
                stage.target.embed(&stage.frame.prompt),
            ],
            0,
        );
        checks.same(
            "inference.input_length",
            Some(read.dims()[0] as u64),
            answer["input_length"].as_u64(),
        );
        let inputs = name("inputs_embeds");
        if checks.has(FORWARD, &inputs) {
            checks.array(pair, FORWARD, &inputs, &values(read));
        }

        let logits = values(stage.answer_logits(&example.question, &vectors, &[]));
        checks.array(pair, FORWARD, &name("logits"), &logits);
        let found = probabilities(pair, &logits);
        checks.array(pair, FORWARD, &name("probabilities_by_temperature"), &found);
        let written = greedy(pair, &stage, &example.question, &vectors);
        checks.same(
            "inference.greedy_ids",
            written,
            numbers(&answer["greedy_ids"]),
        );
    }
}

/// What the target writes, the end token included.
fn greedy(
    pair: &Pair,
    stage: &GeneratorStage<'_>,
    question: &[u32],
    vectors: &Tensor<2>,
) -> Vec<u32> {
    let mut written = Vec::new();
    while written.len() < pair.count("max_new_tokens") {
        let logits = values(stage.answer_logits(question, vectors, &written));
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        let token = best.expect("there are logits") as u32;
        written.push(token);
        if token == pair.end_token() {
            break;
        }
    }
    written
}

/// A row for each temperature, with the published top-k and nucleus.
fn probabilities(pair: &Pair, logits: &[f32]) -> Vec<f32> {
    let temperatures = pair.setting("temperatures").as_array().expect("a list");
    let of_temperature = |temperature: &serde_json::Value| {
        let sampling = Sampling {
            temperature: temperature.as_f64().expect("a number") as f32,
            top_k: pair.count("top_k") as u32,
            top_p: pair.setting("top_p").as_f64().expect("a number") as f32,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
        };
        let weights = sampling_weights(&sampling, logits);
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(move |weight| (weight / sum) as f32)
    };
    temperatures.iter().flat_map(of_temperature).collect()
}
