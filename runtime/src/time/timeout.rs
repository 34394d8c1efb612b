//! A future with a deadline.

use super::sleep::{Sleep, sleep, sleep_until};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{error, fmt, io};

/// Waits for `future`, at most for `duration` from now.
///
/// The future is polled first: one that is ready in time wins, also when its time is up by then.
///
/// # Errors
/// [`Elapsed`], when the time is up; the future is dropped with this one.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::time::timeout;
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     assert!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
///     assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
/// });
/// ```
///
/// # Cancel safety
/// That of the future inside.
#[track_caller]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(duration) }
}

/// Waits for `future`, at most until `deadline`; else as [`timeout`].
///
/// # Errors
/// [`Elapsed`], when the time is up.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Cancel safety
/// That of the future inside.
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(deadline) }
}

pin_project! {
    /// A future with a deadline; see [`timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future inside.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future inside, to be changed.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future inside, without its deadline.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(this.sleep).poll(cx).map(|()| Err(Elapsed(())))
    }
}

/// The time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
