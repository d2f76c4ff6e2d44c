//! The host's clock, natively and in pages and workers.

/// Milliseconds since some fixed moment.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn now_ms() -> f64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds since some fixed moment.
#[cfg(target_arch = "wasm32")]
pub(super) fn now_ms() -> f64 {
    use wasm_bindgen::JsCast;
    let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into())
        .expect("pages and workers have performance");
    let now = js_sys::Reflect::get(&performance, &"now".into())
        .ok()
        .and_then(|it| it.dyn_into::<js_sys::Function>().ok())
        .expect("performance has now");
    now.call0(&performance)
        .ok()
        .and_then(|it| it.as_f64())
        .expect("performance.now gives a number")
}
