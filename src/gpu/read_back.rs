//! Reading back what a GPU wrote: the one place where the host waits for the device.

use futures_channel::oneshot;

use super::{Gpu, GpuError};

/// How a read-back is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadBack {
    /// Natively the device is polled; in a browser the promise is awaited.
    #[default]
    Await,
    /// Empty submits until the data is there. Firefox looks for finished work only on a 100 ms
    /// timer and at every submit, so an awaited tiny read-back takes 100 ms, with waking under 1 ms.
    /// In Chromium waking makes long work slower: leave it off there.
    Wake,
}

impl Gpu {
    /// Maps the first `len` bytes of a buffer and gives what `read` makes of them.
    pub(super) async fn read_mapped<T>(
        &self,
        buffer: &wgpu::Buffer,
        len: u64,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let (sender, receiver) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, 0..len, move |result| {
            // The receiver is gone when the caller gave up waiting.
            let _ = sender.send(result);
        });
        let result = self.wait(receiver).await?;
        let refused = |reason: String| GpuError::Refused {
            what: "a read-back".to_owned(),
            reason,
        };
        if let Err(error) = result {
            self.hear_of_loss().await;
            self.check_alive()?;
            return Err(refused(error.to_string()));
        }
        let value = {
            let view = buffer
                .get_mapped_range(0..len)
                .map_err(|error| refused(error.to_string()))?;
            read(&view)
        };
        buffer.unmap();
        Ok(value)
    }

    #[cfg(not(target_arch = "wasm32"))]
    async fn wait<T>(&self, receiver: oneshot::Receiver<T>) -> Result<T, GpuError> {
        let lost = |reason: String| GpuError::DeviceLost { reason };
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| lost(error.to_string()))?;
        receiver.await.map_err(|error| lost(error.to_string()))
    }

    #[cfg(target_arch = "wasm32")]
    async fn wait<T>(&self, mut receiver: oneshot::Receiver<T>) -> Result<T, GpuError> {
        let lost = |_| GpuError::DeviceLost {
            reason: "the read-back was dropped".to_owned(),
        };
        if self.read_back() == ReadBack::Await {
            return receiver.await.map_err(lost);
        }
        loop {
            self.queue.submit([]);
            next_task().await;
            if let Some(result) = receiver.try_recv().map_err(lost)? {
                return Ok(result);
            }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Gpu {
    /// Natively the loss is noted before any buffer fails for it.
    async fn hear_of_loss(&self) {}
}

#[cfg(target_arch = "wasm32")]
impl Gpu {
    /// Lets the browser tell of a lost device, which it may do after a buffer has failed for it:
    /// Chromium refuses the pending read-backs first.
    async fn hear_of_loss(&self) {
        for _ in 0..TASKS_UNTIL_LOSS {
            if self.check_alive().is_err() {
                return;
            }
            next_task().await;
        }
    }
}

/// Tasks that are let run before a failed read-back counts as a defect: browsers put 4 ms between
/// them, so that this is a tenth of a second, once.
#[cfg(target_arch = "wasm32")]
const TASKS_UNTIL_LOSS: u32 = 25;

/// Lets the browser run its other tasks: resolves in a new task, after a timeout of 0.
#[cfg(target_arch = "wasm32")]
async fn next_task() {
    use wasm_bindgen::{JsCast, JsValue};
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let global = js_sys::global();
        let set_timeout = js_sys::Reflect::get(&global, &"setTimeout".into())
            .ok()
            .and_then(|it| it.dyn_into::<js_sys::Function>().ok())
            .expect("pages and workers have setTimeout");
        set_timeout
            .call2(&JsValue::UNDEFINED, &resolve, &0.into())
            .expect("setTimeout takes a function and a delay");
    });
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}
