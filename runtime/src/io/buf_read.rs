//! Reading through a buffer: the trait, and the futures that its methods return.
//!
//! It differs from std's `BufRead` in one thing: the buffer can be asked for more while there is something in it. So a
//! line is looked for in the buffer, and leaves it only when it is whole. Nothing is lost when a read is given up
//! half-way, nor when the line is too long or is no text; Python's `asyncio.StreamReader.readuntil` keeps its bytes in
//! the same way.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::lines::{Chunks, Lines, Split};
use super::{AsyncRead, TooLong};

/// Gives bytes as they come, out of a buffer in which one can look ahead.
///
/// What is read piece by piece takes a maximum: without one, a peer that never sends a delimiter would decide how much
/// memory is taken. The buffer grows to twice that maximum, at most, unless it was larger from the beginning.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
///
/// let mut stream = BufReader::new(&b"GET / HTTP/1.0\r\nhost: here\r\n"[..]);
/// let mut line = String::new();
/// assert_eq!(block_on(stream.read_line(&mut line, 8192)).unwrap(), 16);
/// assert_eq!(line, "GET / HTTP/1.0\r\n");
/// ```
pub trait AsyncBufRead: AsyncRead {
    /// The bytes that were read from the stream and not consumed yet.
    fn buffer(&self) -> &[u8];

    /// Reads once, behind what is in the buffer, and tells how many bytes came; zero is the end of the stream.
    ///
    /// A full buffer grows, so who calls this without consuming must bound it. When nothing is there yet, it keeps the
    /// waker of `cx` (the last one it was given) and is `Pending`.
    ///
    /// # Errors
    /// What the stream reports; never [`ErrorKind::WouldBlock`]. The buffer is as it was.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Takes `count` bytes from the front of the buffer.
    ///
    /// # Panics
    /// When the buffer holds fewer.
    fn consume(&mut self, count: usize);

    /// The buffer, once there is something in it; an empty one is the end of the stream.
    ///
    /// # Errors
    /// What the stream reports.
    fn poll_fill_buf(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.buffer().is_empty() {
            ready!(self.poll_more(cx))?;
        }
        Poll::Ready(Ok(Self::buffer(self)))
    }

    /// Waits until there is something in the buffer, and shows it; an empty one is the end of the stream. What one has
    /// used of it is to be [consumed](AsyncBufRead::consume).
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let mut stream = BufReader::new(&b"abc"[..]);
    /// assert_eq!(block_on(stream.fill_buf()).unwrap(), b"abc");
    /// stream.consume(2);
    /// assert_eq!(block_on(stream.fill_buf()).unwrap(), b"c");
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was read is in the buffer.
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Sized,
    {
        FillBuf { reader: Some(self) }
    }

    /// Appends all up to `delimiter` and including it to `bytes`, and tells how many bytes that were; zero is the end
    /// of the stream. What comes after the last delimiter is given without one.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let (mut stream, mut bytes) = (BufReader::new(&b"one;two"[..]), Vec::new());
    /// assert_eq!(block_on(stream.read_until(b';', &mut bytes, 80)).unwrap(), 4);
    /// assert_eq!(bytes, b"one;");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::InvalidData`] with [`TooLong`] inside when more than `bytes_max` bytes
    /// come in front of the delimiter. They stay in the buffer: [`skip_until`](AsyncBufRead::skip_until) gets past
    /// them.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing leaves the buffer and `bytes` is as it was.
    fn read_until<'a>(&'a mut self, delimiter: u8, bytes: &'a mut Vec<u8>, bytes_max: usize) -> ReadUntil<'a, Self>
    where
        Self: Sized,
    {
        ReadUntil { reader: self, bytes, search: Search::new(delimiter, bytes_max) }
    }

    /// Throws away all up to `delimiter` and including it, and tells how many bytes that were; zero is the end of the
    /// stream. However many they are, the buffer does not grow.
    ///
    /// # Examples
    /// To go on after a line that is too long:
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let (mut stream, mut line) = (BufReader::new(&b"much too long\nshort\n"[..]), String::new());
    /// block_on(async {
    ///     stream.read_line(&mut line, 8).await.unwrap_err();
    ///     assert_eq!(stream.skip_until(b'\n').await?, 14);
    ///     stream.read_line(&mut line, 8).await
    /// })
    /// .unwrap();
    /// assert_eq!(line, "short\n");
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// The count is lost. What was thrown away remains so, and the next call goes on from there.
    fn skip_until(&mut self, delimiter: u8) -> SkipUntil<'_, Self>
    where
        Self: Sized,
    {
        SkipUntil { reader: self, delimiter, total: 0 }
    }

    /// Appends a line with its end to `line`, and tells how many bytes that were; zero is the end of the stream.
    ///
    /// A line ends with `\n`; the last one may do without. A string that is cleared and used again costs no allocation
    /// a line.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let (mut stream, mut line) = (BufReader::new(&b"one\ntwo"[..]), String::new());
    /// assert_eq!(block_on(stream.read_line(&mut line, 80)).unwrap(), 4);
    /// assert_eq!(block_on(stream.read_line(&mut line, 80)).unwrap(), 3);
    /// assert_eq!(line, "one\ntwo");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::InvalidData`]: with [`TooLong`] inside when more than `bytes_max`
    /// bytes come in front of the line's end, and with [`Utf8Error`](std::str::Utf8Error) inside when the line is not
    /// UTF-8. In both cases the line stays in the buffer, to be read as bytes or skipped.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing leaves the buffer and `line` is as it was.
    fn read_line<'a>(&'a mut self, line: &'a mut String, bytes_max: usize) -> ReadLine<'a, Self>
    where
        Self: Sized,
    {
        ReadLine { reader: self, line, search: Search::new(b'\n', bytes_max) }
    }

    /// The stream line by line, without the `\n` or `\r\n` at their ends.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let mut lines = BufReader::new(&b"one\r\ntwo"[..]).lines(80);
    /// block_on(async {
    ///     assert_eq!(lines.next().await?.as_deref(), Some("one"));
    ///     assert_eq!(lines.next().await?.as_deref(), Some("two"));
    ///     assert_eq!(lines.next().await?, None);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    fn lines(self, bytes_max: usize) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines { reader: self, bytes_max }
    }

    /// The stream piece by piece, without the `delimiter` between them.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let mut pieces = BufReader::new(&b"one\0two\0"[..]).split(0, 80);
    /// assert_eq!(block_on(pieces.next()).unwrap().unwrap(), b"one");
    /// ```
    fn split(self, delimiter: u8, bytes_max: usize) -> Split<Self>
    where
        Self: Sized,
    {
        Split { reader: self, delimiter, bytes_max }
    }

    /// The stream as it comes, in pieces that may be kept.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncBufRead, BufReader}};
    ///
    /// let mut chunks = BufReader::with_capacity(4, &b"abcdef"[..]).chunks();
    /// assert_eq!(block_on(chunks.next()).unwrap().unwrap(), "abcd");
    /// ```
    fn chunks(self) -> Chunks<Self>
    where
        Self: Sized,
    {
        Chunks { reader: self }
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufRead for &mut R {
    fn buffer(&self) -> &[u8] {
        (**self).buffer()
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        (**self).poll_more(cx)
    }

    fn consume(&mut self, count: usize) {
        (**self).consume(count);
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufRead for Box<R> {
    fn buffer(&self) -> &[u8] {
        (**self).buffer()
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        (**self).poll_more(cx)
    }

    fn consume(&mut self, count: usize) {
        (**self).consume(count);
    }
}

/// All of it is in the buffer from the beginning.
impl AsyncBufRead for &[u8] {
    fn buffer(&self) -> &[u8] {
        self
    }

    fn poll_more(&mut self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn consume(&mut self, count: usize) {
        *self = &self[count..];
    }
}

/// Where the first such byte is. std finds it with the system's `memchr`.
pub(super) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let passed = io::BufRead::skip_until(&mut rest, byte).expect("memory does not fail");
    bytes[..passed].last().filter(|last| **last == byte).map(|_| passed - 1)
}

/// Looks for a delimiter in a buffer that grows meanwhile, and at no byte twice.
#[derive(Debug)]
pub(super) struct Search {
    delimiter: u8,
    bytes_max: usize,
    /// So many bytes at the front of the buffer are none.
    scanned: usize,
}

impl Search {
    pub(super) fn new(delimiter: u8, bytes_max: usize) -> Search {
        Search { delimiter, bytes_max, scanned: 0 }
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// How many bytes of the buffer are up to the delimiter and including it, or to the end of the stream.
    pub(super) fn poll<R: AsyncBufRead>(&mut self, reader: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let found = ready!(self.poll_find(reader, cx));
        self.scanned = 0; // what follows begins anew
        Poll::Ready(found)
    }

    fn poll_find<R: AsyncBufRead>(&mut self, reader: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let buffer = reader.buffer();
            let end = buffer.len().min(self.bytes_max.saturating_add(1));
            if let Some(at) = find(self.delimiter, &buffer[self.scanned..end]) {
                return Poll::Ready(Ok(self.scanned + at + 1));
            }
            self.scanned = end;
            if end > self.bytes_max {
                return Poll::Ready(Err(TooLong { bytes_max: self.bytes_max }.into()));
            }
            if ready!(reader.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(self.scanned));
            }
        }
    }
}

/// The future that [`AsyncBufRead::fill_buf`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct FillBuf<'a, R> {
    /// There until the buffer is shown.
    reader: Option<&'a mut R>,
}

impl<'a, R: AsyncBufRead> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = &mut self.get_mut().reader;
        let reader = place.as_mut().expect("a future is not polled after it was ready");
        ready!(reader.poll_fill_buf(cx))?;
        let reader = place.take().expect("it was there above");
        Poll::Ready(Ok(R::buffer(reader)))
    }
}

impl<R> fmt::Debug for FillBuf<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FillBuf").finish_non_exhaustive()
    }
}

/// The future that [`AsyncBufRead::read_until`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadUntil<'a, R> {
    reader: &'a mut R,
    bytes: &'a mut Vec<u8>,
    search: Search,
}

impl<R: AsyncBufRead> Future for ReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = ready!(this.search.poll(this.reader, cx))?;
        this.bytes.extend_from_slice(&this.reader.buffer()[..count]);
        this.reader.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl<R> fmt::Debug for ReadUntil<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadUntil").field("search", &self.search).finish_non_exhaustive()
    }
}

/// The future that [`AsyncBufRead::skip_until`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SkipUntil<'a, R> {
    reader: &'a mut R,
    delimiter: u8,
    total: u64,
}

impl<R: AsyncBufRead> Future for SkipUntil<'_, R> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let buffer = ready!(this.reader.poll_fill_buf(cx))?;
            let found = find(this.delimiter, buffer);
            let count = found.map_or(buffer.len(), |at| at + 1);
            this.reader.consume(count);
            this.total += count as u64;
            if found.is_some() || count == 0 {
                return Poll::Ready(Ok(this.total));
            }
        }
    }
}

impl<R> fmt::Debug for SkipUntil<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkipUntil").field("total", &self.total).finish_non_exhaustive()
    }
}

/// The future that [`AsyncBufRead::read_line`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadLine<'a, R> {
    reader: &'a mut R,
    line: &'a mut String,
    search: Search,
}

impl<R: AsyncBufRead> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = ready!(this.search.poll(this.reader, cx))?;
        this.line.push_str(text(&this.reader.buffer()[..count])?);
        this.reader.consume(count);
        Poll::Ready(Ok(count))
    }
}

impl<R> fmt::Debug for ReadLine<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLine").field("search", &self.search).finish_non_exhaustive()
    }
}

/// These bytes as text.
pub(super) fn text(bytes: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests;
