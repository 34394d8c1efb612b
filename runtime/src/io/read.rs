//! The reading side: the trait, and the futures that its methods return.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use super::number::{numbers, read_methods};
use super::{ReadBuf, ReadNumber, ReadToEnd, ReadToString};

/// Gives bytes as they come.
///
/// # Examples
/// A stream of one's own implements one method and is given the others:
/// ```
/// use evloop_runtime::{block_on, io::AsyncRead};
/// use std::task::{Context, Poll};
///
/// /// Counts, for ever.
/// struct Counter(u8);
///
/// impl AsyncRead for Counter {
///     fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<std::io::Result<usize>> {
///         for byte in &mut *buf {
///             *byte = self.0;
///             self.0 = self.0.wrapping_add(1);
///         }
///         Poll::Ready(Ok(buf.len()))
///     }
/// }
///
/// let mut bytes = [0; 4];
/// block_on(Counter(1).read_exact(&mut bytes)).unwrap();
/// assert_eq!(bytes, [1, 2, 3, 4]);
/// ```
pub trait AsyncRead {
    /// Reads into the front of `buf` and tells how many bytes; zero is the end of the stream, or an empty `buf`.
    ///
    /// When nothing is there yet, it keeps the waker of `cx` (the last one it was given) and is `Pending`; bytes are
    /// never taken from the stream by a call that is `Pending` or fails.
    ///
    /// # Errors
    /// What the stream reports; never [`ErrorKind::WouldBlock`].
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads what there is, at least one byte, into the front of `buf`; zero is the end of the stream, or an empty
    /// `buf`.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncRead};
    ///
    /// let (mut stream, mut buf) = (&b"abc"[..], [0; 16]);
    /// assert_eq!(block_on(stream.read(&mut buf)).unwrap(), 3);
    /// assert_eq!(block_on(stream.read(&mut buf)).unwrap(), 0);
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing has been read.
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Sized,
    {
        Read { reader: self, buf }
    }

    /// Fills `buf` to its end.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncRead};
    /// use std::io::ErrorKind;
    ///
    /// let (mut stream, mut buf) = (&b"abc"[..], [0; 2]);
    /// block_on(stream.read_exact(&mut buf)).unwrap();
    /// assert_eq!(&buf, b"ab");
    /// let error = block_on(stream.read_exact(&mut buf)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::UnexpectedEof`] when it ends before `buf` is full. The bytes that came
    /// before the error lie in `buf`; how many, is not known.
    ///
    /// # Cancel safety
    /// The count is lost: a part of `buf` may have been filled, and those bytes are no longer in the stream.
    fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Sized,
    {
        ReadExact { reader: self, buf, filled: 0 }
    }

    /// Appends all that comes until the end of the stream to `bytes` and tells how many bytes that were.
    ///
    /// There is no bound: whoever is at the other end decides how much memory this takes. Use it with streams that you
    /// trust, or with a [part](super::take()) of one.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncRead};
    ///
    /// let mut bytes = b"to be ".to_vec();
    /// let mut stream = &b"continued"[..];
    /// assert_eq!(block_on(stream.read_to_end(&mut bytes)).unwrap(), 9);
    /// assert_eq!(bytes, b"to be continued");
    /// ```
    ///
    /// # Errors
    /// What the stream reports. The bytes that came before the error are in `bytes`.
    ///
    /// # Cancel safety
    /// Nothing is lost: all that was read is in `bytes`, and nothing else.
    fn read_to_end<'a>(&'a mut self, bytes: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Sized,
    {
        ReadToEnd { reader: self, bytes, total: 0 }
    }

    /// Appends all that comes until the end of the stream to `text` and tells how many bytes that were.
    ///
    /// There is no bound, as with [`read_to_end`](AsyncRead::read_to_end); [`take`](super::take()) sets one.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::{AsyncRead, take}};
    ///
    /// let mut text = String::new();
    /// assert_eq!(block_on(take(&b"words"[..], 80).read_to_string(&mut text)).unwrap(), 5);
    /// assert_eq!(text, "words");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::InvalidData`] when it is not UTF-8: the error has a
    /// [`FromUtf8Error`](std::string::FromUtf8Error) inside, and that all bytes. In either case `text` is as it was.
    ///
    /// # Cancel safety
    /// All that was read is lost, and `text` is as it was. [`read_to_end`](AsyncRead::read_to_end) loses nothing.
    fn read_to_string<'a>(&'a mut self, text: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Sized,
    {
        ReadToString { reader: self, text, bytes: Vec::new() }
    }

    /// Reads what there is, at least one byte, behind what is in `bytes`; zero is the end of the stream.
    ///
    /// It reads into what the buffer has spare, 16 KiB at most, and where that is next to nothing makes room for
    /// [`BUFFER_BYTES`](super::BUFFER_BYTES) more. The room is zeroed by each call, for a buffer of this kind does not
    /// know what was initialised before; a [`BufReader`](super::BufReader) zeroes once.
    ///
    /// # Examples
    /// ```
    /// use bytes::BytesMut;
    /// use evloop_runtime::{block_on, io::AsyncRead};
    ///
    /// let (mut stream, mut bytes) = (&b"continued"[..], BytesMut::from("to be "));
    /// assert_eq!(block_on(stream.read_buf(&mut bytes)).unwrap(), 9);
    /// assert_eq!(bytes, "to be continued");
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing has been read.
    fn read_buf<'a>(&'a mut self, bytes: &'a mut BytesMut) -> ReadBuf<'a, Self>
    where
        Self: Sized,
    {
        ReadBuf { reader: self, bytes }
    }

    numbers!(read_methods);
}

impl<R: AsyncRead + ?Sized> AsyncRead for &mut R {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }
}

impl<R: AsyncRead + ?Sized> AsyncRead for Box<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }
}

/// Bytes in memory are always there; the slice shrinks from the front as it is read.
impl AsyncRead for &[u8] {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(self, buf))
    }
}

/// The future that [`AsyncRead::read`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Read<'a, R> {
    reader: &'a mut R,
    buf: &'a mut [u8],
}

impl<R: AsyncRead> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.reader.poll_read(cx, this.buf)
    }
}

impl<R> fmt::Debug for Read<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").field("room", &self.buf.len()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncRead::read_exact`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadExact<'a, R> {
    reader: &'a mut R,
    buf: &'a mut [u8],
    /// How much of `buf`, from its front, has been read.
    filled: usize,
}

impl<R: AsyncRead> Future for ReadExact<'_, R> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while this.filled < this.buf.len() {
            match ready!(this.reader.poll_read(cx, &mut this.buf[this.filled..]))? {
                0 => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                count => this.filled += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<R> fmt::Debug for ReadExact<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadExact").field("filled", &self.filled).field("of", &self.buf.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::task::Waker;

    /// A stream that plays its script: bytes, or nothing yet.
    struct Script(VecDeque<Option<&'static [u8]>>);

    impl Script {
        fn new<const N: usize>(steps: [Option<&'static [u8]>; N]) -> Script {
            Script(steps.into())
        }
    }

    impl AsyncRead for Script {
        fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            match self.0.pop_front() {
                None => Poll::Ready(Ok(0)),
                Some(None) => Poll::Pending,
                Some(Some(mut bytes)) => {
                    let count = ready!(bytes.poll_read(cx, buf))?;
                    if !bytes.is_empty() {
                        self.0.push_front(Some(bytes));
                    }
                    Poll::Ready(Ok(count))
                }
            }
        }
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn dropped_read_takes_nothing() {
        let mut stream = Script::new([None, Some(b"abc")]);
        let mut buf = [0; 8];
        assert!(poll(&mut stream.read(&mut buf)).is_pending());
        assert!(matches!(poll(&mut stream.read(&mut buf)), Poll::Ready(Ok(3))));
        assert_eq!(&buf[..3], b"abc");
    }

    #[test]
    fn read_exact_goes_on_where_it_stopped_and_leaves_the_rest() {
        let mut stream = Script::new([Some(b"ab"), None, Some(b"cdef")]);
        let mut buf = [0; 4];
        let mut read = stream.read_exact(&mut buf);
        assert!(poll(&mut read).is_pending());
        assert!(matches!(poll(&mut read), Poll::Ready(Ok(()))));
        assert_eq!(&buf, b"abcd");
        assert!(matches!(poll(&mut stream.read(&mut buf)), Poll::Ready(Ok(2))));
    }

    #[test]
    fn read_exact_of_nothing_asks_for_nothing() {
        let mut stream = Script::new([None]);
        assert!(matches!(poll(&mut stream.read_exact(&mut [])), Poll::Ready(Ok(()))));
    }

    #[test]
    fn read_to_end_holds_what_was_read_each_time_it_waits() {
        let mut stream = Script::new([Some(b"ab"), None, Some(b"cd")]);
        let mut bytes = b"-".to_vec();
        assert!(poll(&mut stream.read_to_end(&mut bytes)).is_pending()); // and dropped
        assert_eq!(bytes, b"-ab");
        assert!(matches!(poll(&mut stream.read_to_end(&mut bytes)), Poll::Ready(Ok(2))));
        assert_eq!(bytes, b"-abcd");
    }

    #[test]
    fn read_to_end_takes_more_than_one_room() {
        let (long, mut bytes) = (vec![7; 20_000], Vec::new());
        let read = poll(&mut (&long[..]).read_to_end(&mut bytes));
        assert!(matches!(read, Poll::Ready(Ok(20_000))));
        assert_eq!(bytes, long);
    }

    #[test]
    fn boxed_and_borrowed_streams_are_streams() {
        fn two(mut stream: impl AsyncRead) -> [u8; 2] {
            let mut buf = [0; 2];
            assert!(matches!(poll(&mut stream.read(&mut buf)), Poll::Ready(Ok(2))));
            buf
        }

        let mut stream: Box<dyn AsyncRead> = Box::new(&b"abcdef"[..]);
        assert_eq!(&two(&mut stream), b"ab");
        assert_eq!(&two(&mut *stream), b"cd");
        assert_eq!(&two(stream), b"ef");
    }
}
