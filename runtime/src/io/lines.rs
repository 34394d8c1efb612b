//! A buffered stream piece by piece.
//!
//! None of them is a `Stream` of futures-core: each has a method `next` to be awaited, and `while let` is its loop.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::AsyncBufRead;
use super::buf_read::{Search, text};

/// A stream line by line; see [`AsyncBufRead::lines`].
///
/// One allocation a line; [`AsyncBufRead::read_line`] into a string that is used again costs none.
#[derive(Debug)]
pub struct Lines<R> {
    pub(super) reader: R,
    pub(super) bytes_max: usize,
}

#[expect(clippy::should_implement_trait, reason = "it is that method, to be awaited")]
impl<R: AsyncBufRead> Lines<R> {
    /// The next line without its `\n` or `\r\n`, or `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`AsyncBufRead::read_line`]. The line stays in the buffer, so the same error comes again unless the line is
    /// read as bytes or skipped, on [the stream itself](Lines::get_mut).
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing leaves the buffer.
    pub fn next(&mut self) -> NextLine<'_, R> {
        NextLine { reader: &mut self.reader, search: Search::new(b'\n', self.bytes_max) }
    }
}

/// A stream piece by piece; see [`AsyncBufRead::split`]. One allocation a piece.
#[derive(Debug)]
pub struct Split<R> {
    pub(super) reader: R,
    pub(super) delimiter: u8,
    pub(super) bytes_max: usize,
}

#[expect(clippy::should_implement_trait, reason = "it is that method, to be awaited")]
impl<R: AsyncBufRead> Split<R> {
    /// The next piece without its delimiter, or `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`AsyncBufRead::read_until`]. A piece that is too long stays in the buffer, so the same error comes again
    /// unless it is skipped, on [the stream itself](Split::get_mut).
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing leaves the buffer.
    pub fn next(&mut self) -> NextPiece<'_, R> {
        NextPiece { reader: &mut self.reader, search: Search::new(self.delimiter, self.bytes_max) }
    }
}

/// A stream as it comes; see [`AsyncBufRead::chunks`]. One allocation a chunk, and one copy.
#[derive(Debug)]
pub struct Chunks<R> {
    pub(super) reader: R,
}

#[expect(clippy::should_implement_trait, reason = "it is that method, to be awaited")]
impl<R: AsyncBufRead> Chunks<R> {
    /// What there is, at least one byte and at most a buffer's worth, or `None` at the end of the stream.
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing leaves the buffer.
    pub fn next(&mut self) -> NextChunk<'_, R> {
        NextChunk { reader: &mut self.reader }
    }
}

/// How all of them give back the stream.
macro_rules! holds_reader {
    ($($name:ident)*) => { $(
        impl<R> $name<R> {
            /// The stream itself.
            pub fn get_ref(&self) -> &R {
                &self.reader
            }

            /// The stream itself; what is read from it does not come here.
            pub fn get_mut(&mut self) -> &mut R {
                &mut self.reader
            }

            /// The stream, with what is in its buffer.
            pub fn into_inner(self) -> R {
                self.reader
            }
        }
    )* };
}

holds_reader!(Lines Split Chunks);

/// The future that [`Lines::next`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextLine<'a, R> {
    reader: &'a mut R,
    search: Search,
}

impl<R: AsyncBufRead> Future for NextLine<'_, R> {
    type Output = io::Result<Option<String>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = ready!(this.search.poll(this.reader, cx))?;
        if count == 0 {
            return Poll::Ready(Ok(None));
        }
        let line = text(without_end(&this.reader.buffer()[..count]))?.to_owned();
        this.reader.consume(count);
        Poll::Ready(Ok(Some(line)))
    }
}

/// A line without its end. A `\r` belongs to that only if `\n` follows, as in [`str::lines`].
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

impl<R> fmt::Debug for NextLine<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextLine").field("search", &self.search).finish_non_exhaustive()
    }
}

/// The future that [`Split::next`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextPiece<'a, R> {
    reader: &'a mut R,
    search: Search,
}

impl<R: AsyncBufRead> Future for NextPiece<'_, R> {
    type Output = io::Result<Option<Vec<u8>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = ready!(this.search.poll(this.reader, cx))?;
        if count == 0 {
            return Poll::Ready(Ok(None));
        }
        let piece = &this.reader.buffer()[..count];
        let piece = piece.strip_suffix(&[this.search.delimiter()]).unwrap_or(piece).to_owned();
        this.reader.consume(count);
        Poll::Ready(Ok(Some(piece)))
    }
}

impl<R> fmt::Debug for NextPiece<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextPiece").field("search", &self.search).finish_non_exhaustive()
    }
}

/// The future that [`Chunks::next`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct NextChunk<'a, R> {
    reader: &'a mut R,
}

impl<R: AsyncBufRead> Future for NextChunk<'_, R> {
    type Output = io::Result<Option<Bytes>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reader = &mut *self.get_mut().reader;
        let chunk = Bytes::copy_from_slice(ready!(reader.poll_fill_buf(cx))?);
        reader.consume(chunk.len());
        Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
    }
}

impl<R> fmt::Debug for NextChunk<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextChunk").finish_non_exhaustive()
    }
}
