//! Every kernel against its CPU twin, case by case of one table (`gpu::self_test::cases`), for every
//! way to reduce that the device offers. The same natively (`cargo test`) and in a browser
//! (`wasm-pack test`).
//!
//! Run with `cargo test --test kernels -- --nocapture` to see how many cases there were, and how
//! near the tolerances each kernel comes.

mod cases;

use std::collections::BTreeMap;

use cases::cases;
use semcot::gpu::self_test::{self, Case};
use semcot::gpu::{Gpu, GpuError, GpuOptions, Halves, Layout, Products, Reduce};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

async fn gpu(options: GpuOptions) -> Gpu {
    Gpu::new(options).await.expect("an adapter")
}

fn print(line: &str) {
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::console_log!("{line}");
    #[cfg(not(target_arch = "wasm32"))]
    println!("{line}");
}

const NATIVE_F16: Layout = Layout {
    reduce: Reduce::Workgroup,
    halves: Halves::Native,
    products: Products::Floats,
};

const BYTES: Layout = Layout {
    products: Products::Bytes,
    halves: Halves::Packed,
    ..NATIVE_F16
};

/// Every case for a layout.
async fn check_all(layout: Layout) {
    let options = GpuOptions {
        layout: Some(layout),
        ..GpuOptions::default()
    };
    match Gpu::new(options).await {
        Ok(gpu) => check(&gpu, &self_test::cases(layout)).await,
        // Lavapipe has everything, the browser that these tests run in all but shader-f16.
        Err(GpuError::LayoutNotOffered { .. })
            if cfg!(target_arch = "wasm32") && layout.halves == Halves::Native =>
        {
            print(&format!("{layout} is not offered here"));
        }
        Err(error) => panic!("{error}"),
    }
}

/// Weights that no binding of the device can hold.
async fn check_pieces() {
    let gpu = gpu(GpuOptions {
        most_binding_bytes: Some(self_test::SMALL_BINDING_BYTES),
        ..GpuOptions::default()
    })
    .await;
    check(&gpu, &self_test::cases_in_pieces()).await;
}

/// Runs cases; fails with every one that disagrees.
async fn check(gpu: &Gpu, cases: &[Case]) {
    let mut wrong = Vec::new();
    let mut kernels: BTreeMap<&str, (usize, f32)> = BTreeMap::new();
    for case in cases {
        let comparison = case.check(gpu).await.expect("the device takes it");
        let (count, most) = kernels.entry(case.kernel()).or_default();
        *count += 1;
        *most = most.max(comparison.worst.tolerances);
        if !comparison.agrees() {
            wrong.push(format!("{case:?}: {comparison}"));
        }
    }
    assert!(!kernels.is_empty(), "there was nothing to check");
    let layout = gpu.layout();
    for (kernel, (count, most)) in kernels {
        print(&format!(
            "{kernel}, {layout}: {count} cases, at most {most:.3} of the tolerance"
        ));
    }
    assert!(
        wrong.is_empty(),
        "{} cases disagree with their twins:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

cases! {
    kernels_agree_with_their_twins_one_thread_a_row: check_all(Reduce::Serial.into());
    kernels_agree_with_their_twins_through_workgroup_memory: check_all(Reduce::Workgroup.into());
    kernels_agree_with_their_twins_by_subgroups: check_all(Reduce::Subgroup.into());
    kernels_agree_with_their_twins_with_f16_of_the_device: check_all(NATIVE_F16);
    kernels_agree_with_their_twins_by_products_of_bytes: check_all(BYTES);
    weights_larger_than_a_binding_are_computed_in_pieces: check_pieces();
}
