//! Every kernel against its CPU twin, case by case of one table (`gpu::self_test::cases`), for every
//! way to reduce that the device offers. The same natively (`cargo test`) and in a browser
//! (`wasm-pack test`).
//!
//! Run with `cargo test --test kernels -- --nocapture` to see how many cases there were, and how
//! near the tolerances each kernel comes.

use std::collections::BTreeMap;

use semcot::gpu::self_test::{self, Case};
use semcot::gpu::{Gpu, GpuOptions, Reduce};

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

/// Every case for one way to reduce.
async fn check_all(reduce: Reduce) {
    let gpu = gpu(GpuOptions {
        reduce: Some(reduce),
        ..GpuOptions::default()
    })
    .await;
    if reduce.is_offered(gpu.features()) {
        check(&gpu, &self_test::cases(reduce)).await;
    } else {
        // The browser that these tests run in has them; without, nothing would be checked.
        assert!(cfg!(not(target_arch = "wasm32")), "no subgroups here");
        print(&format!("{} has no subgroups", gpu.info().name));
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
    let reduce = gpu.layout().reduce.name();
    for (kernel, (count, most)) in kernels {
        print(&format!(
            "{kernel}, {reduce}: {count} cases, at most {most:.3} of the tolerance"
        ));
    }
    assert!(
        wrong.is_empty(),
        "{} cases disagree with their twins:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Each as a native test and as a test in the browser.
macro_rules! tests {
    ($($name:ident: $checked:expr;)*) => {$(
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on($checked);
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            $checked.await;
        }
    )*};
}

tests! {
    kernels_agree_with_their_twins_one_thread_a_row: check_all(Reduce::Serial);
    kernels_agree_with_their_twins_through_workgroup_memory: check_all(Reduce::Workgroup);
    kernels_agree_with_their_twins_by_subgroups: check_all(Reduce::Subgroup);
    weights_larger_than_a_binding_are_computed_in_pieces: check_pieces();
}
