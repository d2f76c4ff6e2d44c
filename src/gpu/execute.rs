//! The GPU as an executor of requests.

use std::ops::ControlFlow;

use super::{GpuError, GpuPair};
use crate::model::run::{Execute, Report, Request};

impl Execute for GpuPair {
    type Error = GpuError;

    async fn run(
        &mut self,
        request: &Request,
        on_tokens: &mut dyn FnMut(&[u32]) -> ControlFlow<()>,
    ) -> Result<Report, GpuError> {
        GpuPair::run(self, request, on_tokens).await
    }

    fn context_length(&self) -> u32 {
        self.context_tokens()
    }

    fn default_tokens_per_submit(&self) -> u32 {
        GpuPair::default_tokens_per_submit(self)
    }
}
