//! The baselines and the variation with a generator of low rank: what each reads, its losses, its gradients.

use burn::Tensor;
use semcot::formats::manifest::ImplicitFrom;
use semcot::train::baselines::adapted::{AdaptedTarget, AddedToken};
use semcot::train::baselines::coconut::Coconut;
use semcot::train::baselines::codi::{Codi, ThoughtProjection};
use semcot::train::baselines::icot_si::{IcotSi, Sequence, removal_distribution};
use semcot::train::baselines::lora_generator::LoraGenerator;
use semcot::train::baselines::pause::Pause;
use semcot::train::baselines::settings::{AddedRows, Evaluation, Tuning};
use semcot::train::baselines::softcot::SoftCot;
use semcot::train::baselines::{Baseline, Item, gradients_of_sum};
use semcot::train::examples::{Batches, Epochs, Example};
use semcot::train::generator::GeneratorStage;
use semcot::train::gradients::{Cut, Gradients, Loss, Workers};
use semcot::train::linear::Linear;
use semcot::train::llama::Named;
use semcot::train::lora::{Lora, LowRank};
use semcot::train::pretrained::{Layout, Weights};
use semcot::train::source::Source;
use semcot::train::trainer::Stage;
use serde_json::Value;
use std::sync::Arc;

use crate::checks::Checks;
use crate::forward;
use crate::pair::{Pair, numbers, values};

const FILE: &str = "expected/baselines.safetensors";

pub fn check(pair: &Pair, checks: &mut Checks) {
    if pair.manifest["baselines"].is_null() {
        return;
    }
    let weights = pair.expected("baseline_weights.safetensors");
    let of = Of {
        pair,
        weights: &weights,
        items: pair.manifest["baselines"]["items"]
            .as_array()
            .expect("a list"),
    };
    of.pause(checks);
    of.icot_si(checks);
    of.coconut(checks);
    of.codi(checks);
    of.softcot(checks);
    of.lora_generator(checks);
}

/// What the manifest and the file of weights say of the baselines.
struct Of<'a> {
    pair: &'a Pair,
    weights: &'a Weights,
    items: &'a [Value],
}

impl Of<'_> {
    fn k(&self) -> usize {
        self.pair.count("k_train")
    }

    /// An item with the ids that its own data has, its reasoning as the baselines' texts have it.
    fn item(&self, entry: &Value) -> Item {
        let example = self.pair.example(number(&entry["item"]));
        Item {
            question: example.question,
            reasoning: numbers(&entry["codi"]["reasoning_ids"]),
            answer_prompt: self.pair.answer_prompt(),
            answer: example.answer,
            removed: 0,
        }
    }

    fn all_items(&self) -> Vec<Item> {
        self.items.iter().map(|entry| self.item(entry)).collect()
    }

    /// The target with changes of low rank, and the added tokens of a baseline.
    fn target(&self, baseline: &str, tokens: &[&str]) -> AdaptedTarget {
        let device = &self.pair.device;
        let matrix = |name: &str, layout| {
            (self.weights.matrix(name, layout, device)).unwrap_or_else(|error| panic!("{error}"))
        };
        let settings = &self.pair.manifest["baselines"]["lora"];
        let setting = |name: &str| settings[name].as_f64().expect("a number") as f32;
        let mut model = self.pair.target.clone();
        for (i, layer) in model.decoder.layers.iter_mut().enumerate() {
            let low_rank = |part: &str| {
                let name = |which| {
                    format!("lora.model.layers.{i}.self_attn.{part}_proj.lora_{which}.weight")
                };
                LowRank {
                    a: matrix(&name("A"), Layout::Transposed),
                    b: matrix(&name("B"), Layout::Transposed),
                }
            };
            layer.lora = Some(Lora {
                query: low_rank("q"),
                value: low_rank("v"),
                scale: setting("alpha") / setting("rank"),
            });
        }
        let row = |table: &str, token: &&str| {
            matrix(&format!("{baseline}.{table}.{token}"), Layout::Vector)
        };
        let added = |token| AddedToken {
            embedding: row("embedding", token),
            head: row("head", token),
        };
        AdaptedTarget {
            model,
            added: tokens.iter().map(added).collect(),
            added_rows: AddedRows::Last,
            tuning: Tuning::Lora,
        }
    }

    /// The losses of the items, one by one, under the names of their terms; and gradients of all of them at once.
    fn losses(
        &self,
        checks: &mut Checks,
        tensors: &[(&str, &'static str)],
        baseline: &dyn Baseline,
        items: &[Item],
    ) -> Gradients {
        let losses: Vec<Loss> = (items.iter())
            .map(|item| baseline.loss(std::slice::from_ref(item)))
            .collect();
        for (tensor, term) in tensors {
            let of_term = |loss: &Loss| {
                let found = loss.terms.iter().find(|(name, _)| name == term);
                found.expect("a term of the loss").1
            };
            let found: Vec<f32> = losses.iter().map(of_term).collect();
            checks.array(self.pair, FILE, tensor, &found);
        }
        gradients_of_sum(baseline, items)
    }

    /// Compares those gradients of a baseline that the file has.
    fn gradients(
        &self,
        checks: &mut Checks,
        baseline: &str,
        parameters: Vec<Named<'_>>,
        gradients: &[Option<Tensor<2>>],
    ) {
        for ((parameter, _), gradient) in parameters.into_iter().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let (name, layout) = published_name(&parameter);
            let tensor = format!("{baseline}.gradient.{name}");
            if checks.has(FILE, &tensor) {
                let gradient = match layout {
                    Layout::Transposed => gradient.clone().transpose(),
                    Layout::Vector | Layout::Rows => gradient.clone(),
                };
                checks.array(self.pair, FILE, &tensor, &values(gradient));
            }
        }
    }

    fn pause(&self, checks: &mut Checks) {
        let mut pause = Pause {
            target: self.target("pause", &["<pause>"]),
            k: self.k(),
            eval_k: self.pair.count("k_eval"),
        };
        let items = self.all_items();
        for (entry, item) in self.items.iter().zip(&items) {
            let expected: Vec<u32> = numbers(&entry["pause"]["input_ids"]);
            let labels_from = number(&entry["pause"]["labels_from"]);
            checks.same(
                "baselines pause.labels",
                &item.answer[..],
                &expected[labels_from..],
            );
            checks.same("baselines pause.input_ids", pause.sequence(item), expected);
        }
        let tensors = [("pause.loss", "loss_answer")];
        let found = self.losses(checks, &tensors, &pause, &items);
        self.gradients(checks, "pause", pause.parameters(), &found.gradients);
    }

    fn icot_si(&self, checks: &mut Checks) {
        let found: Vec<f32> = (removal_distribution().iter())
            .take(6)
            .map(|probability| *probability as f32)
            .collect();
        checks.array(self.pair, FILE, "icot_si.removal_distribution", &found);
        let mut sum: Option<Vec<Option<Tensor<2>>>> = None;
        let mut losses = Vec::new();
        let mut baseline = IcotSi {
            target: self.target("icot_si", &[]),
            end: self.pair.end_token(),
            counter: 0,
            settings: self.pair.generator_settings.baseline.icot_si,
        };
        for entry in self.items {
            let mut item = self.item(entry);
            let evaluation: Vec<u32> = numbers(&entry["icot_si_evaluation_input_ids"]);
            checks.same(
                "baselines icot_si.evaluation_input_ids",
                baseline.evaluation_ids(&item),
                evaluation,
            );
            for removal in entry["icot_si"].as_array().expect("a list") {
                item.removed = number(&removal["counter"]) + number(&removal["draw"]);
                let labels = removal["labels"].as_array().expect("a list");
                let sequence = Sequence {
                    ids: numbers(&removal["input_ids"]),
                    positions: numbers(&removal["position_ids"]),
                    labels: labels
                        .iter()
                        .filter(|label| label.as_i64() != Some(-100))
                        .count(),
                };
                checks.same(
                    "baselines icot_si.sequence",
                    baseline.sequence(&item),
                    sequence,
                );
                let found = gradients_of_sum(&baseline, std::slice::from_ref(&item));
                losses.push(found.loss);
                sum = Some(added(sum, found.gradients));
            }
        }
        checks.array(self.pair, FILE, "icot_si.loss", &losses);
        let sum = sum.expect("there are items");
        self.gradients(checks, "icot_si", baseline.parameters(), &sum);
    }

    fn coconut(&self, checks: &mut Checks) {
        let mut sum: Option<Vec<Option<Tensor<2>>>> = None;
        let mut losses = Vec::new();
        let mut baseline = Coconut {
            target: self.target("coconut", &["<bot>", "<eot>", "<thought>"]),
            stage: 0,
            stage_steps: 1,
            k: self.k(),
            eval_k: self.pair.count("k_eval"),
            // What the stages leave of the reasoning is given below.
            line_ends: Arc::new(Vec::new()),
            settings: self.pair.generator_settings.baseline.coconut,
            evaluation: Evaluation::Published,
        };
        for entry in self.items {
            for stage in entry["coconut"].as_array().expect("a list") {
                baseline.stage = number(&stage["stage"]);
                let expected: Vec<u32> = numbers(&stage["input_ids"]);
                let mut item = self.item(entry);
                // What is left of the reasoning is a text of its own, so that its ids are no part of the whole's.
                let first = number(&stage["eot"]) + usize::from(baseline.stage > 0);
                let labels_from = number(&stage["labels_from"]);
                item.reasoning = expected[first..labels_from - item.answer_prompt.len()].to_vec();
                checks.same(
                    "baselines coconut.labels",
                    &item.answer[..],
                    &expected[labels_from..],
                );
                checks.same(
                    "baselines coconut.input_ids",
                    baseline.sequence(&item),
                    expected,
                );
                let inputs = format!(
                    "coconut.inputs_embeds.{}.stage{}",
                    number(&entry["item"]),
                    baseline.stage
                );
                if checks.has(FILE, &inputs) {
                    checks.array(
                        self.pair,
                        FILE,
                        &inputs,
                        &values(baseline.inputs(std::slice::from_ref(&item))),
                    );
                }
                let found = gradients_of_sum(&baseline, &[item]);
                losses.push(found.loss);
                sum = Some(added(sum, found.gradients));
            }
        }
        checks.array(self.pair, FILE, "coconut.loss", &losses);
        let sum = sum.expect("there are items");
        self.gradients(checks, "coconut", baseline.parameters(), &sum);
    }

    fn codi(&self, checks: &mut Checks) {
        let part = |name: &str, layout| {
            let name = format!("codi.projection.{name}");
            (self.weights.matrix(&name, layout, &self.pair.device)).expect("the projection")
        };
        let linear = |number: usize| Linear {
            weight: part(&format!("{number}.weight"), Layout::Transposed),
            bias: part(&format!("{number}.bias"), Layout::Vector),
        };
        let mut codi = Codi {
            target: self.target("codi", &["<bot>", "<eot>"]),
            projection: ThoughtProjection {
                first: linear(0),
                second: linear(2),
                norm_weight: part("3.weight", Layout::Vector),
                norm_bias: part("3.bias", Layout::Vector),
            },
            k: self.k(),
            eval_k: self.pair.count("k_eval"),
            reasoning_prompt: Vec::new(),
            settings: self.pair.generator_settings.baseline.codi,
            evaluation: Evaluation::Published,
        };
        let items = self.all_items();
        for (entry, item) in self.items.iter().zip(&items) {
            let expected = &entry["codi"];
            let same = [
                ("question_ids", &item.question),
                ("answer_prompt_ids", &item.answer_prompt),
                ("answer_ids", &item.answer),
            ];
            for (name, found) in same {
                checks.same(
                    "baselines codi.ids",
                    found.clone(),
                    numbers(&expected[name]),
                );
            }
            let tensor = format!("codi.thoughts.{}", number(&entry["item"]));
            checks.array(self.pair, FILE, &tensor, &values(codi.thoughts(item)));
        }
        let tensors = [
            ("codi.teacher_loss", "loss_teacher"),
            ("codi.student_loss", "loss_answer"),
            ("codi.distillation_loss", "loss_distillation"),
        ];
        let found = self.losses(checks, &tensors, &codi, &items);
        self.gradients(checks, "codi", codi.parameters(), &found.gradients);
    }

    fn softcot(&self, checks: &mut Checks) {
        let first: Vec<u32> = numbers(&self.items[0]["softcot_generator_ids"]);
        let source = Source::SoftCot(Box::new(SoftCot {
            small: self.pair.generator.model.clone(),
            // Of the ids that the small model reads, the k tokens at the end are put there here.
            instruction: Vec::new(),
            after_question: Vec::new(),
            unknown: *first.last().expect("there are ids"),
            projection: self.pair.generator.projection.clone(),
        }));
        let examples = self.examples(|entry, example| {
            let ids: Vec<u32> = numbers(&entry["softcot_generator_ids"]);
            example.generator_question = ids[..ids.len() - self.k()].to_vec();
        });
        let thoughts = |item| format!("softcot.thoughts.{item}");
        let mut stage = self.stage(source, examples, 0.0);
        self.source(checks, &stage, thoughts, &[("softcot.loss", "loss_answer")]);
        let found = Workers::here(&stage)
            .gradients(&stage, 0, Cut::WHOLE)
            .expect("the batch can be drawn");
        self.gradients(checks, "softcot", stage.parameters(), &found.gradients);
    }

    fn lora_generator(&self, checks: &mut Checks) {
        let source = Source::LoraGenerator(Box::new(LoraGenerator {
            model: self.target("lora_generator", &["<thought>"]),
            implicit_from: ImplicitFrom::LastQuestionToken,
        }));
        let examples = self.examples(|_, example| {
            // The target is the generator, with its own ids.
            example.generator_question = example.question.clone();
        });
        let vectors = |item| format!("lora_generator.implicit.{item}");
        let alpha = self.pair.setting("alpha").as_f64().expect("a number");
        let mut stage = self.stage(source, examples, alpha);
        let terms = [
            ("lora_generator.l_reason", "loss_alignment"),
            ("lora_generator.l_ans", "loss_answer"),
        ];
        self.source(checks, &stage, vectors, &terms);
        let found = Workers::here(&stage)
            .gradients(&stage, 0, Cut::WHOLE)
            .expect("the batch can be drawn");
        self.gradients(
            checks,
            "lora_generator",
            stage.parameters(),
            &found.gradients,
        );
    }

    fn examples(&self, changed: impl Fn(&Value, &mut Example)) -> Vec<Example> {
        let example = |entry: &Value| {
            let mut example = self.pair.example(number(&entry["item"]));
            changed(entry, &mut example);
            example
        };
        self.items.iter().map(example).collect()
    }

    /// Training of a source with all items as one batch.
    fn stage(&self, source: Source, examples: Vec<Example>, alpha: f64) -> GeneratorStage<'static> {
        let mut stage = forward::stage(self.pair, self.pair.generator.clone(), Vec::new());
        stage.source = source;
        stage.settings.alpha = alpha;
        stage.settings.schedule.batch = examples.len();
        stage.batches = Batches::DataSet(Epochs {
            orders: Arc::new(vec![(0..examples.len()).collect()]),
            items: Arc::new(examples),
            seed: 0,
        });
        stage
    }

    /// Vectors and losses of every item under the names of their terms.
    fn source(
        &self,
        checks: &mut Checks,
        stage: &GeneratorStage<'_>,
        vectors_of: impl Fn(usize) -> String,
        tensors: &[(&str, &str)],
    ) {
        let examples = stage
            .batches
            .examples(0, self.items.len())
            .expect("the batch can be drawn");
        let mut losses = vec![Vec::new(); tensors.len()];
        for (entry, example) in self.items.iter().zip(&examples) {
            let example = std::slice::from_ref(example);
            let vectors = stage.vectors(example, self.k());
            for ((_, term), losses) in tensors.iter().zip(&mut losses) {
                losses.extend(match *term {
                    "loss_answer" => stage.answer_losses(example, &vectors),
                    _ => values(stage.reasoning_losses(example, &vectors).expect("aligned")),
                });
            }
            let tensor = vectors_of(number(&entry["item"]));
            checks.array(self.pair, FILE, &tensor, &values(vectors));
        }
        for ((tensor, _), losses) in tensors.iter().zip(&losses) {
            checks.array(self.pair, FILE, tensor, losses);
        }
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

/// Adds gradients to a sum.
fn added(
    sum: Option<Vec<Option<Tensor<2>>>>,
    gradients: Vec<Option<Tensor<2>>>,
) -> Vec<Option<Tensor<2>>> {
    let Some(sum) = sum else { return gradients };
    (sum.into_iter().zip(gradients))
        .map(|pair| match pair {
            (Some(a), Some(b)) => Some(a.add(b)),
            (a, b) => a.or(b),
        })
        .collect()
}

/// The name that the fixtures give a parameter, and how they lay it.
fn published_name(parameter: &str) -> (String, Layout) {
    let whole = |name: &str, layout| (name.to_owned(), layout);
    match parameter {
        "projection.second.weight" => whole("projection_layer.2.weight", Layout::Transposed),
        "projection.weight" => whole("proj.weight", Layout::Transposed),
        "projection.bias" => whole("proj.bias", Layout::Vector),
        _ if parameter.starts_with("added.") => {
            let row = parameter.rsplit('.').next().expect("a part");
            whole(row, Layout::Vector)
        }
        _ => match parameter.split_once(".lora.") {
            Some((layer, part)) => {
                let part = match part {
                    "query.a" => "q_proj.lora_A",
                    "query.b" => "q_proj.lora_B",
                    "value.a" => "v_proj.lora_A",
                    _ => "v_proj.lora_B",
                };
                let name = format!("model.{layer}.self_attn.{part}.weight");
                (name, Layout::Transposed)
            }
            None => whole(parameter, Layout::Rows),
        },
    }
}
