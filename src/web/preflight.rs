//! What is known of a model before its weights are fetched: whether it is one that this engine runs,
//! and whether the graphics adapter allows what it needs.

use wasm_bindgen::prelude::*;

use super::engine::Load;
use super::error::{self, JsResult};
use super::source::{self, JsByteSource};
use crate::gpu::Allowed;
use crate::model::Model;
use crate::reasoning::loading::check_before_loading;

/// Reads the headers of a pair, or of a single model where there are no files of a generator, and
/// checks them against the adapter. Nothing behind the headers is read.
#[wasm_bindgen]
pub async fn preflight(
    target: Vec<JsByteSource>,
    generator: Vec<JsByteSource>,
    options: JsValue,
) -> JsResult<()> {
    let options: Load = error::options(options)?;
    let allowed = Allowed::by_adapter(&options.gpu()).await;
    let options = options.model();
    let allowed = allowed.map_err(error::from_gpu)?;
    let is_single = generator.is_empty();
    let target = source::open(target, &mut 0, None).await?;
    if is_single {
        let model = Model::open(&target).await.map_err(error::from_model)?;
        return allowed.check(&[&model], options).map_err(error::from_gpu);
    }
    let generator = source::open(generator, &mut 0, None).await?;
    let checked = check_before_loading(allowed, &target, &generator, options).await;
    checked.map_err(error::from_load)
}
