//! The baselines and the variation with a generator of low rank: what each reads, its losses, its gradients.

use burn::Tensor;
use semcot::train::alignment::Alignment;
use semcot::train::baselines::adapted::{AdaptedTarget, AddedToken};
use semcot::train::baselines::coconut::Coconut;
use semcot::train::baselines::codi::{Codi, ThoughtProjection};
use semcot::train::baselines::icot_si::{IcotSi, Sequence, removal_distribution};
use semcot::train::baselines::lora_generator::LoraGenerator;
use semcot::train::baselines::pause::Pause;
use semcot::train::baselines::softcot::SoftCot;
use semcot::train::baselines::{Baseline, Item, gradients_of_sum};
use semcot::train::llama::{Lora, LowRank};
use semcot::train::pretrained::{Layout, Weights};
use semcot::train::trainer::Gradients;
use serde_json::Value;

use crate::checks::Checks;
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
            generator_question: numbers(&entry["softcot_generator_ids"]),
            reasoning: numbers(&entry["codi"]["reasoning_ids"]),
            answer_prompt: self.pair.answer_prompt(),
            answer: example.answer,
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
        }
    }

    /// A loss of every item under a term's name.
    fn losses(&self, checks: &mut Checks, tensor: &str, gradients: &Gradients, term: &str) {
        let found: Vec<f32> = (gradients.terms.iter())
            .filter(|(name, _)| *name == term)
            .map(|(_, value)| *value)
            .collect();
        checks.array(self.pair, FILE, tensor, &found);
    }

    /// Compares those gradients of a baseline that the file has.
    fn gradients<B: Baseline>(
        &self,
        checks: &mut Checks,
        baseline: &str,
        trained: &B,
        gradients: &[Option<Tensor<2>>],
    ) {
        let mut trained = trained.clone();
        for ((parameter, _), gradient) in trained.parameters().into_iter().zip(gradients) {
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
        let pause = Pause {
            target: self.target("pause", &["<pause>"]),
            k: self.k(),
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
        let found = gradients_of_sum(&pause, &items);
        self.losses(checks, "pause.loss", &found, "loss");
        self.gradients(checks, "pause", &pause, &found.gradients);
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
            removed: 0,
        };
        for entry in self.items {
            let item = self.item(entry);
            let evaluation: Vec<u32> = numbers(&entry["icot_si_evaluation_input_ids"]);
            checks.same(
                "baselines icot_si.evaluation_input_ids",
                baseline.evaluation_ids(&item),
                evaluation,
            );
            for removal in entry["icot_si"].as_array().expect("a list") {
                baseline.removed = number(&removal["counter"]) + number(&removal["draw"]);
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
        self.gradients(checks, "icot_si", &baseline, &sum.expect("there are items"));
    }

    fn coconut(&self, checks: &mut Checks) {
        let mut sum: Option<Vec<Option<Tensor<2>>>> = None;
        let mut losses = Vec::new();
        let mut baseline = Coconut {
            target: self.target("coconut", &["<bot>", "<eot>", "<thought>"]),
            stage: 0,
            k: self.k(),
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
                    checks.array(self.pair, FILE, &inputs, &values(baseline.inputs(&item)));
                }
                let found = gradients_of_sum(&baseline, &[item]);
                losses.push(found.loss);
                sum = Some(added(sum, found.gradients));
            }
        }
        checks.array(self.pair, FILE, "coconut.loss", &losses);
        self.gradients(checks, "coconut", &baseline, &sum.expect("there are items"));
    }

    fn codi(&self, checks: &mut Checks) {
        let part = |name: &str, layout| {
            let name = format!("codi.projection.{name}");
            (self.weights.matrix(&name, layout, &self.pair.device)).expect("the projection")
        };
        let codi = Codi {
            target: self.target("codi", &["<bot>", "<eot>"]),
            projection: ThoughtProjection {
                first_weight: part("0.weight", Layout::Transposed),
                first_bias: part("0.bias", Layout::Vector),
                second_weight: part("2.weight", Layout::Transposed),
                second_bias: part("2.bias", Layout::Vector),
                norm_weight: part("3.weight", Layout::Vector),
                norm_bias: part("3.bias", Layout::Vector),
            },
            k: self.k(),
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
        let found = gradients_of_sum(&codi, &items);
        for term in ["teacher_loss", "student_loss", "distillation_loss"] {
            self.losses(checks, &format!("codi.{term}"), &found, term);
        }
        self.gradients(checks, "codi", &codi, &found.gradients);
    }

    fn softcot(&self, checks: &mut Checks) {
        let softcot = SoftCot {
            target: self.pair.target.clone(),
            small: self.pair.generator.model.clone(),
            weight: self.pair.generator.projection_weight.clone(),
            bias: self.pair.generator.projection_bias.clone(),
            k: self.k(),
        };
        let items = self.all_items();
        for (entry, item) in self.items.iter().zip(&items) {
            let tensor = format!("softcot.thoughts.{}", number(&entry["item"]));
            checks.array(self.pair, FILE, &tensor, &values(softcot.thoughts(item)));
        }
        let found = gradients_of_sum(&softcot, &items);
        self.losses(checks, "softcot.loss", &found, "loss");
        self.gradients(checks, "softcot", &softcot, &found.gradients);
    }

    fn lora_generator(&self, checks: &mut Checks) {
        let baseline = LoraGenerator {
            generator: self.target("lora_generator", &["<thought>"]),
            target: self.pair.target.clone(),
            alignment: Alignment {
                sentence: Some(self.pair.sentence_transformer()),
                hidden_state: self.pair.hidden_state(),
            },
            alpha: self.pair.setting("alpha").as_f64().expect("a number"),
            k: self.k(),
        };
        let mut items = self.all_items();
        for (entry, item) in self.items.iter().zip(&mut items) {
            let number = number(&entry["item"]);
            item.reasoning = self.pair.example(number).reasoning;
            let tensor = format!("lora_generator.implicit.{number}");
            checks.array(self.pair, FILE, &tensor, &values(baseline.vectors(item)));
        }
        let found = gradients_of_sum(&baseline, &items);
        for term in ["l_reason", "l_ans"] {
            self.losses(checks, &format!("lora_generator.{term}"), &found, term);
        }
        self.gradients(checks, "lora_generator", &baseline, &found.gradients);
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
        "embedding_row" | "head_row" => whole(parameter, Layout::Vector),
        "projection.second.weight" => whole("projection_layer.2.weight", Layout::Transposed),
        "weight" => whole("proj.weight", Layout::Transposed),
        "bias" => whole("proj.bias", Layout::Vector),
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
