//! Subgroups in browsers: wgpu 30 does not map WebGPU's feature of that name, so the request for a
//! device is completed in JavaScript.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/gpu/subgroups.js")]
extern "C" {
    #[wasm_bindgen(js_name = askForSubgroups)]
    fn ask_for_subgroups();
    #[wasm_bindgen(js_name = areSubgroupsOffered)]
    fn are_subgroups_offered() -> bool;
}

/// Asks for a device by `request`, with subgroups where the adapter offers them; gives whether it
/// does.
pub(super) fn with_subgroups<T>(request: impl FnOnce() -> T) -> (T, bool) {
    ask_for_subgroups();
    // The browser is asked before the future is polled, so that no other request comes between.
    let asked = request();
    (asked, are_subgroups_offered())
}
