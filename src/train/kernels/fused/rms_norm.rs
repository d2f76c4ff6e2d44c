//! RMS norm and its gradient, one pass over the rows each.

use std::sync::Arc;

use burn::Tensor;
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;

use super::vector::dot;
use super::{contiguous, flex, primitive, rows_and_width, values, wrap};

#[derive(Debug)]
struct RmsNorm;

#[derive(Debug)]
struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    /// 1 / sqrt(mean(x²) + eps) of every row.
    scale: Vec<f32>,
}

/// See [`crate::train::kernels::rms_norm`].
pub fn rms_norm(x: Tensor<2>, weight: Tensor<2>, eps: f32) -> Tensor<2> {
    let (x, weight) = (primitive(x), primitive(weight));
    let nodes = [x.node(), weight.node()];
    let (x, weight) = (contiguous(x.primitive()), contiguous(weight.primitive()));
    let (rows, width) = rows_and_width(&x);
    let mut y = Vec::with_capacity(rows * width);
    let mut scale = Vec::with_capacity(rows);
    for row in values(&x).chunks_exact(width) {
        let r = 1.0 / (dot(row, row) / width as f32 + eps).sqrt();
        scale.push(r);
        y.extend(row.iter().zip(values(&weight)).map(|(x, w)| x * r * w));
    }
    let y = flex(y, [rows, width]);
    wrap(
        match RmsNorm
            .prepare::<NoCheckpointing>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(Arc::new(Saved { x, weight, scale }), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        },
    )
}

impl Backward<Flex, 2> for RmsNorm {
    type State = Arc<Saved>;

    /// With r the scale of a row: dx = r·(w ⊙ dy) − x · r³/d · Σ(w ⊙ dy ⊙ x), dw = Σ over rows of dy ⊙ x · r.
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(&grads.consume::<Flex>(&ops.node));
        let Saved { x, weight, scale } = &*ops.state;
        let (rows, width) = rows_and_width(x);
        let [x_node, weight_node] = ops.parents;
        let (x, weight, dy) = (values(x), values(weight), values(&dy));

        if let Some(node) = x_node {
            let mut dx = Vec::with_capacity(rows * width);
            let mut weighted = vec![0.0; width];
            for ((x, dy), &r) in x
                .chunks_exact(width)
                .zip(dy.chunks_exact(width))
                .zip(scale.iter())
            {
                for i in 0..width {
                    weighted[i] = weight[i] * dy[i];
                }
                let back = dot(&weighted, x) * r * r * r / width as f32;
                dx.extend(weighted.iter().zip(x).map(|(wdy, x)| wdy * r - x * back));
            }
            grads.register::<Flex>(node.id, flex(dx, [rows, width]));
        }
        if let Some(node) = weight_node {
            let mut dw = vec![0.0; width];
            for ((x, dy), &r) in x
                .chunks_exact(width)
                .zip(dy.chunks_exact(width))
                .zip(scale.iter())
            {
                for i in 0..width {
                    dw[i] += dy[i] * x[i] * r;
                }
            }
            grads.register::<Flex>(node.id, flex(dw, [1, width]));
        }
    }
}
