//! Whether a device still lives, and who waits to hear of its end.

use std::sync::{Arc, Mutex, MutexGuard};

use futures_channel::oneshot;

/// The end of one device; clones know of the same.
#[derive(Clone, Default)]
pub(super) struct Loss(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    reason: Option<String>,
    waiting: Vec<oneshot::Sender<String>>,
}

impl Loss {
    /// The device is gone.
    pub fn note(&self, reason: String) {
        let mut state = self.state();
        for waiting in state.waiting.drain(..) {
            // Whoever gave up waiting need not be told.
            let _ = waiting.send(reason.clone());
        }
        state.reason = Some(reason);
    }

    /// Why the device went away, if it did.
    pub fn reason(&self) -> Option<String> {
        self.state().reason.clone()
    }

    /// Hears why the device went away, when it does or did.
    pub fn listen(&self) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        match state.reason.clone() {
            // The receiver is at hand.
            Some(reason) => drop(sender.send(reason)),
            None => state.waiting.push(sender),
        }
        receiver
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no one panics holding it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_listen_before_or_after_the_end_hear_its_reason() {
        let loss = Loss::default();
        assert_eq!(loss.reason(), None);
        let mut before = [loss.listen(), loss.clone().listen()];
        assert!(
            before
                .iter_mut()
                .all(|it| it.try_recv().is_ok_and(|it| it.is_none()))
        );
        drop(loss.listen());
        loss.note("unplugged".to_owned());
        let heard = before.into_iter().chain([loss.listen()]);
        for mut receiver in heard {
            assert_eq!(receiver.try_recv(), Ok(Some("unplugged".to_owned())));
        }
        assert_eq!(loss.reason().as_deref(), Some("unplugged"));
    }
}
