//! `semcot kernels`: which kernels there are, and the WGSL that each is assembled to.

use clap::{Args, ValueEnum};

use super::CommandError;
use super::pair::Kv;
use crate::gpu::{Halves, KERNELS, Kernel, Layout, Parts, Products, Reduce, assemble, kernel};
use crate::weights::WeightType;

/// Print the GPU kernels: their names, or the assembled WGSL of one.
#[derive(Args)]
pub struct Arguments {
    /// Every kernel, with the parts that complete it.
    #[arg(long, required_unless_present = "dump")]
    list: bool,
    /// The source of this kernel.
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    dump: Option<String>,
    /// Type of its weights, as GGUF names it; needed where the kernel reads weights.
    #[arg(long, value_name = "TYPE", value_parser = weight_type)]
    weights: Option<WeightType>,
    /// How the threads of a row add up; absent: workgroup where the kernel is for GPUs, else serial.
    #[arg(long)]
    reduce: Option<ReduceName>,
    /// How keys and values are kept.
    #[arg(long, default_value = "f16")]
    kv: Kv,
    /// Read keys and values kept as f16 as the device's own type.
    #[arg(long)]
    native_f16: bool,
    /// Multiply rows by quants as bytes.
    #[arg(long)]
    dot4: bool,
}

/// How the threads of a row add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReduceName {
    /// One thread a row: software adapters.
    Serial,
    /// By workgroup memory.
    Workgroup,
    /// By subgroup operations.
    Subgroup,
}

impl From<ReduceName> for Reduce {
    fn from(name: ReduceName) -> Self {
        match name {
            ReduceName::Serial => Self::Serial,
            ReduceName::Workgroup => Self::Workgroup,
            ReduceName::Subgroup => Self::Subgroup,
        }
    }
}

fn weight_type(name: &str) -> Result<WeightType, String> {
    WeightType::from_name(&name.to_uppercase())
        .ok_or_else(|| format!("there are {}", weight_names()))
}

fn weight_names() -> String {
    let names: Vec<_> = WeightType::ALL.iter().map(|it| it.name()).collect();
    names.join(", ")
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.dump {
        Some(name) => print!("{}", source(kernel(name)?, arguments)?),
        None => {
            for kernel in KERNELS {
                println!("{:18}{}", kernel.name, parts(kernel));
            }
        }
    }
    Ok(())
}

/// The options that matter for a kernel, with their values.
fn parts(kernel: &Kernel) -> String {
    let mut options = Vec::new();
    if kernel.has_weights() {
        options.push(format!("--weights {}", weight_names()));
    }
    let ways: Vec<_> = Reduce::ALL
        .into_iter()
        .filter(|&it| takes(kernel, it))
        .map(Reduce::name)
        .collect();
    if kernel.has_reduce() || ways.len() < Reduce::ALL.len() {
        options.push(format!("--reduce {}", ways.join(", ")));
    }
    if kernel.has_kv() {
        options.push("--kv f16, f32  --native-f16".to_owned());
    }
    if kernel.has_products() {
        options.push("--dot4".to_owned());
    }
    options.join("  ")
}

fn takes(kernel: &Kernel, reduce: Reduce) -> bool {
    kernel.takes(Parts {
        weights: WeightType::F32,
        kv: Kv::F32.into(),
        layout: reduce.into(),
    })
}

fn source(kernel: &Kernel, arguments: &Arguments) -> Result<String, CommandError> {
    let name = kernel.name;
    let weights = match arguments.weights {
        None if kernel.has_weights() => {
            return Err(format!("{name} needs --weights, one of {}", weight_names()).into());
        }
        given => given.unwrap_or(WeightType::F32),
    };
    let reduce = match arguments.reduce {
        Some(given) => given.into(),
        None if takes(kernel, Reduce::Workgroup) => Reduce::Workgroup,
        None => Reduce::Serial,
    };
    if !takes(kernel, reduce) {
        let message = format!(
            "{name} is not made with --reduce {}; see semcot kernels --list",
            reduce.name()
        );
        return Err(message.into());
    }
    let parts = Parts {
        weights,
        kv: arguments.kv.into(),
        layout: Layout {
            reduce,
            halves: match arguments.native_f16 {
                true => Halves::Native,
                false => Halves::Packed,
            },
            products: match arguments.dot4 {
                true => Products::Bytes,
                false => Products::Floats,
            },
        },
    };
    Ok(assemble(kernel, parts)?)
}
