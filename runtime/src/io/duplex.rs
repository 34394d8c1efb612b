//! Streams in memory: what one task writes, another reads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::{AsyncRead, AsyncWrite};
use crate::trace::{self, Place, Wait};

/// Two ends of a connection in memory: what is written to the one is read from the other, and the other way round.
///
/// Each direction holds up to `bytes_max` bytes, for which room is allocated as it is needed; a writer that finds no
/// room waits. It behaves as a socket does: [`shutdown`](AsyncWrite::shutdown) ends one direction and leaves the other,
/// an end that is dropped is the end of what the peer reads, and an error of the kind [`ErrorKind::BrokenPipe`] when it
/// writes.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncRead, AsyncWrite, duplex}};
///
/// let (mut client, mut server) = duplex(64);
/// block_on(async {
///     client.write_all(b"ping").await?;
///     let mut question = [0; 4];
///     server.read_exact(&mut question).await?;
///     server.write_all(b"pong").await?;
///     drop(server);
///     let mut answer = Vec::new();
///     client.read_to_end(&mut answer).await?;
///     assert_eq!(answer, b"pong");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
///
/// # Panics
/// When `bytes_max` is zero.
#[track_caller]
pub fn duplex(bytes_max: usize) -> (DuplexStream, DuplexStream) {
    let (one, to_one) = simplex(bytes_max);
    let (other, to_other) = simplex(bytes_max);
    (DuplexStream { read: one, write: to_other }, DuplexStream { read: other, write: to_one })
}

/// The two ends of a pipe in memory: what is written to the second is read from the first.
///
/// It is one direction of what [`duplex`] makes.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, io::{AsyncRead, AsyncWrite, simplex}};
///
/// let (mut reader, mut writer) = simplex(4); // less than what goes through it
/// let write = async move { writer.write_all(b"bit by bit").await }; // and dropped
/// let mut text = String::new();
/// let (_, read) = block_on(join(write, reader.read_to_string(&mut text)));
/// assert_eq!(read.unwrap(), 10);
/// assert_eq!(text, "bit by bit");
/// ```
///
/// # Panics
/// When `bytes_max` is zero.
#[track_caller]
pub fn simplex(bytes_max: usize) -> (SimplexReader, SimplexWriter) {
    assert!(bytes_max > 0, "a pipe needs room for one byte at least, but its bound is 0");
    let made_at = Location::caller();
    let pipe =
        Pipe { bytes: VecDeque::new(), bytes_max, reader: None, writer: None, ended: false, unread: false, made_at };
    let pipe = Rc::new(RefCell::new(pipe));
    (SimplexReader { pipe: Rc::clone(&pipe) }, SimplexWriter { pipe })
}

/// What both ends of a pipe share. Wakers leave it before they are woken or dropped, which may be anybody's code.
struct Pipe {
    /// Invariant: at most `bytes_max`.
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// Who found nothing to read.
    reader: Option<Waker>,
    /// Who found no room.
    writer: Option<Waker>,
    /// Nothing more is written: the writing end was shut down or dropped.
    ended: bool,
    /// Nothing more is read: the reading end was dropped.
    unread: bool,
    made_at: Place,
}

impl Pipe {
    /// Moves what there is into the front of `buf`.
    fn take(&mut self, buf: &mut [u8]) -> usize {
        let (front, back) = self.bytes.as_slices();
        let first = front.len().min(buf.len());
        let second = back.len().min(buf.len() - first);
        buf[..first].copy_from_slice(&front[..first]);
        buf[first..first + second].copy_from_slice(&back[..second]);
        self.bytes.drain(..first + second);
        first + second
    }

    /// Moves what there is room for out of `bufs`.
    fn fill(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let before = self.bytes.len();
        for buf in bufs {
            let count = buf.len().min(self.bytes_max - self.bytes.len());
            self.bytes.extend(&buf[..count]);
        }
        self.bytes.len() - before
    }
}

/// Makes the place wake the task that polls now; gives back what must be dropped when nothing is borrowed.
fn keep(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => place.replace(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The reading end of a pipe in memory; see [`simplex`].
pub struct SimplexReader {
    pipe: Rc<RefCell<Pipe>>,
}

impl AsyncRead for SimplexReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(trace::poll_budget(cx));
        let mut pipe = self.pipe.borrow_mut();
        if pipe.bytes.is_empty() && !pipe.ended {
            let (old, made_at) = (keep(&mut pipe.reader, cx), pipe.made_at);
            drop(pipe);
            drop(old);
            trace::waits_for(Wait::Receive(made_at));
            return Poll::Pending;
        }
        let count = pipe.take(buf);
        let writer = pipe.writer.take();
        drop(pipe);
        wake(writer);
        trace::charge_bytes(count);
        Poll::Ready(Ok(count))
    }
}

impl Drop for SimplexReader {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.unread = true;
        pipe.bytes = VecDeque::new();
        let (own, writer) = (pipe.reader.take(), pipe.writer.take());
        drop(pipe);
        drop(own);
        wake(writer);
    }
}

impl fmt::Debug for SimplexReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipe = self.pipe.borrow();
        let (bytes, ended) = (pipe.bytes.len(), pipe.ended);
        drop(pipe); // where the formatter writes is foreign code
        f.debug_struct("SimplexReader").field("bytes", &bytes).field("ended", &ended).finish()
    }
}

/// The writing end of a pipe in memory; see [`simplex`].
pub struct SimplexWriter {
    pipe: Rc<RefCell<Pipe>>,
}

impl SimplexWriter {
    /// Nothing more is written.
    fn end(&self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.ended = true;
        let (own, reader) = (pipe.writer.take(), pipe.reader.take());
        drop(pipe);
        drop(own);
        wake(reader);
    }
}

impl AsyncWrite for SimplexWriter {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let is_nothing = bufs.iter().all(|buf| buf.is_empty());
        if !is_nothing {
            ready!(trace::poll_budget(cx));
        }
        let mut pipe = self.pipe.borrow_mut();
        if pipe.ended || pipe.unread {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if is_nothing {
            return Poll::Ready(Ok(0));
        }
        let count = pipe.fill(bufs);
        if count == 0 {
            let (old, made_at) = (keep(&mut pipe.writer, cx), pipe.made_at);
            drop(pipe);
            drop(old);
            trace::waits_for(Wait::Send(made_at));
            return Poll::Pending;
        }
        let reader = pipe.reader.take();
        drop(pipe);
        wake(reader);
        trace::charge_bytes(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what is written is the reader's
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimplexWriter {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for SimplexWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipe = self.pipe.borrow();
        let room = pipe.bytes_max - pipe.bytes.len();
        drop(pipe); // where the formatter writes is foreign code
        f.debug_struct("SimplexWriter").field("room", &room).finish_non_exhaustive()
    }
}

/// One end of a connection in memory; see [`duplex`].
#[derive(Debug)]
pub struct DuplexStream {
    read: SimplexReader,
    write: SimplexWriter,
}

impl DuplexStream {
    /// The two directions of this end, each to be used and dropped by itself.
    #[must_use]
    pub fn into_split(self) -> (SimplexReader, SimplexWriter) {
        (self.read, self.write)
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.read.poll_read(cx, buf)
    }
}

impl AsyncWrite for DuplexStream {
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

#[cfg(test)]
mod tests;
