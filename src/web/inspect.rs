//! A pair's implicit tokens looked at, as JavaScript asks for it, and the sentence transformer that is
//! loaded for it alone.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::device;
use super::engine::Engine;
use super::error::{self, JsResult};
use super::source::{self, JsByteSource};
use crate::reasoning::InspectOptions;
use crate::reasoning::inspect::Compare;

/// `InspectOptions` of `www/semcot.js`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inspect {
    implicit_tokens: Option<u32>,
    nearest: u32,
    reasoning: Option<String>,
    /// Absent: nothing is compared.
    bank: Option<Vec<String>>,
}

#[wasm_bindgen]
impl Engine {
    /// Puts the sentence transformer on the device, given by its files in their order.
    #[wasm_bindgen(js_name = loadSentenceTransformer)]
    pub async fn load_sentence_transformer(&mut self, files: Vec<JsByteSource>) -> JsResult<()> {
        let source = source::open(files, &mut 0, None).await?;
        device::load_sentence_transformer(self.pair.executor(), &source).await
    }

    /// Looks at the implicit tokens of a question.
    #[wasm_bindgen(unchecked_return_type = "Record<string, unknown>")]
    pub async fn inspect(&mut self, question: &str, options: JsValue) -> JsResult<JsValue> {
        let options: Inspect = error::options(options)?;
        let found = self.pair.inspect(question, &options.into()).await;
        Ok(error::plain(&found.map_err(error::from_ask)?))
    }

    /// The sentence transformer's embeddings of texts, one behind the other.
    pub async fn embed(&mut self, texts: Vec<String>) -> JsResult<Vec<f32>> {
        let embeddings = self.pair.embed(&texts).await;
        Ok(embeddings.map_err(error::from_ask)?.concat())
    }
}

impl From<Inspect> for InspectOptions {
    fn from(inspect: Inspect) -> Self {
        let Inspect {
            implicit_tokens,
            nearest,
            reasoning,
            bank,
        } = inspect;
        InspectOptions {
            implicit_tokens,
            nearest,
            compare: bank.map(|bank| Compare { reasoning, bank }),
        }
    }
}
