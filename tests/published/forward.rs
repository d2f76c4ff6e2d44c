//! Values without a step: hidden states, embeddings, implicit tokens, losses, and the gradients of one batch.

use std::sync::Arc;

use semcot::train::alignment::Alignment;
use semcot::train::examples::{Batches, Epochs, Example};
use semcot::train::generator::{AnswerFrame, GeneratorStage};
use semcot::train::gradients::{Cut, Gradients, Workers};
use semcot::train::sentence_transformer::hidden_state;
use semcot::train::source::{Generator, Source};
use semcot::train::trainer::Stage;

use crate::checks::Checks;
use crate::pair::{PROJECTION, Pair, arrays, numbers, values};

const FORWARD: &str = "expected/forward.safetensors";
const GRADIENTS: &str = "expected/gradients.safetensors";

pub fn check(pair: &Pair, checks: &mut Checks) {
    target_hidden(pair, checks);
    sentence_embeddings(pair, checks);
    for (when, generator) in [
        ("initial", pair.generator.clone()),
        ("final", pair.final_generator()),
    ] {
        generator_values(pair, checks, when, generator);
    }
    gradients(pair, checks);
}

fn target_hidden(pair: &Pair, checks: &mut Checks) {
    for item in 0..pair.items.len() {
        let example = pair.example(item);
        for (kind, ids) in [
            ("reasoning", &example.reasoning),
            ("condensed", &example.condensed),
        ] {
            let tensor = format!("target_hidden.{kind}.{item}");
            if checks.has(FORWARD, &tensor) {
                let (x, _) = hidden_state(&pair.target, pair.hidden_state(), &[ids]);
                checks.array(pair, FORWARD, &tensor, &values(x));
            }
        }
    }
}

fn sentence_embeddings(pair: &Pair, checks: &mut Checks) {
    let initial = pair.untrained_sentence_transformer(&pair.heads, "");
    let training = pair.examples(0..pair.count("train_items"));
    let all = pair.examples(0..pair.items.len());
    let texts = |examples: &[Example], of: fn(&Example) -> &[u32]| {
        let texts: Vec<&[u32]> = examples.iter().map(of).collect();
        hidden_state(&pair.target, pair.hidden_state(), &texts)
    };
    let reasoning: fn(&Example) -> &[u32] = |example| &example.reasoning;
    let (x, lengths) = texts(&training, reasoning);
    let found = values(initial.embed(x.clone(), &lengths));
    checks.array(pair, FORWARD, "sentence.initial.reasoning", &found);
    let found = values(initial.embed(x.narrow(0, 0, 1), &[1]));
    checks.array(pair, FORWARD, "sentence.initial.one_vector", &found);
    let (x, lengths) = texts(&training, |example| &example.condensed);
    let found = values(initial.embed(x, &lengths));
    checks.array(pair, FORWARD, "sentence.initial.condensed", &found);
    let (x, lengths) = texts(&all, reasoning);
    let found = values(pair.sentence_transformer().embed(x, &lengths));
    checks.array(pair, FORWARD, "sentence.final.reasoning", &found);
}

/// A stage of the pair's target and a generator, over the training items in these orders, that is validated on the
/// evaluation items, as the published code is.
pub fn stage(
    pair: &Pair,
    generator: Generator,
    orders: Vec<Vec<usize>>,
) -> GeneratorStage<'static> {
    let items = pair.examples(0..pair.items.len());
    let evaluation = items[pair.count("train_items")..].to_vec();
    GeneratorStage {
        source: Source::Generator(Box::new(generator)),
        target: pair.target.clone(),
        settings: pair.generator_settings,
        alignment: Some(Alignment {
            sentence: Some(pair.sentence_transformer()),
            hidden_state: pair.hidden_state(),
        }),
        frame: AnswerFrame {
            prompt: pair.answer_prompt(),
            reasoning_prompt: Vec::new(),
            // Never appended: `answer_end` is off.
            end: 0,
        },
        batches: Batches::DataSet(Epochs {
            items: Arc::new(items),
            orders: Arc::new(orders),
            seed: 0,
        }),
        validation: Arc::new(vec![("evaluation".to_owned(), evaluation)]),
    }
}

fn generator_values(pair: &Pair, checks: &mut Checks, when: &str, generator: Generator) {
    let examples = pair.examples(0..pair.items.len());
    let k = pair.count("k_train");
    for (item, example) in examples.iter().enumerate() {
        let questions = [example.generator_question.as_slice()];
        let tensor = format!("generator.{when}.generator_hidden.{item}");
        if checks.has(FORWARD, &tensor) {
            let found = values(generator.hidden(&questions, k));
            checks.array(pair, FORWARD, &tensor, &found);
            let tensor = format!("generator.{when}.implicit.{item}");
            let found = values(generator.vectors(&questions, k));
            checks.array(pair, FORWARD, &tensor, &found);
        }
    }
    let mut stage = stage(pair, generator, Vec::new());
    let name = |what: &str| format!("generator.{when}.{what}");
    let vectors = stage.vectors(&examples, k);
    let lengths = vec![k; examples.len()];
    let alignment = stage.alignment.as_ref().expect("given above");
    let found = values(alignment.embed(vectors.clone(), &lengths));
    checks.array(pair, FORWARD, &name("implicit_embedding"), &found);
    let answer = stage.answer_losses(&examples, &vectors);
    checks.array(pair, FORWARD, &name("l_ans"), &answer);
    let reasoning = stage
        .reasoning_losses(&examples, &vectors)
        .expect("aligned");
    let reasoning = values(reasoning);
    checks.array(pair, FORWARD, &name("l_reason"), &reasoning);
    let mut totals = Vec::new();
    for alpha in alphas(pair) {
        let alpha = alpha as f32;
        totals.extend((reasoning.iter().zip(&answer)).map(|(r, a)| alpha * r + (1.0 - alpha) * a));
    }
    checks.array(pair, FORWARD, &name("total_by_alpha"), &totals);
    stage.alignment.as_mut().expect("given above").sentence = None;
    let reasoning = stage
        .reasoning_losses(&examples, &vectors)
        .expect("aligned");
    let tensor = name("l_reason_without_sentence_transformer");
    checks.array(pair, FORWARD, &tensor, &values(reasoning));
}

fn alphas(pair: &Pair) -> Vec<f64> {
    let alphas = pair.setting("alphas").as_array().expect("a list");
    alphas
        .iter()
        .map(|alpha| alpha.as_f64().expect("a number"))
        .collect()
}

fn gradients(pair: &Pair, checks: &mut Checks) {
    let batch: Vec<usize> = numbers(pair.setting("gradient_batch"));
    for alpha in alphas(pair) {
        let prefix = format!("alpha{alpha:?}.");
        let mut stage = stage(pair, pair.generator.clone(), vec![batch.clone()]);
        stage.settings.alpha = alpha;
        stage.settings.schedule.batch = batch.len();
        let gradients = Workers::here(&stage)
            .gradients(&stage, 0, Cut::WHOLE)
            .expect("the batch can be drawn");
        checks.array(
            pair,
            GRADIENTS,
            &format!("{prefix}batch_loss"),
            &[gradients.loss],
        );
        generator_gradients(pair, checks, GRADIENTS, &prefix, &mut stage, gradients);
    }
}

/// Compares those gradients of a generator that the file has.
pub fn generator_gradients(
    pair: &Pair,
    checks: &mut Checks,
    file: &str,
    prefix: &str,
    stage: &mut GeneratorStage<'_>,
    gradients: Gradients,
) {
    let sizes = pair.generator.model.decoder.sizes;
    let parameters = stage.parameters();
    for ((parameter, _), gradient) in parameters.into_iter().zip(gradients.gradients) {
        let Some(gradient) = gradient else { continue };
        let found = match parameter.as_str() {
            "thought" => vec![(
                "model.embed_tokens.weight.thought_row".to_owned(),
                values(gradient),
            )],
            "projection.weight" => {
                vec![(format!("{PROJECTION}.weight"), values(gradient.transpose()))]
            }
            "projection.bias" => vec![(format!("{PROJECTION}.bias"), values(gradient))],
            _ => (arrays(&parameter, &gradient, &sizes).into_iter())
                .map(|(name, values)| (format!("model.{name}"), values))
                .collect(),
        };
        for (name, values) in found {
            let tensor = format!("{prefix}{name}");
            if checks.has(file, &tensor) {
                checks.array(pair, file, &tensor, &values);
            }
        }
    }
}
