//! Where a long computation lets others run. A worker hears of an abort only between two tasks.

use std::ops::ControlFlow;

use crate::clock::now_ms;

/// Lets others run, and says whether to go on.
#[allow(async_fn_in_trait)] // one thread: neither wasm nor the command sends these futures
pub trait Pause {
    /// Milliseconds between pauses: one is some hundredths of a millisecond, and a visitor who
    /// presses stop does not notice thirty.
    const BETWEEN_MS: f64 = 30.0;

    /// Breaks where the run is wanted no more.
    async fn pause(&mut self) -> ControlFlow<()>;
}

/// Nobody else waits: never pauses.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPause;

impl Pause for NoPause {
    async fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Multiplications between two looks at the clock, under a millisecond of them: the clock itself
/// takes as long as a whole matrix of the smallest models.
const BETWEEN_LOOKS: u64 = 10_000_000;

/// When to pause.
pub struct Pauses<P> {
    pause: P,
    last_ms: f64,
    work: u64,
}

impl<P: Pause> Pauses<P> {
    /// By a way of pausing.
    pub fn new(pause: P) -> Self {
        Self {
            pause,
            last_ms: now_ms(),
            work: 0,
        }
    }

    /// A run begins: what happened before is no time without a pause.
    pub fn begin(&mut self) {
        self.last_ms = now_ms();
        self.work = 0;
    }

    /// Pauses if it is time, after so many multiplications since the last call.
    pub async fn after(&mut self, multiplications: u64) -> ControlFlow<()> {
        self.work += multiplications;
        if self.work < BETWEEN_LOOKS {
            return ControlFlow::Continue(());
        }
        self.work = 0;
        if now_ms() - self.last_ms < P::BETWEEN_MS {
            return ControlFlow::Continue(());
        }
        let flow = self.pause.pause().await;
        self.last_ms = now_ms();
        flow
    }
}
