//! One answer, as data: what goes in (token ids, where implicit tokens come from, when to stop)
//! and what came out (token ids, where the time went). `gpu` and `reference` both take a
//! [`Request`] and give a [`Report`]; `reasoning` makes the requests and reads the reports.

use std::ops::ControlFlow;

use serde::Serialize;

use super::{LlamaConfig, Sampling};

/// What the generator reads, and which of its rows become implicit tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorInput {
    /// Question ids followed by the `<thought>` ids.
    pub ids: Vec<u32>,
    /// First row of the generator's hidden states (after its final norm) that is projected.
    pub first_row: u32,
    /// How many consecutive rows are projected: the number of implicit tokens k.
    pub count: u32,
    /// Row of the target's input where the first projected row goes.
    pub target_row: u32,
    /// Passes over the projected rows, at least 1. From the second on each row reads its own hidden state of the pass
    /// before in place of its token; the rows before them are read once.
    pub passes: u32,
}

/// One question to the target, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where implicit tokens come from; absent in the modes without them.
    pub generator: Option<GeneratorInput>,
    /// The target's prompt; rows that hold implicit tokens carry [`super::step::EMBEDDING_GIVEN`].
    pub target_ids: Vec<u32>,
    /// Most tokens to write, the end token included.
    pub max_tokens: u32,
    /// Writing stops after this token.
    pub end_token: u32,
    /// Tokens decoded for each submit (and each awaited read-back), K.
    pub tokens_per_submit: u32,
    /// How tokens are chosen.
    pub sampling: Sampling,
}

/// Milliseconds by phase. A phase is `None` where the device cannot time it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Milliseconds {
    /// Generator forward pass and projection.
    pub generator: Option<f64>,
    /// Target forward pass over the prompt.
    pub prefill: Option<f64>,
    /// All decode passes of the target.
    pub decode: Option<f64>,
    /// From the call to the last token read back, by the clock of the host.
    pub total: f64,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Tokens written, the end token included where it was reached.
    pub token_ids: Vec<u32>,
    /// Forward passes of the target that wrote these tokens: one prefill and one a further token.
    pub target_passes: u32,
    /// Forward passes of the generator.
    pub generator_passes: u32,
    /// Command buffers submitted.
    pub submits: u32,
    /// Awaited read-backs.
    pub read_backs: u32,
    /// Bytes read back.
    pub bytes_read_back: u64,
    /// Compute dispatches encoded.
    pub dispatches: u32,
    /// Where the time went.
    pub ms: Milliseconds,
}

/// Something that answers requests: the GPU, or its CPU twin.
#[allow(async_fn_in_trait)] // one thread: neither wasm nor the command sends these futures
pub trait Execute {
    /// Why a run failed.
    type Error: std::error::Error + 'static;

    /// Runs `request` and hands over the written ids as they become known.
    ///
    /// `on_tokens` gets each run of new ids, the end token included, and may end the run early
    /// with [`ControlFlow::Break`]; the report then holds what was written until then.
    ///
    /// # Errors
    /// When the prompt does not fit the context, or the device fails.
    async fn run(
        &mut self,
        request: &Request,
        on_tokens: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
    ) -> Result<Report, Self::Error>;

    /// Positions that the caches hold: prompt, implicit tokens and written tokens together.
    fn context_length(&self) -> u32;

    /// K to use where the caller names none, from this device's own measured costs.
    fn default_tokens_per_submit(&self) -> u32;
}

/// An executor whose implicit tokens can be looked at, beside the vectors that they are compared with.
#[allow(async_fn_in_trait)] // one thread: neither wasm nor the command sends these futures
pub trait Inspect: Execute {
    /// Shape of the target.
    fn target_config(&self) -> &LlamaConfig;

    /// Whether the sentence transformer is loaded.
    fn has_sentence_transformer(&self) -> bool;

    /// The implicit tokens `[count, hidden_size]` of a request, as they enter the target; none where it
    /// has no generator input.
    async fn implicit_tokens(&mut self, request: &Request) -> Result<Vec<f32>, Self::Error>;

    /// The target's input embeddings `[ids.len(), hidden_size]` of tokens.
    async fn embeddings(&mut self, ids: &[u32]) -> Result<Vec<f32>, Self::Error>;

    /// The target's hidden states `[ids.len(), hidden_size]` after its final norm.
    async fn hidden_states(&mut self, ids: &[u32]) -> Result<Vec<f32>, Self::Error>;

    /// The sentence transformer's embedding of each text, by the ids that the target reads.
    ///
    /// # Errors
    /// When none is loaded, or a text takes no or too many tokens.
    async fn embed_texts(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, Self::Error>;

    /// Its embedding of rows `[any, hidden_size]` in place of the target's hidden states.
    ///
    /// # Errors
    /// When none is loaded.
    async fn embed_rows(&mut self, rows: &[f32]) -> Result<Vec<f32>, Self::Error>;
}
