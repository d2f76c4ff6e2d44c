//! Every kernel with every combination of parts is valid WGSL.

use semcot::gpu::{Halves, KERNELS, Layout, Parts, Products, Reduce, assemble};
use semcot::model::KvType;
use semcot::weights::WeightType;

const fn layout(reduce: Reduce, halves: Halves, products: Products) -> Layout {
    Layout {
        reduce,
        halves,
        products,
    }
}

const LAYOUTS: [Layout; 6] = [
    layout(Reduce::Serial, Halves::Packed, Products::Floats),
    layout(Reduce::Workgroup, Halves::Packed, Products::Floats),
    layout(Reduce::Subgroup, Halves::Packed, Products::Floats),
    layout(Reduce::Subgroup, Halves::Native, Products::Floats),
    layout(Reduce::Workgroup, Halves::Packed, Products::Bytes),
    layout(Reduce::Subgroup, Halves::Native, Products::Bytes),
];

/// All combinations of the parts that `kernel` uses.
fn combinations() -> Vec<Parts> {
    let mut all = Vec::new();
    for &weights in WeightType::ALL {
        for layout in LAYOUTS {
            for kv in [KvType::F16, KvType::F32] {
                all.push(Parts {
                    weights,
                    kv,
                    layout,
                });
            }
        }
    }
    all
}

#[test]
fn every_assembled_shader_is_valid() {
    let mut checked = 0;
    for kernel in KERNELS {
        for parts in combinations() {
            if !kernel.takes(parts) {
                continue;
            }
            let source = assemble(kernel, parts).expect("the parts exist");
            let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| {
                panic!("{} {parts:?}: {}", kernel.name, e.emit_to_string(&source))
            });
            naga::valid::Validator::new(
                naga::valid::ValidationFlags::all(),
                naga::valid::Capabilities::SUBGROUP
                    | naga::valid::Capabilities::SHADER_FLOAT16
                    | naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32,
            )
            .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(naga::valid::SubgroupOperationSet::all())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{} {parts:?}: {}", kernel.name, e.emit_to_string(&source)));
            checked += 1;
        }
    }
    assert!(checked > 0, "no shader was found");
    println!("{checked} shaders are valid");
}
