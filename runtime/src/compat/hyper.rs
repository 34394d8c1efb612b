//! What hyper 1 asks of a runtime (`hyper::rt`): streams, a timer, and somewhere to spawn.
//!
//! hyper's server and client run on this loop with their futures as they are, `Send` or not. `examples/11_axum.rs` serves an
//! axum application so.

use super::Compat;
use crate::io::{AsyncRead, AsyncWrite};
use crate::time::{self, sleep, sleep_until};
use ::hyper::rt;
use send_wrapper::SendWrapper;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How much is read at once. hyper lends memory that nobody has written to yet, which safe code cannot read into: the bytes
/// are read here and copied there.
const READ_BYTES: usize = 8 * 1024;

impl<S: AsyncRead> rt::Read for Compat<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ_BYTES];
        let room = buf.remaining().min(READ_BYTES);
        let count = ready!(self.stream.poll_read(cx, &mut bytes[..room]))?;
        buf.put_slice(&bytes[..count]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> rt::Write for Compat<S> {
    super::writes_as_ours!(poll_shutdown);

    /// So that hyper gathers head and body; a stream of ours that cannot takes the first piece.
    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Spawns on the loop of the thread that it is used on.
///
/// # Examples
/// ```
/// use evloop_runtime::compat::hyper::Executor;
/// use evloop_runtime::sync::oneshot;
/// use hyper::rt::Executor as _;
///
/// evloop_runtime::block_on(async {
///     let (sender, receiver) = oneshot::channel();
///     Executor.execute(async move { sender.send("spawned") });
///     assert_eq!(receiver.await, Ok("spawned"));
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + 'static,
    F::Output: 'static,
{
    /// # Panics
    /// When this thread is in no loop.
    fn execute(&self, future: F) {
        drop(crate::spawn(future)); // hyper does not ask after it again
    }
}

/// Sleeps on the timers of the loop of the thread that it is used on, by the loop's clock.
///
/// # Examples
/// ```
/// use evloop_runtime::compat::hyper::Timer;
/// use hyper::rt::Timer as _;
/// use std::time::Duration;
///
/// let runtime = evloop_runtime::Runtime::builder().manual_clock().build()?;
/// runtime.block_on(async { Timer.sleep(Duration::from_secs(3_600)).await });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Timer;

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(SendWrapper::new(sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(SendWrapper::new(sleep_until(deadline))))
    }

    fn now(&self) -> Instant {
        time::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut ours) => ours.0.reset_at(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// hyper wants sleeps that are `Send`, although it keeps them where they were made. This one is by its type; polled or
/// dropped on another thread, it panics.
struct Sleep(SendWrapper<time::Sleep>);

impl rt::Sleep for Sleep {}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut *self.0).poll(cx)
    }
}
