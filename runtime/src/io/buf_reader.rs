//! A buffer in front of a reader.

use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::task::{Context, Poll, ready};

use super::{AsyncBufRead, AsyncRead, AsyncWrite, BufWriter};

/// How many bytes a [`BufReader`] or a [`BufWriter`] holds unless it is told otherwise, as many as std's.
pub const BUFFER_BYTES: usize = 8 * 1024;

/// Reads much at once from a stream, and gives it out as it is asked for.
///
/// The buffer is allocated, and zeroed, by the first read that needs it. It grows only for a line or piece that is
/// longer, and keeps that size. A read of a whole buffer's worth goes past an empty buffer, without a copy. What is
/// written goes to the stream at once.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncRead, BufReader}};
///
/// let mut stream = BufReader::new(&b"\x05hello"[..]);
/// block_on(async {
///     let mut word = vec![0; usize::from(stream.read_u8().await?)];
///     stream.read_exact(&mut word).await?;
///     assert_eq!(word, b"hello");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct BufReader<R> {
    inner: R,
    /// Invariant: all of it is initialised, so that a read needs no zeroing.
    storage: Vec<u8>,
    /// The part of the storage that was read and not consumed.
    filled: Range<usize>,
    /// The length of the storage when it is allocated.
    size: usize,
}

/// A buffer for each direction of a stream: `BufReader::new(BufWriter::new(stream))`.
///
/// What is written has to be [flushed](AsyncWrite::flush) before its answer is waited for: reading does not do that.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncBufRead, AsyncWrite, BufReader, BufStream, BufWriter, duplex};
/// use evloop_runtime::block_on;
///
/// let (client, mut server) = duplex(64);
/// let mut client: BufStream<_> = BufReader::new(BufWriter::new(client));
/// block_on(async {
///     client.write_all(b"one, ").await?; // to the buffer
///     client.write_all(b"two\n").await?;
///     client.flush().await?; // to the server
///     server.write_all(b"got it\n").await?;
///     let mut answer = String::new();
///     client.read_line(&mut answer, 80).await?;
///     assert_eq!(answer, "got it\n");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub type BufStream<S> = BufReader<BufWriter<S>>;

impl<R> BufReader<R> {
    /// A buffer of [`BUFFER_BYTES`] in front of `inner`.
    pub fn new(inner: R) -> BufReader<R> {
        BufReader::with_capacity(BUFFER_BYTES, inner)
    }

    /// A buffer of so many bytes, at least one, in front of `inner`.
    pub fn with_capacity(bytes: usize, inner: R) -> BufReader<R> {
        BufReader { inner, storage: Vec::new(), filled: 0..0, size: bytes.max(1) }
    }

    /// The stream that it reads from.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The stream that it reads from; what is read from it directly comes after what is in the buffer.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The stream that it reads from. What is in the [buffer](AsyncBufRead::buffer) is lost.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Room behind what was read: what was consumed makes some, else the storage doubles.
    fn make_room(&mut self) {
        if self.filled.start > 0 {
            self.storage.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        } else {
            let len = self.storage.len().saturating_mul(2).max(self.size);
            self.storage.resize(len, 0);
        }
    }
}

impl<R: AsyncRead> AsyncRead for BufReader<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.filled.is_empty() && buf.len() >= self.size {
            return self.inner.poll_read(cx, buf);
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut buffer = ready!(self.poll_fill_buf(cx))?;
        let count = io::Read::read(&mut buffer, buf)?;
        self.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncRead> AsyncBufRead for BufReader<R> {
    fn buffer(&self) -> &[u8] {
        &self.storage[self.filled.clone()]
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.filled.is_empty() {
            self.filled = 0..0;
        }
        if self.filled.end == self.storage.len() {
            self.make_room();
        }
        let count = ready!(self.inner.poll_read(cx, &mut self.storage[self.filled.end..]))?;
        self.filled.end += count;
        Poll::Ready(Ok(count))
    }

    fn consume(&mut self, count: usize) {
        assert!(count <= self.filled.len(), "{count} bytes consumed of {} in the buffer", self.filled.len());
        self.filled.start += count;
    }
}

/// What is written goes to the stream at once.
impl<R: AsyncWrite> AsyncWrite for BufReader<R> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.inner.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_shutdown(cx)
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("inner", &self.inner)
            .field("filled", &self.filled.len())
            .field("of", &self.storage.len())
            .finish_non_exhaustive()
    }
}
