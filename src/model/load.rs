//! Reading weights in chunks, in the order of the file, so that a source that only streams can
//! serve and no weight is held whole.

use super::step::WeightId;
use super::{Model, ModelError, ModelFault, Weight};
use crate::formats::source::ByteSource;
use crate::weights::CHUNK_ROWS_MULTIPLE;

/// Whole rows of a weight, as they lie in the file. `first_row` is even, and so is the number of
/// rows but at the end of a weight: see [`WeightType::repack`](crate::weights::WeightType::repack).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Which weight.
    pub weight: WeightId,
    /// Its first row here.
    pub first_row: usize,
    /// Number of rows.
    pub rows: usize,
    /// The rows' bytes.
    pub raw: Vec<u8>,
}

/// Reads all weights of a model and gives them to `on_chunk` in chunks of about `chunk_bytes`.
/// Reads go through the file from front to back.
///
/// # Errors
/// Besides what the source says, [`ModelFault::NotFinite`] for a weight that is infinite or not a
/// number. Chunks before it have then been given.
pub async fn read_weights(
    source: &impl ByteSource,
    model: &Model,
    chunk_bytes: usize,
    mut on_chunk: impl FnMut(Chunk),
) -> Result<(), ModelError> {
    let factors = model.weights.rope_factors;
    for part in parts_in_file_order(&model.weights.list) {
        let mut check = |chunk: Chunk| {
            if factors == Some(chunk.weight) {
                check_rope_factors(model.weights.get(chunk.weight), &chunk.raw)?;
            }
            on_chunk(chunk);
            Ok(())
        };
        let result = part.read(source, chunk_bytes, &mut check).await;
        result.map_err(|fault| ModelError {
            file: model.file.clone(),
            fault,
        })?;
    }
    Ok(())
}

/// A factor that is 0 would turn every rotation into NaN.
fn check_rope_factors(weight: &Weight, raw: &[u8]) -> Result<(), ModelFault> {
    let factors = weight.weight_type.dequantize(raw);
    match factors.into_iter().find(|&factor| factor <= 0.0) {
        None => Ok(()),
        Some(found) => Err(ModelFault::RopeFactor {
            tensor: weight.name.clone(),
            found,
        }),
    }
}

/// A tensor as part of a weight.
struct Part<'a> {
    id: WeightId,
    weight: &'a Weight,
    /// Index of the tensor among the weight's.
    tensor: usize,
    /// Row of the weight where the tensor begins.
    first_row: usize,
}

fn parts_in_file_order(list: &[Weight]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for (index, weight) in list.iter().enumerate() {
        let mut first_row = 0;
        for (tensor, info) in weight.parts.iter().enumerate() {
            parts.push(Part {
                id: WeightId(index),
                weight,
                tensor,
                first_row,
            });
            first_row += weight.rows_of(info);
        }
    }
    parts.sort_by_key(|it| it.weight.parts[it.tensor].offset);
    parts
}

impl Part<'_> {
    async fn read(
        &self,
        source: &impl ByteSource,
        chunk_bytes: usize,
        on_chunk: &mut impl FnMut(Chunk) -> Result<(), ModelFault>,
    ) -> Result<(), ModelFault> {
        let tensor = &self.weight.parts[self.tensor];
        let weight_type = self.weight.weight_type;
        let row_bytes = weight_type.row_bytes(self.weight.cols);
        let fitting_rows = chunk_bytes / row_bytes / CHUNK_ROWS_MULTIPLE * CHUNK_ROWS_MULTIPLE;
        let chunk_rows = fitting_rows.max(CHUNK_ROWS_MULTIPLE);
        let rows = self.weight.rows_of(tensor);
        for row in (0..rows).step_by(chunk_rows) {
            let count = chunk_rows.min(rows - row);
            let offset = tensor.offset + row as u64 * row_bytes as u64;
            let raw = source.read(offset, count * row_bytes).await?;
            if let Some(block) = weight_type.first_non_finite_block(&raw) {
                let bad_row = row + block * weight_type.block_bytes() / row_bytes;
                return Err(ModelFault::NotFinite {
                    tensor: tensor.name.clone(),
                    row: bad_row as u64,
                });
            }
            on_chunk(Chunk {
                weight: self.id,
                first_row: self.first_row + row,
                rows: count,
                raw,
            })?;
        }
        Ok(())
    }
}
