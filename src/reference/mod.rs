//! The CPU twin: one file a kernel, with the kernel's name and argument order, and an executor that
//! runs the same list of steps as `gpu`. Written to be read, in f32 with f64 sums; weights are
//! dequantized once, when they are loaded. It is what kernels are tested against, and what
//! `--device cpu` runs.

mod attend;
mod dot;
mod embed;
mod executor;
mod linear;
mod matmul;
mod matvec;
mod mean;
mod pack_rows;
mod pair;
mod rms_norm;
mod rotate_and_cache;
mod sample;
mod select;

pub use attend::{Attend, attend};
pub use embed::embed;
pub use executor::{Executor, ExecutorOptions};
pub use linear::Linear;
pub use matmul::matmul;
pub use matvec::matvec;
pub use mean::mean;
pub use pack_rows::{PACKED_GROUP, pack_rows};
pub use pair::PairExecutor;
pub use rms_norm::rms_norm;
pub use rotate_and_cache::{Rotate, RotateNorms, rotate_and_cache};
pub use sample::{draw as drawn, sample, weights as sampling_weights};
pub use select::select;
