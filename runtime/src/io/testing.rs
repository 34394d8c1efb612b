//! Streams that do as a test says, and a task that polls to the end.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{AsyncRead, AsyncWrite};
use crate::arena::Key;
use crate::trace;

/// Polls once.
pub(super) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls, each time as a task is polled, until it is ready: streams of a test do not wait for ever.
pub(super) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..10_000 {
        trace::begin_poll(Key::NONE);
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        trace::end_poll();
        if let Poll::Ready(output) = polled {
            return output;
        }
    }
    panic!("it waits for ever")
}

/// Gives bytes in reads of these sizes, zero standing for `Pending`; after the last all that is left at once.
#[derive(Debug)]
pub(super) struct Script {
    bytes: VecDeque<u8>,
    sizes: VecDeque<usize>,
}

impl Script {
    pub(super) fn new(bytes: &[u8], sizes: &[usize]) -> Script {
        Script { bytes: bytes.to_vec().into(), sizes: sizes.to_vec().into() }
    }

    /// How many reads of a given size were not made.
    pub(super) fn left(&self) -> usize {
        self.sizes.len()
    }
}

impl AsyncRead for Script {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let size = match self.sizes.pop_front() {
            Some(0) => return Poll::Pending,
            size => size.unwrap_or(usize::MAX),
        };
        let count = buf.len().min(size).min(self.bytes.len());
        buf[..count].iter_mut().zip(self.bytes.drain(..count)).for_each(|(place, byte)| *place = byte);
        Poll::Ready(Ok(count))
    }
}

/// Keeps what is written, with room of these sizes, zero standing for `Pending`; after the last it has room for all.
#[derive(Debug, Default)]
pub(super) struct Tap {
    rooms: VecDeque<usize>,
    /// It takes no more than so many bytes in all.
    broken_after: Option<usize>,
    gone: bool,
    calls: Vec<usize>,
    pub(super) written: Vec<u8>,
    /// How many of them were flushed.
    pub(super) flushed: usize,
    pub(super) ended: bool,
}

impl Tap {
    pub(super) fn with_room(rooms: impl Into<VecDeque<usize>>) -> Tap {
        Tap { rooms: rooms.into(), ..Tap::default() }
    }

    pub(super) fn broken_after(bytes: usize) -> Tap {
        Tap { broken_after: Some(bytes), ..Tap::default() }
    }

    /// It has nobody at its other end to be told of its end.
    pub(super) fn gone() -> Tap {
        Tap { gone: true, ..Tap::default() }
    }

    /// How many bytes each call has taken.
    pub(super) fn calls(&self) -> Vec<usize> {
        self.calls.clone()
    }
}

impl AsyncWrite for Tap {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(!self.ended, "nothing is written after the end");
        let mut room = match self.rooms.pop_front() {
            Some(0) => return Poll::Pending,
            room => room.unwrap_or(usize::MAX),
        };
        room = room.min(self.broken_after.map_or(usize::MAX, |most| most - self.written.len()));
        let before = self.written.len();
        for buf in bufs {
            let count = buf.len().min(room);
            self.written.extend_from_slice(&buf[..count]);
            room -= count;
        }
        self.calls.push(self.written.len() - before);
        Poll::Ready(Ok(self.written.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = self.written.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended = true;
        Poll::Ready(if self.gone { Err(ErrorKind::NotConnected.into()) } else { Ok(()) })
    }
}

/// A stream of the two.
#[derive(Debug)]
pub(super) struct Both {
    pub(super) read: Script,
    pub(super) write: Tap,
}

impl AsyncRead for Both {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read.poll_read(cx, buf)
    }
}

impl AsyncWrite for Both {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.write.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_shutdown(cx)
    }
}
