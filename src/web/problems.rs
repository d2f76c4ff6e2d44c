//! Word problems for the page: what `semcot data` prints, as objects.

use wasm_bindgen::prelude::*;

use super::error;
use crate::problems::{Family, Settings, Split, generate};

/// Most problems made in one call: the call blocks its thread.
const MAX_COUNT: u32 = 10_000;

/// The first `count` problems of a family and split by a seed, at the family's default settings.
#[wasm_bindgen(unchecked_return_type = "Record<string, unknown>[]")]
pub fn problems(family: &str, split: &str, seed: u32, count: u32) -> Result<JsValue, JsValue> {
    let bad = |message: String| error::with_code("bad-input", &message);
    let family = Family::ALL
        .into_iter()
        .find(|known| known.name() == family)
        .ok_or_else(|| bad(format!("there is no problem family {family:?}")))?;
    let split = match split {
        "train" => Split::Train,
        "validation" => Split::Validation,
        "heldout" => Split::Heldout,
        _ => return Err(bad(format!("there is no split {split:?}"))),
    };
    if count > MAX_COUNT {
        return Err(bad(format!("count is {count}: at most {MAX_COUNT}")));
    }
    let problems = generate(family, split, u64::from(seed), &Settings::default())
        .map_err(|error| bad(error.to_string()))?;
    let problems: Vec<_> = problems.take(count as usize).collect();
    Ok(error::plain(&problems))
}
