//! What is known of a model before its weights are fetched: whether it is one that this engine runs,
//! and whether the device allows what it needs.

use wasm_bindgen::prelude::*;

use super::device::{self, Load};
use super::error::{self, JsResult};
use super::source::{self, JsByteSource};
use crate::model::Model;

/// Reads the headers of a pair, or of a single model where there are no files of a generator, and
/// checks them against the device. Nothing behind the headers is read.
#[wasm_bindgen]
pub async fn preflight(
    target: Vec<JsByteSource>,
    generator: Vec<JsByteSource>,
    options: JsValue,
) -> JsResult<()> {
    let options: Load = error::options(options)?;
    let is_single = generator.is_empty();
    let target = source::open(target, &mut 0, None).await?;
    if is_single {
        let model = Model::open(&target).await.map_err(error::from_model)?;
        return device::check_single(&model, &options).await;
    }
    let generator = source::open(generator, &mut 0, None).await?;
    device::check_pair(&target, &generator, &options).await
}
