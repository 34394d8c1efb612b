//! No more than so much of a stream.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use super::{AsyncBufRead, AsyncRead};

/// The first `limit` bytes of `reader`, then an end. Taken from `&mut reader`, the rest can be read afterwards.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncRead, take}};
///
/// let (mut stream, mut head) = (&b"headbody"[..], Vec::new());
/// block_on(take(&mut stream, 4).read_to_end(&mut head)).unwrap();
/// assert_eq!((&head[..], stream), (&b"head"[..], &b"body"[..]));
/// ```
pub fn take<R: AsyncRead>(reader: R, limit: u64) -> Take<R> {
    Take { reader, limit }
}

/// The first bytes of a stream, then an end; see [`take`].
#[derive(Debug)]
pub struct Take<R> {
    reader: R,
    limit: u64,
}

impl<R> Take<R> {
    /// How many bytes it may still give; fewer, if the stream ends before.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// From now on, it gives so many bytes more.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The stream itself; what is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The stream itself, with what is left of it.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// So much of `len` bytes is within the limit.
    fn within(&self, len: usize) -> usize {
        usize::try_from(self.limit).map_or(len, |limit| len.min(limit))
    }
}

impl<R: AsyncRead> AsyncRead for Take<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = self.within(buf.len());
        if room == 0 {
            return Poll::Ready(Ok(0)); // the stream is not asked: it might have to wait
        }
        let count = ready!(self.reader.poll_read(cx, &mut buf[..room]))?;
        self.limit -= count as u64;
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncBufRead> AsyncBufRead for Take<R> {
    fn buffer(&self) -> &[u8] {
        let buffer = self.reader.buffer();
        &buffer[..self.within(buffer.len())]
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.buffer().len();
        if before as u64 == self.limit {
            return Poll::Ready(Ok(0));
        }
        ready!(self.reader.poll_more(cx))?;
        Poll::Ready(Ok(self.buffer().len() - before))
    }

    fn consume(&mut self, count: usize) {
        assert!(count <= self.buffer().len(), "{count} bytes consumed of {}", self.buffer().len());
        self.reader.consume(count);
        self.limit -= count as u64;
    }
}

/// A line, a piece or a message is longer than its maximum; inside an [`io::Error`] of the kind
/// [`ErrorKind::InvalidData`] when it was read, [`ErrorKind::InvalidInput`] when it was to be written.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncBufRead, TooLong}};
///
/// let mut stream = &b"a line"[..];
/// let error = block_on(stream.read_line(&mut String::new(), 4)).unwrap_err();
/// let too_long = error.get_ref().and_then(|inside| inside.downcast_ref::<TooLong>());
/// assert_eq!(too_long, Some(&TooLong { bytes_max: 4 }));
/// assert_eq!(error.to_string(), "longer than the maximum of 4 bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// The maximum.
    pub bytes_max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longer than the maximum of {} bytes", self.bytes_max)
    }
}

impl Error for TooLong {}

impl From<TooLong> for io::Error {
    fn from(error: TooLong) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::BufReader;
    use crate::io::testing::{Script, finish};

    #[test]
    fn take_ends_at_its_limit_and_asks_no_further() {
        let mut head = take(Script::new(b"abcdef", &[2, 2, 0, 0]), 4);
        let mut bytes = Vec::new();
        assert!(matches!(finish(head.read_to_end(&mut bytes)), Ok(4)));
        assert_eq!((&bytes[..], head.limit()), (&b"abcd"[..], 0));
        assert_eq!(head.get_ref().left(), 2);
    }

    #[test]
    fn stream_that_ends_before_the_limit_ends() {
        let mut head = take(&b"ab"[..], u64::MAX);
        assert!(matches!(finish(head.read_to_end(&mut Vec::new())), Ok(2)));
        assert_eq!(head.limit(), u64::MAX - 2);
    }

    #[test]
    fn lines_of_the_first_bytes_leave_the_rest_in_the_buffer() {
        let mut reader = BufReader::new(Script::new(b"a\nbcd\ne", &[3]));
        let mut lines = take(&mut reader, 4).lines(80);
        assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "a"));
        assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "bc"));
        assert!(matches!(finish(lines.next()), Ok(None)));
        assert_eq!(reader.buffer(), b"d\ne");
    }
}
