//! The writing side: the trait, and the futures that its methods return.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::number::{numbers, write_methods};
use super::{WriteAllBuf, WriteAllVectored, WriteNumber};

/// Takes bytes as there is room for them.
///
/// # Examples
/// A stream of one's own implements three methods and is given the others:
/// ```
/// use evloop_runtime::{block_on, io::AsyncWrite};
/// use std::task::{Context, Poll};
///
/// /// Counts what it is given, and forgets it.
/// struct Sink(usize);
///
/// impl AsyncWrite for Sink {
///     fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
///         self.0 += buf.len();
///         Poll::Ready(Ok(buf.len()))
///     }
///     fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
///         Poll::Ready(Ok(()))
///     }
///     fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
///         Poll::Ready(Ok(()))
///     }
/// }
///
/// let mut sink = Sink(0);
/// block_on(sink.write_all(b"forget me")).unwrap();
/// assert_eq!(sink.0, 9);
/// ```
pub trait AsyncWrite {
    /// Takes bytes from the front of `buf` and tells how many; zero when `buf` is empty, or when no more will ever be
    /// taken.
    ///
    /// When there is no room, it keeps the waker of `cx` (the last one it was given) and is `Pending`; bytes are never
    /// taken by a call that is `Pending` or fails.
    ///
    /// # Errors
    /// What the stream reports; never [`ErrorKind::WouldBlock`].
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// As [`poll_write`](AsyncWrite::poll_write), from several pieces as if they were one.
    ///
    /// Unless it is overridden, it takes from the first piece that is not empty.
    ///
    /// # Errors
    /// What the stream reports; never [`ErrorKind::WouldBlock`].
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| buf))
    }

    /// Passes on whatever the stream still keeps to itself; ready at once where it keeps nothing.
    ///
    /// # Errors
    /// What the stream reports.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes and ends this side: the other end reads to its end, and may still answer. Nothing can be written
    /// afterwards.
    ///
    /// # Errors
    /// What the stream reports.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes as much of `buf` as there is room for, at least one byte unless it is empty, and tells how much.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    ///
    /// let mut stream = Vec::new();
    /// assert_eq!(block_on(AsyncWrite::write(&mut stream, b"abc")).unwrap(), 3);
    /// assert_eq!(stream, b"abc");
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing has been written.
    fn write<'a>(&'a mut self, buf: &'a [u8]) -> Write<'a, Self>
    where
        Self: Sized,
    {
        Write { writer: self, buf }
    }

    /// Writes all of `buf`.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    ///
    /// let mut stream = Vec::new();
    /// block_on(async {
    ///     stream.write_all(b"head").await?;
    ///     stream.write_all(b"body").await
    /// })
    /// .unwrap();
    /// assert_eq!(stream, b"headbody");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::WriteZero`] when it takes no more. A part may have been written
    /// before the error; how much, is not known.
    ///
    /// # Cancel safety
    /// The count is lost: a part of `buf` may have been written.
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Sized,
    {
        WriteAll { writer: self, rest: buf }
    }

    /// As [`write`](AsyncWrite::write), from several pieces as if they were one.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    /// use std::io::IoSlice;
    ///
    /// let mut stream = Vec::new();
    /// let pieces = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    /// assert_eq!(block_on(AsyncWrite::write_vectored(&mut stream, &pieces)).unwrap(), 8);
    /// assert_eq!(stream, b"headbody");
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing has been written.
    fn write_vectored<'a>(&'a mut self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a, Self>
    where
        Self: Sized,
    {
        WriteVectored { writer: self, bufs }
    }

    /// Writes all that is in `buf`, several pieces in one call where it has them. What was written leaves the buffer.
    ///
    /// # Examples
    /// ```
    /// use bytes::{Buf, Bytes};
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    ///
    /// let (head, body) = (Bytes::from("head"), Bytes::from("body"));
    /// let mut stream = Vec::new();
    /// block_on(stream.write_all_buf(&mut head.chain(body))).unwrap();
    /// assert_eq!(stream, b"headbody");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::WriteZero`] when it takes no more. What was not written is in `buf`.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was not written is in `buf`, and can be written by another call.
    fn write_all_buf<'a, B: Buf>(&'a mut self, buf: &'a mut B) -> WriteAllBuf<'a, Self, B>
    where
        Self: Sized,
    {
        WriteAllBuf { writer: self, buf }
    }

    /// Writes all of several pieces, as if they were one. The slices are moved forward as they are written, as
    /// [`IoSlice::advance_slices`] does, and are not to be used afterwards.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    /// use std::io::IoSlice;
    ///
    /// let mut stream = Vec::new();
    /// let mut pieces = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    /// block_on(AsyncWrite::write_all_vectored(&mut stream, &mut pieces)).unwrap();
    /// assert_eq!(stream, b"headbody");
    /// ```
    ///
    /// # Errors
    /// What the stream reports, and [`ErrorKind::WriteZero`] when it takes no more. A part may have been written
    /// before the error; how much, is not known.
    ///
    /// # Cancel safety
    /// The count is lost: a part of the pieces may have been written.
    fn write_all_vectored<'a, 'b>(&'a mut self, bufs: &'a mut [IoSlice<'b>]) -> WriteAllVectored<'a, 'b, Self>
    where
        Self: Sized,
    {
        WriteAllVectored { writer: self, rest: bufs }
    }

    numbers!(write_methods);

    /// Passes on whatever the stream still keeps to itself.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    ///
    /// let mut stream = Vec::new();
    /// block_on(AsyncWrite::flush(&mut stream)).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: a part may have been passed on, the stream keeps the rest.
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Sized,
    {
        Flush { writer: self }
    }

    /// Flushes and ends this side of the stream; the other may still be read.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, io::AsyncWrite};
    ///
    /// let mut stream = Vec::new();
    /// block_on(async {
    ///     stream.write_all(b"the end").await?;
    ///     stream.shutdown().await
    /// })
    /// .unwrap();
    /// ```
    ///
    /// # Errors
    /// What the stream reports.
    ///
    /// # Cancel safety
    /// Nothing is lost: the end may not have been written yet, and can be asked for again.
    fn shutdown(&mut self) -> Shutdown<'_, Self>
    where
        Self: Sized,
    {
        Shutdown { writer: self }
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWrite for &mut W {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWrite for Box<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }
}

/// A vector always has room; it grows by all that is written, and shutting it down does nothing.
impl AsyncWrite for Vec<u8> {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Write::write_vectored(self, bufs))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The future that [`AsyncWrite::write`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Write<'a, W> {
    writer: &'a mut W,
    buf: &'a [u8],
}

impl<W: AsyncWrite> Future for Write<'_, W> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.writer.poll_write(cx, this.buf)
    }
}

impl<W> fmt::Debug for Write<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").field("len", &self.buf.len()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::write_all`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteAll<'a, W> {
    writer: &'a mut W,
    rest: &'a [u8],
}

impl<W: AsyncWrite> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while !this.rest.is_empty() {
            match ready!(this.writer.poll_write(cx, this.rest))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => this.rest = &this.rest[count..],
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W> fmt::Debug for WriteAll<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAll").field("left", &self.rest.len()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::write_vectored`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteVectored<'a, W> {
    writer: &'a mut W,
    bufs: &'a [IoSlice<'a>],
}

impl<W: AsyncWrite> Future for WriteVectored<'_, W> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.writer.poll_write_vectored(cx, this.bufs)
    }
}

impl<W> fmt::Debug for WriteVectored<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteVectored").field("pieces", &self.bufs.len()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::flush`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Flush<'a, W> {
    writer: &'a mut W,
}

impl<W: AsyncWrite> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().writer.poll_flush(cx)
    }
}

impl<W> fmt::Debug for Flush<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::shutdown`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Shutdown<'a, W> {
    writer: &'a mut W,
}

impl<W: AsyncWrite> Future for Shutdown<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().writer.poll_shutdown(cx)
    }
}

impl<W> fmt::Debug for Shutdown<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
