//! The gated activation and its gradient, one pass over the rows each.

use burn::Tensor;
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;

use super::vector::exp;
use super::{contiguous, flex, primitive, rows_and_width, values, wrap};

#[derive(Debug)]
struct Swiglu;

/// See [`crate::train::kernels::swiglu`].
pub fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    let gate_up = primitive(gate_up);
    let nodes = [gate_up.node()];
    let gate_up = contiguous(gate_up.primitive());
    let (rows, double) = rows_and_width(&gate_up);
    let width = double / 2;
    let mut y = Vec::with_capacity(rows * width);
    for row in values(&gate_up).chunks_exact(double) {
        let (gate, up) = row.split_at(width);
        y.extend(gate.iter().zip(up).map(|(&g, &u)| g / (1.0 + exp(-g)) * u));
    }
    let y = flex(y, [rows, width]);
    wrap(
        match Swiglu
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(gate_up, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        },
    )
}

impl Backward<Flex, 1> for Swiglu {
    type State = FlexTensor;

    /// With s = sigmoid(gate): dgate = dy·up·s·(1 + gate·(1 − s)), dup = dy·gate·s.
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(&grads.consume::<Flex>(&ops.node));
        let (rows, double) = rows_and_width(&ops.state);
        let width = double / 2;
        let [Some(node)] = ops.parents else { return };
        let mut result = vec![0.0; rows * double];
        for ((d, x), dy) in result
            .chunks_exact_mut(double)
            .zip(values(&ops.state).chunks_exact(double))
            .zip(values(&dy).chunks_exact(width))
        {
            let (d_gate, d_up) = d.split_at_mut(width);
            let (gate, up) = x.split_at(width);
            for i in 0..width {
                let s = 1.0 / (1.0 + exp(-gate[i]));
                d_gate[i] = dy[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
                d_up[i] = dy[i] * gate[i] * s;
            }
        }
        grads.register::<Flex>(node.id, flex(result, [rows, double]));
    }
}
