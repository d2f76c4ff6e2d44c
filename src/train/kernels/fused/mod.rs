//! The operations as single loops on burn's Flex backend, each with a hand-written gradient.
//!
//! Registered with burn's autodiff as custom operations (`Backward`), so that they mix with every other burn operation.
//! Only for tensors of `Device::flex().autodiff()`. The gradients are tested against `composed`.

mod attention;
mod cross_entropy;
mod rms_norm;
mod swiglu;
mod vector;

pub use attention::{HEAD_DIMS, attention};
pub use cross_entropy::cross_entropy;
pub use rms_norm::rms_norm;
pub use swiglu::swiglu;

use burn::Tensor;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::TensorData;

type Differentiated = Autodiff<Flex, NoCheckpointing>;
type Tracked = <Differentiated as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// The Flex primitive with its autodiff node.
fn primitive<const D: usize>(tensor: Tensor<D>) -> Tracked {
    tensor
        .try_into_primitive::<Differentiated>()
        .expect("fused kernels are only chosen for the Flex device under autodiff")
}

fn wrap<const D: usize>(primitive: Tracked) -> Tensor<D> {
    Tensor::from_primitive::<Differentiated>(primitive)
}

/// The tensor in row-major order without gaps; costs nothing where it already is.
fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() {
        tensor.clone()
    } else {
        tensor.to_contiguous()
    }
}

/// The values of a tensor that [`contiguous`] returned.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .expect("made contiguous f32 before")
}

fn flex(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn rows_and_width(tensor: &FlexTensor) -> (usize, usize) {
    let shape = tensor.layout().shape();
    (shape[0], shape[1])
}
