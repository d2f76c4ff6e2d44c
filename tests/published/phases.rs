//! The four phases of training: gradients of the first step, parameters after 1, 5 and 20, losses of every epoch, and the
//! epoch that is kept.

use std::sync::Arc;

use semcot::train::checkpoint::Position;
use semcot::train::config::Schedule;
use semcot::train::examples::{Batches, Epochs};
use semcot::train::generator::GeneratorStage;
use semcot::train::gradients::{Cut, Workers};
use semcot::train::optimizer::Optimizer;
use semcot::train::pretrained::Layout;
use semcot::train::sentence_transformer::SentenceStage;
use semcot::train::source::Source;
use semcot::train::trainer::{Stage, Stepped, Validation, take_step};
use serde_json::Value;

use crate::checks::Checks;
use crate::forward::{generator_gradients, stage};
use crate::pair::{EMBEDDING_PROJECTION, PROJECTION, Pair, arrays, numbers, values};
use crate::settings;

pub fn check(pair: &Pair, checks: &mut Checks) {
    let Value::Object(phases) = &pair.manifest["phases"] else {
        panic!("the manifest has no phases");
    };
    for (name, phase) in phases {
        match name.as_str() {
            "sentence_linear" | "sentence_all" => sentence(pair, checks, name, phase),
            "generator_linear" | "generator_all" => generator(pair, checks, name, phase),
            _ => checks
                .failures
                .push(format!("{}: unknown phase {name}", pair.name())),
        }
    }
}

fn epoch_orders(phase: &Value) -> Vec<Vec<usize>> {
    let orders = phase["epoch_orders"].as_array().expect("a list");
    orders.iter().map(numbers).collect()
}

/// Steps of a phase, all of it linear where its name says so.
fn linear_steps(name: &str, steps: usize) -> usize {
    if name.ends_with("_linear") { steps } else { 0 }
}

/// Trains a phase. `after_step` sees the stage after so many steps, `after_epoch` what the epoch's steps and the
/// validation behind them found. Gives the epoch that is kept.
fn train<S: Stage>(
    stage: &mut S,
    schedule: &Schedule,
    steps_of_epoch: &[usize],
    mut after_step: impl FnMut(&mut S, usize),
    mut after_epoch: impl FnMut(usize, &[Stepped], &Validation),
) -> usize {
    let mut optimizer = Optimizer::new(schedule.optimizer, stage.parameters().len());
    let workers = Workers::here(stage);
    let mut position = Position::default();
    let mut kept = 0;
    for (epoch, &steps) in steps_of_epoch.iter().enumerate() {
        let mut found = Vec::new();
        for _ in 0..steps {
            let step = position.step;
            let stepped = take_step(stage, &workers, &mut optimizer, schedule, step, 1);
            found.push(stepped.expect("the losses are finite"));
            position.step += 1;
            after_step(stage, position.step);
        }
        let validation = stage.validate().expect("the items are there");
        if position.is_better(validation.score) {
            position.best = Some((validation.score, position.step));
            kept = epoch;
        }
        after_epoch(epoch, &found, &validation);
    }
    kept
}

/// Losses of the epochs by their names in the manifest.
#[derive(Default)]
struct EpochLosses(std::collections::BTreeMap<&'static str, Vec<f64>>);

impl EpochLosses {
    fn push(&mut self, name: &'static str, value: f64) {
        self.0.entry(name).or_default().push(value);
    }

    /// Every list of the manifest is compared, whether found here or not.
    fn check(&self, checks: &mut Checks, name: &str, phase: &Value) {
        let Value::Object(epochs) = &phase["epochs"] else {
            panic!("{name} has no epochs");
        };
        for (list, expected) in epochs {
            let found = self.0.get(list.as_str()).map_or(&[][..], Vec::as_slice);
            let tolerance = &phase["epochs_tolerance"][list];
            checks.numbers(&format!("{name} epochs.{list}"), found, expected, tolerance);
        }
    }
}

fn figure(validation: &Validation, name: &str) -> f64 {
    validation.figures[name].as_f64().expect("a figure")
}

fn sentence(pair: &Pair, checks: &mut Checks, name: &str, phase: &Value) {
    let file = format!("expected/{name}.safetensors");
    let expected = pair.expected(&file);
    let init = format!("init.{EMBEDDING_PROJECTION}.weight");
    let (linear, prefix) = match checks.has(&file, &init) {
        true => (&*expected, "init."),
        false => (&pair.heads, ""),
    };
    let split = pair.setting("split");
    let training: Vec<usize> = numbers(&split["train"]);
    let validation: Vec<usize> = numbers(&split["validation"]);
    let validation = pair.examples(validation);
    let epochs = Epochs {
        items: Arc::new(pair.examples(training)),
        orders: Arc::new(epoch_orders(phase)),
        seed: 0,
    };
    let batch = phase["batch_size"].as_u64().expect("a number") as usize;
    let steps = epochs.steps(batch);
    let steps_of_epoch: Vec<usize> = (epochs.orders.iter())
        .map(|order| order.len().div_ceil(batch))
        .collect();
    let items_of_epoch: Vec<usize> = epochs.orders.iter().map(Vec::len).collect();
    let mut settings = pair.sentence_settings;
    settings.schedule = settings::schedule(Some(phase), steps);
    settings.linear_steps = linear_steps(name, steps);
    let mut stage = SentenceStage {
        sentence: pair.untrained_sentence_transformer(linear, prefix),
        settings,
        target: pair.target.clone(),
        batches: Batches::DataSet(epochs),
        validation: Arc::new(validation),
    };

    let gradients = Workers::here(&stage)
        .gradients(&stage, 0, Cut::WHOLE)
        .expect("the batch can be drawn");
    let found = (stage.parameters().into_iter().zip(gradients.gradients))
        .filter_map(|((parameter, _), gradient)| Some((parameter, gradient?)))
        .flat_map(|(parameter, gradient)| sentence_arrays(pair, &parameter, &gradient));
    for (tensor, values) in found.collect::<Vec<_>>() {
        let tensor = format!("grad1.{tensor}");
        if checks.has(&file, &tensor) {
            checks.array(pair, &file, &tensor, &values);
        }
    }

    let validated = stage.validation.len() as f64;
    let (mut losses, mut batch_losses) = (EpochLosses::default(), Vec::new());
    let kept = train(
        &mut stage,
        &settings.schedule,
        &steps_of_epoch,
        |stage, step| {
            for (parameter, tensor) in stage.parameters() {
                for (tensor, values) in sentence_arrays(pair, &parameter, tensor) {
                    let tensor = format!("step{step}.{tensor}");
                    if checks.has(&file, &tensor) {
                        checks.array(pair, &file, &tensor, &values);
                    }
                }
            }
        },
        |epoch, found, validation| {
            let found: Vec<f64> = found.iter().map(|step| f64::from(step.loss)).collect();
            let sum: f64 = found.iter().sum();
            losses.push("train_loss", sum / items_of_epoch[epoch] as f64);
            batch_losses.extend(found);
            // Published figures divide the mean over the one batch by its size once more (METHOD, Q13).
            losses.push("validation_loss", figure(validation, "loss") / validated);
        },
    );
    losses.check(checks, name, phase);
    let tolerance = &phase["batch_losses_tolerance"];
    checks.numbers(
        &format!("{name} batch_losses"),
        &batch_losses,
        &phase["batch_losses"],
        tolerance,
    );
    checks.same(
        &format!("{name} selected_epoch"),
        Some(kept as u64),
        phase["selected_epoch"].as_u64(),
    );
}

/// A parameter of the sentence transformer, or its gradient, under the names of the fixtures.
fn sentence_arrays(
    pair: &Pair,
    parameter: &str,
    tensor: &burn::Tensor<2>,
) -> Vec<(String, Vec<f32>)> {
    match parameter {
        "linear.weight" => vec![(
            format!("{EMBEDDING_PROJECTION}.weight"),
            values(tensor.clone().transpose()),
        )],
        "linear.bias" => vec![(
            format!("{EMBEDDING_PROJECTION}.bias"),
            values(tensor.clone()),
        )],
        _ => arrays(parameter, tensor, &pair.target.decoder.sizes),
    }
}

fn generator(pair: &Pair, checks: &mut Checks, name: &str, phase: &Value) {
    let file = format!("expected/{name}.safetensors");
    let mut generator = pair.generator.clone();
    if checks.has(&file, &format!("init.{PROJECTION}.weight")) {
        let expected = pair.expected(&file);
        let init = |part: &str, layout| {
            let name = format!("init.{PROJECTION}.{part}");
            expected
                .matrix(&name, layout, &pair.device)
                .expect("the projection")
        };
        generator.projection.weight = init("weight", Layout::Transposed);
        generator.projection.bias = init("bias", Layout::Vector);
    }
    let orders = epoch_orders(phase);
    let batch = phase["batch_size"].as_u64().expect("a number") as usize;
    let steps_of_epoch: Vec<usize> = (orders.iter())
        .map(|order| order.len().div_ceil(batch))
        .collect();
    let steps = steps_of_epoch.iter().sum();
    let orders_of_batches: Vec<Vec<usize>> = (orders.iter())
        .map(|order| order.chunks(batch).map(<[usize]>::len).collect())
        .collect();
    let mut stage = stage(pair, generator, orders);
    stage.settings.schedule = settings::schedule(Some(phase), steps);
    stage.settings.projection_steps = linear_steps(name, steps);
    let schedule = stage.settings.schedule;
    let alpha = stage.settings.alpha;

    let gradients = Workers::here(&stage)
        .gradients(&stage, 0, Cut::WHOLE)
        .expect("the batch can be drawn");
    generator_gradients(pair, checks, &file, "grad1.", &mut stage, gradients);

    let mut losses = EpochLosses::default();
    let kept = train(
        &mut stage,
        &schedule,
        &steps_of_epoch,
        |stage, step| parameters_after(pair, checks, &file, stage, step),
        |epoch, found, validation| {
            let sizes = &orders_of_batches[epoch];
            let items: usize = sizes.iter().sum();
            let mean = |term: &str| {
                let of_batch = |(step, &size): (&Stepped, &usize)| {
                    let (_, mean) = (step.terms.iter())
                        .find(|(name, _)| *name == term)
                        .expect("a term of the loss");
                    f64::from(*mean) * size as f64
                };
                found.iter().zip(sizes).map(of_batch).sum::<f64>() / items as f64
            };
            losses.push("train_l_ans", mean("loss_answer"));
            losses.push("train_l_reason", mean("loss_alignment"));
            let total: f64 = found.iter().map(|step| f64::from(step.loss)).sum();
            losses.push("train_total", total / items as f64);
            losses.push("evaluation_l_ans", figure(validation, "loss_answer"));
            losses.push("evaluation_l_reason", figure(validation, "loss_alignment"));
            losses.push("evaluation_total", figure(validation, "loss"));
        },
    );
    assert!(
        alpha > 0.0,
        "without the alignment loss its term is not there"
    );
    losses.check(checks, name, phase);
    checks.same(
        &format!("{name} selected_epoch"),
        Some(kept as u64),
        phase["selected_epoch"].as_u64(),
    );
}

fn parameters_after(
    pair: &Pair,
    checks: &mut Checks,
    file: &str,
    stage: &mut GeneratorStage<'_>,
    step: usize,
) {
    let Source::Generator(generator) = &stage.source else {
        panic!("the stage trains a generator");
    };
    let mut generator = (**generator).clone();
    let sizes = generator.model.decoder.sizes;
    let mut found = vec![
        (
            format!("{PROJECTION}.weight"),
            values(generator.projection.weight.clone().transpose()),
        ),
        (
            format!("{PROJECTION}.bias"),
            values(generator.projection.bias.clone()),
        ),
    ];
    let thought = values(generator.thought.clone());
    for (parameter, tensor) in generator.model.parameters() {
        for (name, mut values) in arrays(&parameter, tensor, &sizes) {
            if parameter == "embedding" {
                let start = values.len() - thought.len();
                values[start..].copy_from_slice(&thought);
            }
            found.push((format!("model.{name}"), values));
        }
    }
    for (name, values) in found {
        let tensor = format!("step{step}.{name}");
        if checks.has(file, &tensor) {
            checks.array(pair, file, &tensor, &values);
        }
    }
}
