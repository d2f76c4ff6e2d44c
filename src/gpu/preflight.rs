//! What a model needs an adapter to allow, from its header alone, so that what cannot run is known
//! before any weight is fetched. Weights are reckoned in the smallest pieces that they may be cut
//! into (see [`super::weight`]); how much memory there is in all, no adapter tells.

use super::activations::Capacity;
use super::device::choose_adapter;
use super::layout::{Reduce, WeightLayout};
use super::weight::least_piece;
use super::{Gpu, GpuError, GpuModelOptions, GpuOptions};
use crate::model::{GateUp, Model};

/// A weight or a buffer that must be whole, and how large it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is.
    pub what: String,
    /// Bytes of its buffer.
    pub buffer: u64,
    /// Bytes of its largest binding.
    pub binding: u64,
}

/// What an adapter allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Its `maxBufferSize`.
    pub buffer: u64,
    /// Its `maxStorageBufferBindingSize`.
    pub binding: u64,
    layout: WeightLayout,
}

/// A model's need that an adapter does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The model's file.
    pub file: String,
    /// What is too large.
    pub what: String,
    /// The limit, as WebGPU names it.
    pub limit: &'static str,
    /// Bytes that are needed.
    pub needed: u64,
    /// Bytes that are allowed.
    pub allowed: u64,
}

impl Allowed {
    /// Asks the adapter that [`Gpu::new`] would choose; no device is opened.
    pub async fn by_adapter(options: &GpuOptions) -> Result<Self, GpuError> {
        let instance =
            wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = choose_adapter(&instance, options).await?;
        let preferred = || Reduce::for_device(&adapter.get_info(), adapter.features());
        let reduce = options.layout.map_or_else(preferred, |it| it.reduce);
        let limits = options.limits(&adapter);
        Ok(Self::new(&limits, reduce))
    }

    /// What an opened device allows.
    pub fn by_device(gpu: &Gpu) -> Self {
        Self::new(gpu.limits(), gpu.layout().reduce)
    }

    fn new(limits: &wgpu::Limits, reduce: Reduce) -> Self {
        Self {
            buffer: limits.max_buffer_size,
            binding: limits.max_storage_buffer_binding_size,
            layout: reduce.weight_layout(),
        }
    }

    /// Compares what models need with what is allowed.
    ///
    /// # Errors
    /// [`GpuError::DoesNotFit`] names all that is too large.
    pub fn check(&self, models: &[&Model], options: GpuModelOptions) -> Result<(), GpuError> {
        let mut misfits = Vec::new();
        for model in models {
            for need in needs(model, options, self.layout) {
                let limits = [
                    ("maxStorageBufferBindingSize", need.binding, self.binding),
                    ("maxBufferSize", need.buffer, self.buffer),
                ];
                // One is enough to know: a buffer is as large as its largest binding at least.
                let exceeded = limits.iter().find(|(_, needed, allowed)| needed > allowed);
                misfits.extend(exceeded.map(|&(limit, needed, allowed)| Misfit {
                    file: model.file.clone(),
                    what: need.what.clone(),
                    limit,
                    needed,
                    allowed,
                }));
            }
        }
        if misfits.is_empty() {
            return Ok(());
        }
        // The worst first; what is alike stays in the order of the files.
        misfits.sort_by_key(|it| std::cmp::Reverse(it.needed - it.allowed));
        Err(GpuError::DoesNotFit { misfits })
    }
}

/// Everything of a model that cannot be cut further.
pub fn needs(model: &Model, options: GpuModelOptions, layout: WeightLayout) -> Vec<Need> {
    let layers = model.weights.layers.iter();
    let gates: Vec<_> = layers
        .filter_map(|it| match it.gate_up {
            GateUp::Stacked(weight) => Some(weight.0),
            GateUp::Separate { .. } => None,
        })
        .collect();
    let weights = model.weights.list.iter().enumerate().map(|(index, it)| {
        let is_whole = gates.contains(&index);
        let [binding, buffer] = least_piece(it.weight_type, it.rows, it.cols, layout, is_whole);
        Need {
            what: it.name.clone(),
            buffer,
            binding,
        }
    });
    let capacity = Capacity::of(&model.config, options);
    let buffers = capacity.bytes(&model.config).list();
    let buffers = buffers.into_iter().map(|(what, bytes)| Need {
        what: what.to_owned(),
        buffer: bytes,
        binding: bytes,
    });
    weights.chain(buffers).collect()
}

/// The smallest limits that allow a model on GPUs: of a buffer and of a binding.
pub fn least_limits(model: &Model, options: GpuModelOptions) -> [u64; 2] {
    let needs = needs(model, options, WeightLayout::Rows);
    let most = |bytes: fn(&Need) -> u64| needs.iter().map(bytes).max().unwrap_or(0);
    [most(|it| it.buffer), most(|it| it.binding)]
}

/// The misfits in one sentence: the worst, and how many others.
pub(super) fn sentence(misfits: &[Misfit]) -> String {
    let Some(worst) = misfits.first() else {
        return String::new();
    };
    let mut files: Vec<&str> = misfits.iter().map(|it| it.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    let over = worst.needed - worst.allowed;
    let others = match misfits.len() - 1 {
        0 => String::new(),
        1 => "; one other weight or buffer is too large too".to_owned(),
        count => format!("; {count} other weights and buffers are too large too"),
    };
    format!(
        "{} cannot run on this adapter: {} of {} needs {} bytes in one piece, {over} more than its {} of {}{others}",
        files.join(" and "),
        worst.what,
        worst.file,
        worst.needed,
        worst.limit,
        worst.allowed,
    )
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::formats::source::FileSource;

    fn tiny_target() -> Model {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny-target.gguf");
        let source = FileSource::open(path.as_ref()).unwrap();
        pollster::block_on(Model::open(&source)).unwrap()
    }

    fn allowed([buffer, binding]: [u64; 2]) -> Allowed {
        Allowed {
            buffer,
            binding,
            layout: WeightLayout::Rows,
        }
    }

    #[test]
    fn the_least_limits_are_enough_and_a_byte_less_is_not() {
        let (model, options) = (tiny_target(), GpuModelOptions::default());
        let [buffer, binding] = least_limits(&model, options);
        assert!(buffer >= binding && binding > 0);
        let check = |limits| allowed(limits).check(&[&model], options);
        assert_eq!(check([buffer, binding]), Ok(()));
        for (limits, name) in [
            ([buffer - 1, binding], "maxBufferSize"),
            ([buffer, binding - 1], "maxStorageBufferBindingSize"),
        ] {
            let error = check(limits).unwrap_err();
            assert_eq!(error.code(), "limit_too_low");
            let text = error.to_string();
            assert!(text.contains(name), "{text}");
            assert!(text.contains("tiny-target.gguf"), "{text}");
            assert!(text.contains("1 more than its"), "{text}");
        }
    }

    #[test]
    fn all_that_does_not_fit_is_counted_and_the_worst_comes_first() {
        let (model, options) = (tiny_target(), GpuModelOptions::default());
        let refused = allowed([64, 64]).check(&[&model, &model], options);
        let Err(GpuError::DoesNotFit { misfits }) = refused else {
            panic!("it fits: {refused:?}");
        };
        let over = |it: &Misfit| it.needed - it.allowed;
        assert!(misfits.len() > 10);
        assert!(misfits.windows(2).all(|it| over(&it[0]) >= over(&it[1])));
        let text = GpuError::DoesNotFit { misfits }.to_string();
        assert!(text.contains("other weights and buffers"), "{text}");
    }
}
