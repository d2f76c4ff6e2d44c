//! Training of a baseline that trains the target (`train::baselines`), in the loop and on the batches of the generator.

use std::sync::Arc;

use burn::Tensor;
use burn::tensor::Device;
use serde_json::{Map, json};

use super::baselines::adapted::AdaptedTarget;
use super::baselines::coconut::Coconut;
use super::baselines::codi::{Codi, ThoughtProjection};
use super::baselines::direct::Direct;
use super::baselines::explicit::Explicit;
use super::baselines::icot_si::IcotSi;
use super::baselines::pause::Pause;
use super::baselines::settings::{LineEnd, OptimizerRestarts};
use super::baselines::{Baseline, Item};
use super::config::{BatchLoss, Config, GeneratorSettings, Method};
use super::decode::{Written, write_greedily};
use super::error::TrainError;
use super::examples::{Batches, Example, Purpose, Stream, validation_sets};
use super::generator::{AnswerFrame, continuation};
use super::gradients::{Loss, Part};
use super::initialization::Normal;
use super::llama::{Llama, Named};
use super::lora::Dropout;
use super::optimizer::Change;
use super::score::{Answers, answer_of, most_tokens};
use super::target::VALIDATION_CHUNK;
use super::trainer::{Stage, Validation};
use super::vocabulary::{Vocabulary, tokens_ending_in};
use crate::reasoning::Mode;

/// Training of a baseline.
#[derive(Clone)]
pub struct BaselineStage<'a> {
    pub baseline: Box<dyn Baseline>,
    pub settings: GeneratorSettings,
    pub frame: AnswerFrame,
    pub batches: Batches<'a>,
    /// Problems by the name of what they are.
    pub validation: Arc<Vec<(String, Vec<Example>)>>,
    /// Most tokens that a validated answer may have.
    pub most_tokens: usize,
}

impl<'a> BaselineStage<'a> {
    /// Of the baseline that [`baseline_of`] gives for the configuration.
    pub fn new(
        config: &Config,
        vocabulary: &'a Vocabulary,
        baseline: Box<dyn Baseline>,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            baseline,
            settings: config.generator,
            frame: AnswerFrame {
                prompt: vec![vocabulary.answer],
                reasoning_prompt: vec![vocabulary.reason],
                end: vocabulary.end,
            },
            batches: Batches::Generated {
                stream: Stream::new(config, Purpose::Generator),
                vocabulary,
            },
            validation: Arc::new(validation_sets(config, vocabulary)?),
            most_tokens: most_tokens(config, vocabulary)?,
        })
    }

    fn item(&self, example: &Example) -> Item {
        Item {
            question: example.question.clone(),
            reasoning: example.reasoning.clone(),
            answer_prompt: self.frame.prompt.clone(),
            answer: continuation(&self.settings, &self.frame, &example.answer),
            removed: 0,
        }
    }
}

/// The baseline that a configuration names; none where its method keeps the target frozen or is no baseline.
pub fn baseline_of(
    config: &Config,
    vocabulary: &Vocabulary,
    target: &Llama,
    device: &Device,
) -> Option<Box<dyn Baseline>> {
    let generator = &config.generator;
    let settings = generator.baseline;
    let mut normal = Normal::new(config.seed ^ Purpose::Generator as u64);
    let (k, eval_k) = (generator.implicit_tokens, generator.eval_implicit_tokens());
    let mut adapted =
        |added| AdaptedTarget::new(&settings, target.clone(), added, &mut normal, device);
    Some(match generator.method {
        Method::Pause => Box::new(Pause {
            target: adapted(1),
            k,
            eval_k,
        }),
        Method::IcotSi => Box::new(IcotSi {
            target: adapted(0),
            end: vocabulary.end,
            counter: 0,
            settings: settings.icot_si,
        }),
        Method::Coconut => Box::new(Coconut {
            target: adapted(3),
            stage: 0,
            stage_steps: (generator.schedule.steps / settings.coconut.stages).max(1),
            k,
            eval_k,
            line_ends: Arc::new(line_ends(vocabulary, settings.coconut.line_end)),
            settings: settings.coconut,
            evaluation: settings.evaluation,
        }),
        Method::Codi => {
            let hidden = target.decoder.sizes.hidden_size;
            let target = adapted(2);
            Box::new(Codi {
                target,
                projection: ThoughtProjection::new(hidden, &mut normal, device),
                k,
                eval_k,
                reasoning_prompt: vec![vocabulary.reason],
                settings: settings.codi,
                evaluation: settings.evaluation,
            })
        }
        Method::Explicit => Box::new(Explicit {
            target: adapted(0),
            reasoning_prompt: vec![vocabulary.reason],
        }),
        Method::Direct => Box::new(Direct { target: adapted(0) }),
        Method::Semcot
        | Method::LoraGenerator
        | Method::Softcot
        | Method::ConstantVectors
        | Method::ConstantVectorsAndTarget => return None,
    })
}

/// The tokens that end a line of reasoning.
fn line_ends(vocabulary: &Vocabulary, line_end: LineEnd) -> Vec<bool> {
    match line_end {
        LineEnd::FullStop => vocabulary.full_stops.clone(),
        LineEnd::LineFeed => tokens_ending_in(&vocabulary.tokenizer, b'\n'),
    }
}

impl Stage for BaselineStage<'_> {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.baseline.parameters()
    }

    fn frozen(&mut self) -> Vec<&mut Tensor<2>> {
        self.baseline.target_mut().frozen()
    }

    fn change(&self, _: &str, _: usize) -> Change {
        Change::Step(1.0)
    }

    fn forgets_moments(&self, step: usize) -> bool {
        let restarts = self.settings.baseline.optimizer_restarts == OptimizerRestarts::WithSchedule;
        restarts && step > 0 && self.baseline.stage_at(step) != self.baseline.stage_at(step - 1)
    }

    fn parts(&self, step: usize, threads: usize) -> usize {
        threads.min(self.batches.count(step, self.settings.schedule.batch))
    }

    fn loss(&self, step: usize, part: Part) -> Result<Loss, TrainError> {
        let batch = self.batches.examples(step, self.settings.schedule.batch)?;
        let count = batch.len();
        let mut choices = self.batches.choices(step);
        let mut baseline = self.baseline.clone();
        baseline.set_stage(baseline.stage_at(step));
        let mut items = Vec::new();
        for (i, example) in batch.iter().enumerate() {
            // Drawn for all items, so that an item's draw does not depend on the parts.
            let removed = baseline.removed(&example.reasoning, &mut choices);
            if part.has(i) {
                items.push(Item {
                    removed,
                    ..self.item(example)
                });
            }
        }
        let seed = choices.bits() ^ part.index as u64;
        let dropout = Dropout::new(self.settings.baseline.lora.dropout, seed);
        baseline.target_mut().model.decoder.dropout = dropout;
        let mut loss = baseline.loss(&items);
        for (_, value) in &mut loss.terms {
            *value /= count as f32;
        }
        if self.settings.batch_loss == BatchLoss::Mean {
            loss.total = loss.total.div_scalar(count as f32);
        }
        Ok(loss)
    }

    fn validate(&self) -> Result<Validation, TrainError> {
        let mut figures = Map::new();
        let mut score = 0.0;
        for (family, examples) in self.validation.iter() {
            let mut right = 0;
            for chunk in examples.chunks(VALIDATION_CHUNK) {
                let written = self.write(chunk, self.most_tokens);
                for (example, written) in chunk.iter().zip(written) {
                    let truth = continuation(&self.settings, &self.frame, &example.answer);
                    let answer = answer_of(self.mode(), &written.ids, self.frame.prompt[0]);
                    right += usize::from(answer.starts_with(&truth));
                }
            }
            let accuracy = right as f64 / examples.len() as f64;
            figures.insert(family.clone(), json!(accuracy));
            score += accuracy;
        }
        Ok(Validation { score, figures })
    }
}

impl Answers for BaselineStage<'_> {
    fn mode(&self) -> Mode {
        match self.settings.method {
            Method::Explicit => Mode::Explicit,
            Method::Direct => Mode::Direct,
            _ => Mode::Implicit,
        }
    }

    fn write(&self, examples: &[Example], most_tokens: usize) -> Vec<Written> {
        let items: Vec<Item> = examples.iter().map(|example| self.item(example)).collect();
        let prompt = self.baseline.prompt(&items);
        write_greedily(self.baseline.target(), prompt, self.frame.end, most_tokens)
    }
}
