//! One signal, and then no more.

use super::kind::SignalKind;
use super::{Signal, signal};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Listens for one signal of that kind, from now on, and no longer once it has come: libuv's `uv_signal_start_oneshot`.
///
/// # Errors
/// As [`signal`]; and when awaited, as [`Signal::recv`].
///
/// # Panics
/// When this thread is in no loop; when it is polled after it was ready.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::{SignalKind, once, raise};
///
/// evloop_runtime::block_on(async {
///     let hangup = once(SignalKind::HANGUP)?;
///     raise(SignalKind::HANGUP)?;
///     hangup.await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancel safety
/// Dropped, it listens no more.
#[track_caller]
pub fn once(kind: SignalKind) -> io::Result<Once> {
    Ok(Once { signal: Some(signal(kind)?) })
}

/// One signal to come; see [`once`].
#[derive(Debug)]
#[must_use = "dropped, it listens no more"]
pub struct Once {
    /// There until it is ready.
    signal: Option<Signal>,
}

impl Once {
    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not.
    pub fn set_referenced(&self, referenced: bool) {
        if let Some(signal) = &self.signal {
            signal.set_referenced(referenced);
        }
    }
}

impl Future for Once {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let signal = self.signal.as_mut().expect("not polled after it was ready");
        let come = ready!(signal.poll_recv(cx));
        self.signal = None;
        Poll::Ready(come)
    }
}
