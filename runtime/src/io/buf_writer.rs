//! A buffer in front of a writer.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use super::{AsyncBufRead, AsyncRead, AsyncWrite, BUFFER_BYTES};

/// Gathers what is written in small pieces, and passes it on in large ones.
///
/// What was written reaches the stream when the buffer is full, or when it is [flushed](AsyncWrite::flush) or
/// [shut down](AsyncWrite::shutdown). A writer that is dropped without either loses what is in its buffer: there is
/// nobody to wait for the stream. The buffer is allocated by the first write that needs it and does not grow; a write
/// that is as large goes past it, in one call together with what is there.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncWrite, BufWriter}};
///
/// let mut stream = BufWriter::new(Vec::new());
/// block_on(async {
///     stream.write_all(b"one ").await?;
///     stream.write_all(b"call").await?;
///     assert!(stream.get_ref().is_empty());
///     stream.flush().await
/// })
/// .unwrap();
/// assert_eq!(stream.get_ref(), b"one call");
/// ```
pub struct BufWriter<W> {
    inner: W,
    buffer: Vec<u8>,
    /// How much of the buffer, from its front, the stream has taken.
    written: usize,
    /// Invariant: the buffer is no longer than this.
    size: usize,
}

impl<W> BufWriter<W> {
    /// A buffer of [`BUFFER_BYTES`] in front of `inner`.
    pub fn new(inner: W) -> BufWriter<W> {
        BufWriter::with_capacity(BUFFER_BYTES, inner)
    }

    /// A buffer of so many bytes in front of `inner`.
    pub fn with_capacity(bytes: usize, inner: W) -> BufWriter<W> {
        BufWriter { inner, buffer: Vec::new(), written: 0, size: bytes }
    }

    /// What was written and is not the stream's yet.
    pub fn unwritten(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// The stream that it writes to.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The stream that it writes to; what is written to it directly overtakes what is in the buffer.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The stream that it writes to. What is [unwritten](BufWriter::unwritten) is lost.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// The stream has taken so many bytes of the buffer.
    fn passed_on(&mut self, count: usize) {
        self.written += count;
        if self.written == self.buffer.len() {
            self.buffer.clear();
            self.written = 0;
        }
    }

    fn fits(&self, bytes: usize) -> bool {
        bytes <= self.size - self.buffer.len()
    }

    /// Keeps what [fits](BufWriter::fits).
    fn keep(&mut self, buf: &[u8]) {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(self.size);
        }
        self.buffer.extend_from_slice(buf);
    }
}

impl<W: AsyncWrite> BufWriter<W> {
    /// Passes on what is in the buffer.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.buffer.is_empty() {
            match ready!(self.inner.poll_write(cx, &self.buffer[self.written..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => self.passed_on(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes on what is in the buffer, and from `buf` what the stream takes with the last of it.
    fn poll_past(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        while !self.buffer.is_empty() {
            let unwritten = self.unwritten().len();
            let pieces = [IoSlice::new(&self.buffer[self.written..]), IoSlice::new(buf)];
            let count = ready!(self.inner.poll_write_vectored(cx, &pieces))?;
            if count == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.passed_on(count.min(unwritten));
            if count > unwritten {
                return Poll::Ready(Ok(count - unwritten));
            }
        }
        self.inner.poll_write(cx, buf)
    }
}

impl<W: AsyncWrite> AsyncWrite for BufWriter<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.len() >= self.size {
            return self.poll_past(cx, buf);
        }
        if !self.fits(buf.len()) {
            ready!(self.poll_empty(cx))?;
        }
        self.keep(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let total = bufs.iter().fold(0, |total: usize, buf| total.saturating_add(buf.len()));
        if self.fits(total) {
            for buf in bufs {
                self.keep(buf);
            }
            return Poll::Ready(Ok(total));
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| buf))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.inner.poll_shutdown(cx)
    }
}

/// What is read comes from the stream at once.
impl<W: AsyncRead> AsyncRead for BufWriter<W> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_read(cx, buf)
    }
}

/// The stream's own buffer.
impl<W: AsyncBufRead> AsyncBufRead for BufWriter<W> {
    fn buffer(&self) -> &[u8] {
        self.inner.buffer()
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_more(cx)
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("inner", &self.inner)
            .field("unwritten", &self.unwritten().len())
            .field("of", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Script, Tap, finish, poll};

    #[test]
    fn small_writes_reach_the_stream_as_one() {
        let mut writer = BufWriter::with_capacity(8, Tap::default());
        for piece in [&b"ab"[..], b"cd", b"ef"] {
            assert!(matches!(finish(writer.write_all(piece)), Ok(())));
        }
        assert_eq!(writer.unwritten(), b"abcdef");
        assert!(matches!(finish(writer.write_all(b"ghi")), Ok(())));
        assert_eq!((writer.get_ref().calls(), writer.unwritten()), (vec![6], &b"ghi"[..]));
        assert!(matches!(finish(writer.shutdown()), Ok(())));
        assert_eq!(writer.get_ref().written, b"abcdefghi");
        assert!(writer.get_ref().ended);
    }

    #[test]
    fn large_write_takes_what_was_before_it_along() {
        let mut writer = BufWriter::with_capacity(4, Tap::default());
        assert!(matches!(finish(writer.write_all(b"ab")), Ok(())));
        assert!(matches!(finish(writer.write_all(b"cdefgh")), Ok(())));
        assert_eq!((writer.get_ref().calls(), writer.unwritten()), (vec![8], &b""[..]));
    }

    #[test]
    fn write_that_waits_takes_nothing() {
        // Room for one byte, then twice none: the buffer goes out in part, and nothing of the new bytes is taken.
        let mut writer = BufWriter::with_capacity(4, Tap::with_room([1, 0, 0]));
        assert!(matches!(finish(writer.write_all(b"abc")), Ok(())));
        for piece in [&b"de"[..], b"defgh"] {
            assert!(poll(&mut writer.write(piece)).is_pending());
        }
        assert_eq!((writer.unwritten(), &writer.get_ref().written[..]), (&b"bc"[..], &b"a"[..]));
        assert!(matches!(finish(writer.write_all(b"defgh")), Ok(())));
        assert_eq!(writer.get_ref().written, b"abcdefgh");
    }

    #[test]
    fn vectored_write_that_fits_is_kept_whole() {
        let mut writer = BufWriter::with_capacity(4, Tap::default());
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert!(matches!(finish(writer.write_vectored(&pieces)), Ok(4)));
        assert_eq!(writer.unwritten(), b"abcd");
        assert!(matches!(finish(writer.write_vectored(&pieces)), Ok(2)));
        assert_eq!((writer.get_ref().calls(), writer.unwritten()), (vec![4], &b"ab"[..]));
    }

    #[test]
    fn stream_that_takes_no_more_is_an_error() {
        let mut writer = BufWriter::new(io::Cursor::new([0; 2]));
        assert!(matches!(finish(writer.write_all(b"abc")), Ok(())));
        assert_eq!(finish(writer.flush()).unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(writer.unwritten(), b"c");
    }

    #[test]
    fn reading_goes_past_the_buffer() {
        let mut stream = BufWriter::new(Script::new(b"abc", &[]));
        assert!(matches!(finish(stream.read(&mut [0; 8])), Ok(3)));
    }
}
