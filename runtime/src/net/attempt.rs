//! One operation on a socket, tried until it need not wait: the future behind all that is done with datagrams.

use crate::registered::{Ready, Registered};
use crate::trace::{Side, charge_bytes};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What is tried on a socket.
pub trait Operation {
    /// What it gives.
    type Output;

    /// The side that it waits for.
    #[doc(hidden)]
    const SIDE: Side;

    /// One system call.
    #[doc(hidden)]
    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<Self::Output>;

    /// How many bytes it has moved, which are taken from the budget of the poll.
    #[doc(hidden)]
    fn bytes(&self, done: &Self::Output) -> usize;

    /// Whether it has found, though it succeeded, that there is nothing more to be had.
    #[doc(hidden)]
    fn has_drained(&self, done: &Self::Output) -> bool {
        let _ = done;
        false
    }
}

/// An operation on a socket under way; it is tried at once, and again whenever the kernel says that it is worth it.
///
/// # Cancel safety
/// Dropped while it waits, nothing was done: no datagram is lost, and none was sent. At one time, one task waits for each
/// side of a socket.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Attempt<'a, O> {
    ready: Ready<'a>,
    socket: BorrowedFd<'a>,
    operation: O,
}

impl<O: Operation + Unpin> Future for Attempt<'_, O> {
    type Output = io::Result<O::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            ready!(Pin::new(&mut this.ready).poll(cx))?;
            match this.operation.call(this.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => this.ready.refuse(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(done) => {
                    charge_bytes(this.operation.bytes(&done));
                    if this.operation.has_drained(&done) {
                        this.ready.spend();
                    }
                    return Poll::Ready(Ok(done));
                }
            }
        }
    }
}

/// The future of the operation.
pub(super) fn attempt<S, O>(io: &Registered<S>, operation: O) -> Attempt<'_, O>
where
    S: mio::event::Source + AsFd,
    O: Operation,
{
    Attempt { ready: io.ready(O::SIDE), socket: io.get().as_fd(), operation }
}

/// The operation within the poll of somebody else's future.
pub(super) fn poll_attempt<S, O>(
    io: &Registered<S>,
    cx: &mut Context<'_>,
    mut operation: O,
) -> Poll<io::Result<O::Output>>
where
    S: mio::event::Source + AsFd,
    O: Operation,
{
    let done = ready!(io.poll_io(O::SIDE, cx, |socket| operation.call(socket.as_fd())))?;
    charge_bytes(operation.bytes(&done));
    if operation.has_drained(&done) {
        io.spend(O::SIDE);
    }
    Poll::Ready(Ok(done))
}

/// The operation, once and without waiting.
pub(super) fn try_attempt<S, O>(io: &Registered<S>, mut operation: O) -> io::Result<O::Output>
where
    S: mio::event::Source + AsFd,
    O: Operation,
{
    let done = io.try_io(O::SIDE, |socket| operation.call(socket.as_fd()))?;
    if operation.has_drained(&done) {
        io.spend(O::SIDE);
    }
    Ok(done)
}
