//! Every kernel against its CPU twin, case by case of one table (`gpu::self_test::cases`), for every
//! way to reduce that the device offers. The same natively (`cargo test`) and in a browser
//! (`wasm-pack test`).
//!
//! Run with `cargo test --test kernels -- --nocapture` to see how many cases there were, and how
//! near the tolerances each kernel comes.

use std::collections::BTreeMap;

use semcot::gpu::{Gpu, GpuOptions, Reduce, self_test};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

async fn gpu(reduce: Reduce) -> Gpu {
    let options = GpuOptions {
        reduce: Some(reduce),
        ..GpuOptions::default()
    };
    Gpu::new(options).await.expect("an adapter")
}

fn print(line: &str) {
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::console_log!("{line}");
    #[cfg(not(target_arch = "wasm32"))]
    println!("{line}");
}

/// Runs the table; fails with every case that disagrees.
async fn check_all(reduce: Reduce) {
    let gpu = gpu(reduce).await;
    if !reduce.is_offered(gpu.features()) {
        print(&format!("{} has no subgroups", gpu.info().name));
        return;
    }
    let mut wrong = Vec::new();
    let mut kernels: BTreeMap<&str, (usize, f32)> = BTreeMap::new();
    for case in self_test::cases(reduce) {
        let comparison = case.check(&gpu).await.expect("the device takes it");
        let (count, most) = kernels.entry(case.kernel()).or_default();
        *count += 1;
        *most = most.max(comparison.worst.tolerances);
        if !comparison.agrees() {
            wrong.push(format!("{case:?}: {comparison}"));
        }
    }
    assert!(!kernels.is_empty(), "there was nothing to check");
    for (kernel, (count, most)) in kernels {
        print(&format!(
            "{kernel}, {}: {count} cases, at most {most:.3} of the tolerance",
            reduce.name()
        ));
    }
    assert!(
        wrong.is_empty(),
        "{} cases disagree with their twins:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Each way to reduce as a native test and as a test in the browser.
macro_rules! ways {
    ($($name:ident: $reduce:expr;)*) => {$(
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on(check_all($reduce));
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            check_all($reduce).await;
        }
    )*};
}

ways! {
    kernels_agree_with_their_twins_one_thread_a_row: Reduce::Serial;
    kernels_agree_with_their_twins_through_workgroup_memory: Reduce::Workgroup;
    kernels_agree_with_their_twins_by_subgroups: Reduce::Subgroup;
}
