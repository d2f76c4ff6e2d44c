//! COCONUT: the target's last hidden state is fed back as its next input, in place of lines of the reasoning.

use burn::Tensor;

use super::adapted::{AdaptedTarget, Piece, labeled, without_last};
use super::settings::{CoconutSettings, Evaluation, LastStage, LossOn, NewestThought};
use super::{Baseline, Item, Prompt, single};
use crate::problems::Random;
use crate::train::gradients::Loss;
use crate::train::kernels::Reach;
use crate::train::llama::{Named, Packing, Prefix, rows_tensor};

/// Number of the added tokens.
const BOT: usize = 0;
const EOT: usize = 1;
const THOUGHT: usize = 2;

/// The target's added tokens are `<bot>`, `<eot>` and `<thought>`.
#[derive(Clone, Debug)]
pub struct Coconut {
    pub target: AdaptedTarget,
    pub stage: usize,
    /// Steps of a stage.
    pub stage_steps: usize,
    /// Most thoughts.
    pub k: usize,
    /// Most thoughts in evaluation.
    pub eval_k: usize,
    /// Which tokens end a line.
    pub line_ends: std::sync::Arc<Vec<bool>>,
    pub settings: CoconutSettings,
    pub evaluation: Evaluation,
}

/// Questions that were read as far as their thoughts, and the thoughts.
struct Thinking {
    prefix: Prefix,
    /// Rows of the prefix.
    before: Vec<std::ops::Range<usize>>,
    /// `[questions · thoughts, hidden]`, thought by thought; none without thoughts.
    thoughts: Option<Tensor<2>>,
}

impl Coconut {
    /// Thoughts of a stage, at most `k`.
    fn thoughts_of(&self, lines: usize, k: usize) -> usize {
        (self.settings.thoughts_a_line * lines).min(k)
    }

    /// Thoughts of the stage.
    pub fn thoughts(&self) -> usize {
        self.thoughts_of(self.stage, self.k)
    }

    /// How many tokens of a reasoning its first `lines` lines take.
    fn tokens_of_lines(&self, reasoning: &[u32], lines: usize) -> usize {
        if lines == 0 {
            return 0;
        }
        let is_end = |id: u32| self.line_ends.get(id as usize).copied().unwrap_or(false);
        let mut ends = (reasoning.iter().enumerate())
            .filter(|&(_, &id)| is_end(id))
            .map(|(at, _)| at + 1);
        ends.nth(lines - 1).unwrap_or(reasoning.len())
    }

    fn lines(&self, reasoning: &[u32]) -> usize {
        (1..)
            .find(|&lines| self.tokens_of_lines(reasoning, lines) >= reasoning.len())
            .unwrap_or_default()
    }

    /// What comes behind the thoughts: [`<eot>`, rest of the reasoning, answer prompt, answer]; at stage 0 without
    /// `<eot>`.
    fn closing(&self, item: &Item) -> Vec<u32> {
        let eot = [self.target.added_id(EOT)];
        let eot = if self.stage > 0 { &eot[..] } else { &[] };
        let rest = &item.reasoning[item.removed..];
        [eot, rest, &item.answer_prompt, &item.answer].concat()
    }

    /// [question, `<bot>`, thoughts, closing], the thoughts by their token.
    pub fn sequence(&self, item: &Item) -> Vec<u32> {
        let [bot, thought] = [BOT, THOUGHT].map(|number| self.target.added_id(number));
        let thoughts = vec![thought; self.thoughts()];
        [&item.question[..], &[bot], &thoughts, &self.closing(item)].concat()
    }

    /// Makes `count` thoughts behind each question: every one is the normed state of the row before it. The published mask
    /// is one short while thoughts are made, so that no row reads the newest; the rows of the thoughts are then run again
    /// for each, as they read other rows than before.
    fn think(&self, items: &[Item], count: usize) -> Thinking {
        let decoder = &self.target.model.decoder;
        let (state, question_prefix, packing) = self.target.read_questions(items, BOT);
        let wanted = vec![1; items.len()];
        let before = packing.extended_rows();
        let mut thoughts: Vec<Tensor<2>> = Vec::new();
        let mut state = Some(state);
        while thoughts.len() < count {
            let newest = match state.take() {
                Some(first) => first,
                None => {
                    let made = thoughts.len();
                    let packing = Packing {
                        lengths: vec![made; items.len()],
                        wanted: wanted.clone(),
                        before: before.clone(),
                    };
                    let reach = match self.settings.newest_thought {
                        NewestThought::Read => Reach::Causal,
                        NewestThought::Hidden => Reach::CausalButNewest,
                    };
                    let x = by_question(&thoughts);
                    decoder.hidden_after(&question_prefix, x, &packing, reach)
                }
            };
            thoughts.push(newest);
        }
        Thinking {
            prefix: question_prefix,
            before,
            thoughts: (count > 0).then(|| by_question(&thoughts)),
        }
    }

    /// What the last pass reads for whole sequences.
    pub fn inputs(&self, items: &[Item]) -> Tensor<2> {
        let count = self.thoughts();
        let thoughts = self.think(items, count).thoughts;
        let bot = [self.target.added_id(BOT)];
        let closings: Vec<Vec<u32>> = items.iter().map(|item| self.closing(item)).collect();
        let sequence = |(i, (item, closing))| {
            let (item, closing): (&Item, &Vec<u32>) = (item, closing);
            vec![
                Piece::Ids(&item.question),
                Piece::Ids(&bot),
                Piece::Vectors(i * count..(i + 1) * count),
                Piece::Ids(closing),
            ]
        };
        let pairs = items.iter().zip(&closings);
        let sequences: Vec<Vec<Piece<'_>>> = pairs.enumerate().map(sequence).collect();
        self.target.pack(&sequences, thoughts.as_ref()).0
    }
}

/// `[questions · made, hidden]`, question by question, of the thoughts that were made one after the other.
fn by_question(thoughts: &[Tensor<2>]) -> Tensor<2> {
    let (made, questions) = (thoughts.len(), thoughts[0].dims()[0]);
    let all = Tensor::cat(thoughts.to_vec(), 0);
    let rows: Vec<usize> = (0..questions * made)
        .map(|row| row % made * questions + row / made)
        .collect();
    let rows = rows_tensor(&rows, &all.device());
    all.select(0, rows)
}

impl Baseline for Coconut {
    fn parameters(&mut self) -> Vec<Named<'_>> {
        self.target.parameters()
    }

    fn target(&self) -> &AdaptedTarget {
        &self.target
    }

    fn target_mut(&mut self) -> &mut AdaptedTarget {
        &mut self.target
    }

    fn stage_at(&self, step: usize) -> usize {
        (step / self.stage_steps).min(self.settings.stages - 1)
    }

    fn set_stage(&mut self, stage: usize) {
        self.stage = stage;
    }

    fn removed(&self, reasoning: &[u32], _: &mut Random) -> usize {
        let is_last = self.stage > 0 && self.stage + 1 == self.settings.stages;
        match is_last && self.settings.last_stage == LastStage::Nothing {
            true => reasoning.len(),
            false => self.tokens_of_lines(reasoning, self.stage),
        }
    }

    fn loss(&self, items: &[Item]) -> Loss {
        let count = self.thoughts();
        let thinking = self.think(items, count);
        let closings: Vec<Vec<u32>> = items.iter().map(|item| self.closing(item)).collect();
        let read: Vec<Vec<Piece<'_>>> = (closings.iter().enumerate())
            .map(|(i, closing)| {
                vec![
                    Piece::Vectors(i * count..(i + 1) * count),
                    Piece::Ids(without_last(closing)),
                ]
            })
            .collect();
        let labels: Vec<&[u32]> = (items.iter().zip(&closings))
            .map(|(item, closing)| match self.settings.loss_on {
                // Neither the end of the thoughts nor, without it, the reasoning's first token is foretold: no row
                // that is read here stands before it.
                LossOn::RestAndAnswer => &closing[1..],
                LossOn::Answer => &closing[closing.len() - item.answer.len()..],
            })
            .collect();
        let (x, lengths) = self.target.pack(&read, thinking.thoughts.as_ref());
        let packing = Packing {
            before: thinking.before,
            ..labeled(lengths, &labels)
        };
        let decoder = &self.target.model.decoder;
        let hidden = decoder.hidden_after(&thinking.prefix, x, &packing, Reach::Causal);
        single(self.target.loss_of(hidden, &labels))
    }

    fn prompt(&self, items: &[Item]) -> Prompt {
        let thoughts_of = |item: &Item| match self.evaluation {
            Evaluation::Sound => self.thoughts_of(self.settings.stages - 1, self.eval_k),
            Evaluation::Published => self.thoughts_of(self.lines(&item.reasoning), self.eval_k),
        };
        let counts: Vec<usize> = items.iter().map(thoughts_of).collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        // Later thoughts do not change earlier ones, so that all questions may think as long as the longest.
        let thoughts = self.think(items, most).thoughts;
        let [bot, eot] = [BOT, EOT].map(|number| [self.target.added_id(number)]);
        let sequence = |(i, item)| {
            let item: &Item = item;
            vec![
                Piece::Ids(&item.question),
                Piece::Ids(&bot),
                Piece::Vectors(i * most..i * most + counts[i]),
                Piece::Ids(&eot),
                Piece::Ids(&item.answer_prompt),
            ]
        };
        let sequences: Vec<Vec<Piece<'_>>> = items.iter().enumerate().map(sequence).collect();
        let (x, lengths) = self.target.pack(&sequences, thoughts.as_ref());
        Prompt {
            x,
            lengths,
            target_passes: counts.into_iter().map(|count| count as u32).collect(),
            generator_passes: 0,
        }
    }

    fn boxed(&self) -> Box<dyn Baseline> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::train::baselines::settings::BaselineSettings;
    use crate::train::initialization::Normal;
    use crate::train::kernels::Kernels;
    use crate::train::llama::{Llama, LlamaSizes};

    const SIZES: &str =
        "hidden_size = 32\nnum_layers = 2\nnum_heads = 2\nnum_kv_heads = 1\nintermediate_size = 32";

    fn coconut(settings: CoconutSettings) -> Coconut {
        let device = Device::flex().autodiff();
        let mut normal = Normal::new(1);
        let sizes: LlamaSizes = toml::from_str(SIZES).expect("sizes");
        let model = Llama::new(sizes, 20, Kernels::Fused, &mut normal, &device);
        let adapted = BaselineSettings::default();
        Coconut {
            target: AdaptedTarget::new(&adapted, model, 3, &mut normal, &device),
            stage: 0,
            stage_steps: 10,
            k: 4,
            eval_k: 4,
            line_ends: std::sync::Arc::new((0..20).map(|id| id == 9).collect()),
            settings,
            evaluation: Evaluation::Sound,
        }
    }

    #[test]
    fn a_stage_removes_its_lines_and_the_last_all() {
        let reasoning = [1, 2, 9, 3, 9, 4, 9, 5];
        let removed = |last_stage| {
            let mut coconut = coconut(CoconutSettings {
                last_stage,
                ..CoconutSettings::default()
            });
            let of_step = |step| {
                coconut.set_stage(coconut.stage_at(step));
                coconut.removed(&reasoning, &mut Random::new(1))
            };
            [0, 9, 10, 20, 99].map(of_step)
        };
        assert_eq!(removed(LastStage::FurtherLines), [0, 0, 3, 5, 5]);
        assert_eq!(removed(LastStage::Nothing), [0, 0, 3, 8, 8]);
    }

    #[test]
    fn thoughts_are_the_states_that_a_pass_without_kept_keys_gives() {
        let coconut = Coconut {
            stage: 2,
            ..coconut(CoconutSettings::default())
        };
        let item = |question: &[u32]| Item {
            question: question.to_vec(),
            answer_prompt: vec![6],
            answer: vec![7, 8],
            ..Item::default()
        };
        let items = [item(&[1, 2, 3]), item(&[4])];
        let values = |x: Tensor<2>| x.inner().try_into_vec_as::<f32>().expect("read back");
        let together = values(coconut.inputs(&items));
        let mut apart = values(coconut.inputs(&items[..1]));
        apart.extend(values(coconut.inputs(&items[1..])));
        assert_eq!(together.len(), apart.len());
        // Row 4 behind [1, 2, 3, <bot>] is the first thought, row 5 the state behind it in one pass over all of them.
        let first = coconut.inputs(&items[..1]).narrow(0, 0, 5);
        let packing = Packing {
            lengths: vec![5],
            wanted: vec![1],
            before: Vec::new(),
        };
        let state = (coconut.target.model.decoder).hidden(first, &packing, Reach::Causal);
        let second = values(coconut.inputs(&items[..1]).narrow(0, 5, 1));
        for (found, expected) in [(together, apart), (second, values(state))] {
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4, "{a} and {b}");
            }
        }
    }
}
