//! Tests that run natively and in a browser, written once.

/// Each case as a native test and as a test in the browser.
macro_rules! cases {
    ($($name:ident: $case:expr;)*) => {$(
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on($case);
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            $case.await;
        }
    )*};
}

pub(crate) use cases;
