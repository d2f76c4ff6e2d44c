//! One forward pass whose values JavaScript reads: what `semcot logits` prints, and the states on the
//! way there, for comparing engines.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::device::{self, Executor};
use super::error::{self, JsResult};
use crate::model::{ForwardOptions, Head, insert_given};

/// `ForwardOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForwardRequest {
    #[serde(default)]
    give: Give,
    layers: Option<usize>,
    splice: Option<Splice>,
}

/// What is read.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Give {
    #[default]
    LastLogits,
    AllLogits,
    HiddenStates,
    Residual,
}

/// Rows of `hidden_size` values, inserted as input embeddings before a position.
#[derive(Deserialize)]
struct Splice {
    position: usize,
    rows: Vec<Vec<f32>>,
}

/// Runs the pass.
pub async fn forward(
    executor: &mut Executor,
    mut ids: Vec<u32>,
    options: JsValue,
) -> JsResult<Vec<f32>> {
    let request: ForwardRequest = error::options(options)?;
    let given = match request.splice {
        Some(splice) => {
            let inserted = insert_given(&mut ids, splice.position, splice.rows.len());
            inserted.map_err(error::from_request)?;
            splice.rows
        }
        None => Vec::new(),
    };
    let options = ForwardOptions {
        layers: request.layers,
        head: request.give.into(),
    };
    device::forward(executor, &ids, &given, options).await
}

impl From<Give> for Head {
    fn from(give: Give) -> Self {
        match give {
            Give::LastLogits => Head::LastLogits,
            Give::AllLogits => Head::AllLogits,
            Give::HiddenStates => Head::HiddenStates,
            Give::Residual => Head::None,
        }
    }
}
