//! From a buffered reader to a writer until the end.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{AsyncBufRead, AsyncWrite};

/// Writes all that `reader` gives to `writer`, straight out of the reader's buffer, flushes, and tells how many bytes
/// that were.
///
/// It allocates nothing. While the reader has nothing, the writer is flushed, so what was read is not kept back. At the
/// end the writer is flushed and not shut down.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io};
///
/// let mut reader = io::BufReader::new(&b"from here to there"[..]);
/// let mut writer = Vec::new();
/// assert_eq!(block_on(io::copy_buf(&mut reader, &mut writer)).unwrap(), 18);
/// assert_eq!(writer, b"from here to there");
/// ```
///
/// # Errors
/// What the reader or the writer reports, and [`ErrorKind::WriteZero`] when the writer takes no more. What was not
/// written is still in the reader.
///
/// # Cancel safety
/// The count is lost, and nothing else: what was not written is still in the reader.
pub fn copy_buf<'a, R: AsyncBufRead, W: AsyncWrite>(reader: &'a mut R, writer: &'a mut W) -> CopyBuf<'a, R, W> {
    CopyBuf { reader, writer, flushed: true, total: 0 }
}

/// The future that [`copy_buf`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct CopyBuf<'a, R, W> {
    reader: &'a mut R,
    writer: &'a mut W,
    /// Nothing was written since the last flush.
    flushed: bool,
    total: u64,
}

impl<R, W: AsyncWrite> CopyBuf<'_, R, W> {
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flushed {
            ready!(self.writer.poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead, W: AsyncWrite> Future for CopyBuf<'_, R, W> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(buffer) = this.reader.poll_fill_buf(cx)? else {
                // Ready or not, the reader is what it waits for.
                let _flushed = this.poll_flushed(cx)?;
                return Poll::Pending;
            };
            if buffer.is_empty() {
                ready!(this.poll_flushed(cx))?;
                return Poll::Ready(Ok(this.total));
            }
            match ready!(this.writer.poll_write(cx, buffer))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => {
                    this.reader.consume(count);
                    this.total += count as u64;
                    this.flushed = false;
                }
            }
        }
    }
}

impl<R, W> fmt::Debug for CopyBuf<'_, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBuf").field("total", &self.total).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::BufReader;
    use crate::io::testing::{Script, Tap, finish, poll};

    #[test]
    fn dropped_copy_leaves_in_the_reader_what_was_not_written() {
        let mut reader = BufReader::new(Script::new(b"abcdef", &[4, 0]));
        let mut writer = Tap::with_room([3, 0]);
        assert!(poll(&mut copy_buf(&mut reader, &mut writer)).is_pending()); // and dropped
        assert_eq!((&writer.written[..], reader.buffer()), (&b"abc"[..], &b"d"[..]));
        assert!(matches!(finish(copy_buf(&mut reader, &mut writer)), Ok(3)));
        assert_eq!((&writer.written[..], writer.flushed), (&b"abcdef"[..], 6));
    }

    #[test]
    fn writer_is_flushed_whenever_the_reader_has_nothing() {
        let mut reader = BufReader::new(Script::new(b"abc", &[2, 0]));
        let mut writer = Tap::default();
        let mut copy = copy_buf(&mut reader, &mut writer);
        assert!(poll(&mut copy).is_pending());
        assert_eq!(copy.writer.flushed, 2);
    }
}
