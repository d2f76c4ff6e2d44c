//! Gradients of a step's batch: in parts, each on a thread, shared out among devices, in the numbers that a schedule asks
//! for.
//!
//! burn's own all-reduce needs NCCL, so that it adds on CUDA alone. Here every device has a copy of what a stage computes
//! with, gets what is trained anew with every part, and its gradients are added on the first device in the order of
//! the parts: the same on any backend, and to the same bits.

use std::ops::Range;

use burn::Tensor;
use burn::tensor::Device;

use super::error::TrainError;
use super::llama::Named;
use super::precision::Precision;
use super::trainer::Stage;

/// Some of a batch: every `count`-th example, from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub index: usize,
    pub count: usize,
}

impl Part {
    /// All of the batch.
    pub const WHOLE: Part = Part { index: 0, count: 1 };

    /// Whether it has this example of the batch.
    pub fn has(&self, example: usize) -> bool {
        example % self.count == self.index
    }
}

/// How a step's batch is cut for computing: into a part for every thread of every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Parts at the same time.
    pub threads: usize,
    /// Times one after the other; what is held of a part is given back before the next.
    pub rounds: usize,
}

impl Cut {
    /// Not at all.
    pub const WHOLE: Cut = Cut {
        threads: 1,
        rounds: 1,
    };
}

/// A loss to go back from, and the terms of it that are worth a line in the metrics.
pub struct Loss {
    pub total: Tensor<1>,
    pub terms: Vec<(&'static str, f32)>,
}

/// The loss of a step's batch and its gradients, in the order of the parameters.
pub struct Gradients {
    pub loss: f32,
    pub terms: Vec<(&'static str, f32)>,
    pub gradients: Vec<Option<Tensor<2>>>,
}

impl Gradients {
    /// Goes back from a loss to the parameters that it was computed with.
    pub fn back_from(
        total: Tensor<1>,
        terms: Vec<(&'static str, f32)>,
        parameters: Vec<Named<'_>>,
    ) -> Self {
        let leaves = parameters.into_iter().map(|(_, tensor)| tensor.clone());
        Self::back_to(&leaves.collect::<Vec<_>>(), total, terms, 1.0)
    }

    /// Goes back from a loss, multiplied by `scale` on the way, to tensors of its graph.
    fn back_to(
        leaves: &[Tensor<2>],
        total: Tensor<1>,
        terms: Vec<(&'static str, f32)>,
        scale: f32,
    ) -> Self {
        let scaled = match scale {
            1.0 => total.clone(),
            scale => total.clone().mul_scalar(scale),
        };
        let mut gradients = scaled.backward();
        let of_leaf = |leaf: &Tensor<2>| {
            let gradient = leaf.grad_remove(&mut gradients)?;
            Some(match scale {
                1.0 => gradient,
                scale => gradient.div_scalar(scale),
            })
        };
        Self {
            gradients: leaves.iter().map(of_leaf).collect(),
            loss: total.inner().into_scalar::<f32>(),
            terms,
        }
    }

    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        for (name, value) in other.terms {
            match self.terms.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += value,
                None => self.terms.push((name, value)),
            }
        }
        for (sum, gradient) in self.gradients.iter_mut().zip(other.gradients) {
            *sum = match (sum.take(), gradient) {
                (Some(a), Some(b)) => Some(a.add(b)),
                (a, b) => a.or(b),
            };
        }
    }

    fn moved_to(mut self, device: &Device) -> Self {
        for gradient in self.gradients.iter_mut().flatten() {
            *gradient = gradient.clone().to_device(device);
        }
        self
    }

    /// Whether all gradients are numbers.
    fn are_finite(&self) -> bool {
        let squares = (self.gradients.iter().flatten()).map(|it| it.clone().square().sum());
        let sum = squares.reduce(|a, b| a.add(b));
        sum.is_none_or(|sum| sum.into_scalar::<f32>().is_finite())
    }
}

/// Copies of a stage, one a device, that have what is not trained there already.
pub struct Workers<S> {
    copies: Vec<Worker<S>>,
    precision: Precision,
}

#[derive(Clone)]
struct Worker<S> {
    stage: S,
    device: Device,
    is_first: bool,
}

impl<S: Stage> Workers<S> {
    /// On the device where the stage is, in f32.
    pub fn here(stage: &S) -> Self {
        let mut copy = stage.clone();
        let first = copy.parameters().into_iter().next();
        let device = first.map_or_else(Device::default, |(_, tensor)| tensor.device());
        Self {
            copies: vec![Worker {
                stage: copy,
                device,
                is_first: true,
            }],
            precision: Precision::F32,
        }
    }

    /// On these devices, of which the first is the one where the stage is.
    ///
    /// # Errors
    /// Where one of them does not compute in these numbers.
    pub fn new(stage: &S, devices: &[Device], precision: Precision) -> Result<Self, TrainError> {
        let copy = |(number, device): (usize, &Device)| {
            precision.check(device)?;
            let mut stage = stage.clone();
            for tensor in stage.frozen() {
                let here = match number {
                    0 => tensor.clone(),
                    _ => tensor.clone().to_device(device),
                };
                *tensor = precision.of(here);
            }
            Ok(Worker {
                stage,
                device: device.clone(),
                is_first: number == 0,
            })
        };
        Ok(Self {
            copies: (devices.iter().enumerate())
                .map(copy)
                .collect::<Result<_, TrainError>>()?,
            precision,
        })
    }

    /// Of a step's batch, in parts, for what is trained as it stands in `stage`. Parts are added in their order, so that
    /// the same cut always gives the same bits.
    ///
    /// Gradients beyond the range of f16 are computed again from a loss that is multiplied by half as much.
    pub fn gradients(&self, stage: &S, step: usize, cut: Cut) -> Result<Gradients, TrainError> {
        let mut scale = self.precision.loss_scale();
        loop {
            let found = self.of_step(stage, step, cut, scale)?;
            if scale <= 1.0 || found.are_finite() {
                return Ok(found);
            }
            scale /= 2.0;
        }
    }

    fn of_step(
        &self,
        stage: &S,
        step: usize,
        cut: Cut,
        scale: f32,
    ) -> Result<Gradients, TrainError> {
        let at_once = cut.threads.max(1) * self.copies.len();
        let count = stage.parts(step, at_once * cut.rounds.max(1)).max(1);
        let mut sum = self.of_parts(stage, step, 0..at_once.min(count), count, scale)?;
        for first in (at_once..count).step_by(at_once) {
            let indices = first..(first + at_once).min(count);
            sum.add(self.of_parts(stage, step, indices, count, scale)?);
        }
        Ok(sum)
    }

    /// Of some of the `count` parts of a step's batch, each on a thread.
    fn of_parts(
        &self,
        stage: &S,
        step: usize,
        indices: Range<usize>,
        count: usize,
        scale: f32,
    ) -> Result<Gradients, TrainError> {
        let part = |index| Part { index, count };
        let first = indices.start;
        std::thread::scope(|scope| {
            let others: Vec<_> = (first + 1..indices.end)
                .map(|index| {
                    let (stage, copy) = (stage.clone(), self.copy_for(index));
                    let precision = self.precision;
                    scope.spawn(move || copy.of_part(stage, step, part(index), precision, scale))
                })
                .collect();
            let copy = self.copy_for(first);
            let mut sum = copy.of_part(stage.clone(), step, part(first), self.precision, scale)?;
            for other in others {
                sum.add(other.join().expect("a part of a batch panicked")?);
            }
            Ok(sum)
        })
    }

    /// Of the device that computes a part.
    fn copy_for(&self, part: usize) -> Worker<S> {
        self.copies[part % self.copies.len()].clone()
    }
}

impl<S: Stage> Worker<S> {
    /// Of a part of a batch, on a graph of its own, for what is trained as it stands in `current`.
    fn of_part(
        mut self,
        mut current: S,
        step: usize,
        part: Part,
        precision: Precision,
        scale: f32,
    ) -> Result<Gradients, TrainError> {
        let home = current.parameters().first().map(|it| it.1.device());
        let trained = current.parameters().into_iter();
        let mut leaves = Vec::new();
        for ((_, tensor), (_, value)) in self.stage.parameters().into_iter().zip(trained) {
            let value = match self.is_first {
                true => value.clone().inner(),
                false => value.clone().inner().to_device(&self.device),
            };
            let leaf = value.autodiff().require_grad();
            *tensor = precision.of(leaf.clone());
            leaves.push(leaf);
        }
        let Loss { total, terms } = self.stage.loss(step, part)?;
        let found = Gradients::back_to(&leaves, total, terms, scale);
        Ok(match (self.is_first, home) {
            (false, Some(home)) => found.moved_to(&home),
            _ => found,
        })
    }
}
