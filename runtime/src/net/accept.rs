//! Accepting, whatever kind of socket listens: which errors are one connection's, and which call for a pause.

use super::TcpListener;
use crate::registered::Registered;
use crate::time::{Sleep, sleep, turn_now};
use crate::trace::Side;
use mio::event::Source;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How long accepting pauses when there are no descriptors: long enough for a busy server to close some, short enough
/// that a client hardly notices.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the log does not repeat that accepting pauses.
const SILENCE: Duration = Duration::from_secs(10);

/// A listening socket, and the pause that it makes at times.
#[derive(Debug)]
pub(super) struct Accepting<S: Source> {
    pub(super) io: Registered<S>,
    pause: RefCell<Option<Sleep>>,
    /// When a pause was last told of.
    told: Cell<Option<Instant>>,
}

impl<S: Source + AsRawFd> Accepting<S> {
    #[track_caller]
    pub(super) fn new(socket: S) -> io::Result<Accepting<S>> {
        Ok(Accepting { io: Registered::new(socket)?, pause: RefCell::new(None), told: Cell::new(None) })
    }

    /// Says that accepting pauses, unless that was said a short while ago: a server that has no descriptors left pauses
    /// again and again.
    fn tell_of_pause(&self, error: &io::Error) {
        let now = turn_now();
        if self.told.get().is_none_or(|told| now.saturating_duration_since(told) >= SILENCE) {
            self.told.set(Some(now));
            log::warn!("accepting pauses for {} ms at a time: {error}", PAUSE.as_millis());
        }
    }

    /// Waits until `accept` gives a connection, or an error that is the listener's own.
    pub(super) fn poll_accept<C>(
        &self,
        cx: &mut Context<'_>,
        accept: impl Fn(&S) -> io::Result<C>,
    ) -> Poll<io::Result<C>> {
        loop {
            if let Some(pause) = &mut *self.pause.borrow_mut() {
                ready!(Pin::new(pause).poll(cx));
            }
            *self.pause.borrow_mut() = None;
            match ready!(self.io.poll_io(Side::Read, cx, &accept)) {
                Err(error) if is_exhausted(&error) => {
                    self.tell_of_pause(&error);
                    *self.pause.borrow_mut() = Some(sleep(PAUSE));
                }
                Err(error) if is_of_the_connection(&error) => {
                    log::debug!("a connection failed before it was accepted: {error}");
                }
                done => return Poll::Ready(done),
            }
        }
    }
}

/// A listener, as [`Accept`] sees it.
pub trait Accepts {
    /// The stream, and the client's address.
    type Connection;

    /// Polls for a connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>>;

    /// Names the last wait for a connection.
    fn last_wait(&self) -> u32;

    /// A future that waited for a connection is dropped.
    fn give_up(&self, wait: u32);
}

/// A connection to come; see [`TcpListener::accept`] and [`UnixListener::accept`](super::UnixListener::accept).
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Accept<'a, L: Accepts = TcpListener> {
    listener: &'a L,
    waits: Option<u32>,
}

impl<'a, L: Accepts> Accept<'a, L> {
    pub(super) fn new(listener: &'a L) -> Accept<'a, L> {
        Accept { listener, waits: None }
    }
}

impl<L: Accepts> Future for Accept<'_, L> {
    type Output = io::Result<L::Connection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.listener.poll_accept(cx);
        self.waits = polled.is_pending().then(|| self.listener.last_wait());
        polled
    }
}

impl<L: Accepts> Drop for Accept<'_, L> {
    fn drop(&mut self) {
        if let Some(wait) = self.waits {
            self.listener.give_up(wait);
        }
    }
}

/// The process or the system has no more of something; trying again at once would only spin.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// The error is one connection's, which is out of the queue now; accept(2), "Error handling", names them.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
        )
    )
}
