//! Softmax cross entropy; the gradient is made in the same pass and only scaled on the way back.

use burn::Tensor;
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;

use super::vector::exp_scaled;
use super::{contiguous, flex, primitive, rows_and_width, values, wrap};

#[derive(Debug)]
struct CrossEntropy;

/// See [`crate::train::kernels::cross_entropy`].
pub fn cross_entropy(logits: Tensor<2>, targets: &[u32], weights: &[f32]) -> Tensor<1> {
    let logits = primitive(logits);
    let nodes = [logits.node()];
    let logits = contiguous(logits.primitive());
    let (rows, width) = rows_and_width(&logits);
    assert_eq!(
        (rows, rows),
        (targets.len(), weights.len()),
        "one target and weight a row"
    );
    let mut gradient = values(&logits).to_vec();
    let mut loss = 0.0f64;
    for ((row, &target), &weight) in gradient.chunks_exact_mut(width).zip(targets).zip(weights) {
        let target = target as usize;
        let sum = exp_scaled(row, 1.0);
        let probability = row[target] / sum;
        // Below 1e-37 the logarithm of the rounded probability says nothing more.
        loss -= f64::from(weight) * f64::from(probability.max(1e-37)).ln();
        for value in row.iter_mut() {
            *value *= weight / sum;
        }
        row[target] -= weight;
    }
    let gradient = flex(gradient, [rows, width]);
    let loss = flex(vec![loss as f32], [1]);
    wrap(
        match CrossEntropy
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(gradient, loss),
            OpsKind::UnTracked(prep) => prep.finish(loss),
        },
    )
}

impl Backward<Flex, 1> for CrossEntropy {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let scale = values(&contiguous(&grads.consume::<Flex>(&ops.node)))[0];
        let (rows, width) = rows_and_width(&ops.state);
        let [Some(node)] = ops.parents else { return };
        let result = if scale == 1.0 {
            ops.state
        } else {
            let scaled = values(&ops.state)
                .iter()
                .map(|value| value * scale)
                .collect();
            flex(scaled, [rows, width])
        };
        grads.register::<Flex>(node.id, result);
    }
}
