//! Writing the tensors: chunks of rows are read, turned, quantized on all cores and written.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{ConvertError, ConvertOptions, Converted, Found};
use crate::formats::gguf::{Metadata, PlannedTensor, Shard, shards};
use crate::formats::tensors::TensorFiles;
use crate::weights::WeightType;

/// Values that are held at once: 32 MiB as f32, beside the bytes they are read from and become.
const CHUNK_VALUES: usize = 8 << 20;

/// Where the tensors come from.
pub(super) struct Source<'a> {
    pub(super) files: &'a TensorFiles,
    pub(super) tensors: Vec<Found>,
    pub(super) rope_factors: Option<Vec<f32>>,
}

impl Source<'_> {
    /// Writes all files; what was begun is removed where one fails.
    pub(super) fn write(
        &self,
        metadata: &Metadata,
        out: &Path,
        options: &ConvertOptions,
    ) -> Result<Converted, ConvertError> {
        std::fs::create_dir_all(out).map_err(|error| ConvertError::Io {
            path: out.to_owned(),
            error,
        })?;
        let planned = self.planned(options.weight_type);
        let shards = shards(&options.stem, metadata, &planned, options.shard_bytes);
        let partial = |shard: &Shard| out.join(format!("{}.partial", shard.file));
        let written: Result<(), ConvertError> = shards
            .iter()
            .try_for_each(|shard| self.write_shard(&partial(shard), shard, &planned));
        let mut files = Vec::new();
        for shard in &shards {
            let (from, to) = (partial(shard), out.join(&shard.file));
            if written.is_err() {
                // It may not have been begun.
                let _ = std::fs::remove_file(from);
                continue;
            }
            std::fs::rename(from, &to).map_err(|error| ConvertError::Io {
                path: to.clone(),
                error,
            })?;
            files.push(to);
        }
        written.map(|()| Converted {
            files,
            tensors: planned.len(),
            size_bytes: planned.iter().map(PlannedTensor::size_bytes).sum(),
            without_tokenizer: None,
        })
    }

    fn planned(&self, weight_type: WeightType) -> Vec<PlannedTensor> {
        let mut planned: Vec<_> = self
            .tensors
            .iter()
            .map(|it| {
                let dims: Vec<u64> = it.stored.shape.iter().rev().map(|&it| it as u64).collect();
                PlannedTensor {
                    name: it.place.name.clone(),
                    weight_type: match dims.len() {
                        1 => WeightType::F32,
                        _ => fitting(weight_type, dims[0] as usize),
                    },
                    dims,
                }
            })
            .collect();
        if let Some(factors) = &self.rope_factors {
            planned.push(PlannedTensor {
                name: "rope_freqs.weight".to_owned(),
                dims: vec![factors.len() as u64],
                weight_type: WeightType::F32,
            });
        }
        planned
    }

    fn write_shard(
        &self,
        path: &Path,
        shard: &Shard,
        planned: &[PlannedTensor],
    ) -> Result<(), ConvertError> {
        let failed = |error| ConvertError::Io {
            path: path.to_owned(),
            error,
        };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        file.write_all(&shard.header).map_err(failed)?;
        for index in shard.tensors.clone() {
            let plan = &planned[index];
            let mut put = |values: &[f32]| {
                let bytes = quantize(values, plan);
                file.write_all(&bytes).map_err(failed)
            };
            match self.tensors.get(index) {
                Some(found) => self.write_tensor(found, &mut put)?,
                None => put(self.rope_factors.as_deref().unwrap_or_default())?,
            }
            file.write_all(&vec![0; plan.padding_bytes()])
                .map_err(failed)?;
        }
        file.into_inner()
            .map_err(|error| failed(error.into_error()))?
            .sync_all()
            .map_err(failed)
    }

    fn write_tensor(
        &self,
        found: &Found,
        put: &mut impl FnMut(&[f32]) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        let shape = &found.stored.shape;
        let cols = *shape.last().expect("shapes have been checked");
        let rows = shape.iter().product::<usize>() / cols;
        // A head is turned as a whole.
        let head_rows = found
            .place
            .interleaved_heads
            .map_or(1, |heads| rows / heads);
        let chunk_rows = (CHUNK_VALUES / cols / head_rows).max(1) * head_rows;
        for first_row in (0..rows).step_by(chunk_rows) {
            let count = chunk_rows.min(rows - first_row);
            let read = self
                .files
                .read(&found.stored, first_row * cols, count * cols)?;
            if !read.iter().all(|it| it.is_finite()) {
                return Err(ConvertError::NotFinite {
                    tensor: found.place.source.clone(),
                });
            }
            match found.place.interleaved_heads {
                None => put(&read)?,
                Some(_) => put(&interleaved(&read, head_rows, cols))?,
            }
        }
        Ok(())
    }
}

/// The rows of heads in another order: where the second half of a head follows the first, the rows
/// of both take turns.
fn interleaved(values: &[f32], head_rows: usize, cols: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for head in values.chunks_exact(head_rows * cols) {
        let (first, second) = head.split_at(head_rows / 2 * cols);
        for (a, b) in first.chunks_exact(cols).zip(second.chunks_exact(cols)) {
            turned.extend_from_slice(a);
            turned.extend_from_slice(b);
        }
    }
    turned
}

/// The type, or one of about its size whose blocks rows of `cols` values can be cut into: what
/// llama.cpp takes.
fn fitting(weight_type: WeightType, cols: usize) -> WeightType {
    let fits = |it: &WeightType| cols.is_multiple_of(it.block_len());
    let instead = match weight_type {
        WeightType::Q6_K => WeightType::Q8_0,
        WeightType::Q4_K => WeightType::Q5_0,
        _ => WeightType::F16,
    };
    let choices = [weight_type, instead, WeightType::F16];
    choices.into_iter().find(fits).unwrap_or(WeightType::F32)
}

/// Quantizes rows, a share of them on each core.
fn quantize(values: &[f32], plan: &PlannedTensor) -> Vec<u8> {
    let cols = plan.dims[0] as usize;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = (values.len() / cols).div_ceil(cores).max(1) * cols;
    std::thread::scope(|scope| {
        let workers: Vec<_> = values
            .chunks(share)
            .map(|rows| scope.spawn(move || plan.weight_type.quantize(rows, cols)))
            .collect();
        let parts = workers.into_iter().map(|it| match it.join() {
            Ok(bytes) => bytes,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        parts.collect::<Vec<_>>().concat()
    })
}
