//! Streams without another end: one gives nothing, one takes everything, one always gives the same.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::{AsyncBufRead, AsyncRead, AsyncWrite};
use crate::trace;

/// A reader that is at its end.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{self, AsyncRead}};
///
/// assert_eq!(block_on(io::empty().read(&mut [0; 8])).unwrap(), 0);
/// ```
#[must_use]
pub const fn empty() -> Empty {
    Empty(())
}

/// A reader that is at its end; see [`empty`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Empty(());

impl AsyncRead for Empty {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }
}

impl AsyncBufRead for Empty {
    fn buffer(&self) -> &[u8] {
        &[]
    }

    fn poll_more(&mut self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn consume(&mut self, count: usize) {
        assert_eq!(count, 0, "nothing is there to be consumed");
    }
}

/// A writer that takes everything and forgets it.
///
/// # Examples
/// To read to the end of a stream and keep nothing:
/// ```
/// use evloop_runtime::{block_on, io};
///
/// let mut stream = &b"not of interest"[..];
/// assert_eq!(block_on(io::copy(&mut stream, &mut io::sink())).unwrap(), 15);
/// ```
#[must_use]
pub const fn sink() -> Sink {
    Sink(())
}

/// A writer that takes everything and forgets it; see [`sink`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Sink(());

impl AsyncWrite for Sink {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A reader that gives this byte for ever.
///
/// It takes from the poll's budget, so who reads without an end lets other tasks run.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{self, AsyncRead}};
///
/// let mut dashes = String::new();
/// block_on(io::take(io::repeat(b'-'), 4).read_to_string(&mut dashes)).unwrap();
/// assert_eq!(dashes, "----");
/// ```
#[must_use]
pub const fn repeat(byte: u8) -> Repeat {
    Repeat(byte)
}

/// A reader that gives one byte for ever; see [`repeat`].
#[derive(Debug, Clone, Copy)]
pub struct Repeat(u8);

impl AsyncRead for Repeat {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(trace::poll_budget(cx));
        trace::charge_bytes(buf.len());
        buf.fill(self.0);
        Poll::Ready(Ok(buf.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{finish, poll};
    use crate::io::{copy, take};

    #[test]
    fn copy_without_an_end_lets_others_run() {
        assert!(poll(&mut copy(&mut repeat(1), &mut sink())).is_pending());
        trace::end_poll();
    }

    #[test]
    fn copy_of_much_comes_to_its_end() {
        assert!(matches!(finish(copy(&mut take(repeat(1), 10_000_000), &mut sink())), Ok(10_000_000)));
    }
}
