//! From a reader to a writer until the end.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{AsyncRead, AsyncWrite};

/// How many bytes [`copy`] holds at once: one read of it, and one write.
///
/// Enough to spread two system calls over, and little enough to be held by every connection that copies.
pub const COPY_BYTES: usize = 16 * 1024;

/// Writes all that `reader` gives to `writer`, flushes, and tells how many bytes that were.
///
/// It holds a buffer of [`COPY_BYTES`], allocated once. While the reader has nothing, the writer is flushed, so what
/// was read is not kept back. At the end the writer is flushed and not shut down. For no more than so many bytes, copy
/// from [`take(reader, limit)`](super::take()); a reader with a buffer of its own is copied without another by
/// [`copy_buf`](super::copy_buf()).
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io};
///
/// let (mut reader, mut writer) = (&b"from here to there"[..], Vec::new());
/// assert_eq!(block_on(io::copy(&mut reader, &mut writer)).unwrap(), 18);
/// assert_eq!(writer, b"from here to there");
/// ```
///
/// # Errors
/// What the reader or the writer reports, and [`ErrorKind::WriteZero`] when the writer takes no more.
///
/// # Cancel safety
/// Up to [`COPY_BYTES`] are lost: what was read and not yet written.
pub fn copy<'a, R: AsyncRead, W: AsyncWrite>(reader: &'a mut R, writer: &'a mut W) -> Copy<'a, R, W> {
    Copy { reader, writer, transfer: Transfer::new() }
}

/// The future that [`copy`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Copy<'a, R, W> {
    reader: &'a mut R,
    writer: &'a mut W,
    transfer: Transfer,
}

impl<R: AsyncRead, W: AsyncWrite> Future for Copy<'_, R, W> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.transfer.poll(cx, this.reader, this.writer))?;
        Poll::Ready(Ok(this.transfer.total))
    }
}

impl<R, W> fmt::Debug for Copy<'_, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy").field("total", &self.transfer.total).finish_non_exhaustive()
    }
}

/// How far a copy is, without the streams: what goes one way.
pub(super) struct Transfer {
    buffer: Box<[u8]>,
    /// The part of the buffer that was read and not yet written.
    unwritten: std::ops::Range<usize>,
    /// Nothing was written since the last flush.
    flushed: bool,
    /// The reader has come to its end.
    ended: bool,
    /// How many bytes the writer has taken.
    pub(super) total: u64,
}

impl Transfer {
    pub(super) fn new() -> Transfer {
        let buffer = vec![0; COPY_BYTES].into_boxed_slice();
        Transfer { buffer, unwritten: 0..0, flushed: true, ended: false, total: 0 }
    }

    /// Moves what there is; ready when the reader has come to its end, and all of it is written and flushed.
    pub(super) fn poll<R: AsyncRead, W: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_empty(cx, writer))?;
            if self.ended {
                return self.poll_flushed(cx, writer);
            }
            match reader.poll_read(cx, &mut self.buffer)? {
                Poll::Ready(count) => {
                    self.unwritten = 0..count;
                    self.ended = count == 0;
                }
                Poll::Pending => {
                    // Ready or not, the reader is what it waits for.
                    let _flushed = self.poll_flushed(cx, writer)?;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes until the buffer is empty.
    fn poll_empty<W: AsyncWrite>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            match ready!(writer.poll_write(cx, &self.buffer[self.unwritten.clone()]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => {
                    self.unwritten.start += count;
                    self.total += count as u64;
                    self.flushed = false;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flushed<W: AsyncWrite>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>> {
        if !self.flushed {
            ready!(writer.poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Gives one byte, then nothing yet, in turns, `left` times; then the end.
    struct Drip {
        left: usize,
        dry: bool,
    }

    impl AsyncRead for Drip {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.dry = !self.dry;
            if self.dry {
                return Poll::Pending;
            }
            let count = self.left.min(1);
            buf[..count].fill(b'x');
            self.left -= count;
            Poll::Ready(Ok(count))
        }
    }

    /// Takes three bytes at most, and counts how many of them were flushed.
    #[derive(Default)]
    struct Slow {
        written: usize,
        flushed: usize,
    }

    impl AsyncWrite for Slow {
        fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let count = buf.len().min(3);
            self.written += count;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushed = self.written;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            unreachable!("a copy does not end the writer")
        }
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn copy_flushes_what_it_has_each_time_it_waits() {
        let (mut reader, mut writer) = (Drip { left: 2, dry: false }, Slow::default());
        let mut copy = copy(&mut reader, &mut writer);
        for flushed in 0..=2 {
            assert!(poll(&mut copy).is_pending());
            assert_eq!(copy.writer.flushed, flushed);
        }
        assert!(matches!(poll(&mut copy), Poll::Ready(Ok(2))));
    }

    #[test]
    fn copy_of_more_than_a_buffer_to_a_slow_writer_loses_nothing() {
        let long = vec![1; 2 * COPY_BYTES + 1];
        let mut writer = Slow::default();
        assert!(matches!(poll(&mut copy(&mut &long[..], &mut writer)), Poll::Ready(Ok(32_769))));
        assert_eq!((writer.written, writer.flushed), (long.len(), long.len()));
    }
}
