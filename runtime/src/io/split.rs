//! Any stream as a half that reads and a half that writes.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{AsyncRead, AsyncWrite};

/// Two halves of a stream, to be used in two places or by two tasks of this thread.
///
/// A socket is better split by its own `into_split`, whose writing half ends the connection's side when it is dropped.
/// Here a half that is dropped ends nothing: [`shutdown`](AsyncWrite::shutdown) does. The stream is dropped with the
/// second half. One allocation.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, io::{self, AsyncRead, AsyncWrite}};
///
/// let (mut client, server) = io::duplex(4);
/// let (mut reader, mut writer) = io::split(server);
/// let echo = async {
///     io::copy(&mut reader, &mut writer).await?;
///     writer.shutdown().await
/// };
/// let ask = async {
///     client.write_all(b"hi").await.unwrap();
///     client.shutdown().await.unwrap();
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await.unwrap();
///     answer
/// };
/// assert_eq!(block_on(join(echo, ask)).1, "hi");
/// assert!(writer.rejoin(reader).is_ok());
/// ```
pub fn split<S: AsyncRead + AsyncWrite>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Rc::new(RefCell::new(stream));
    (ReadHalf { stream: Rc::clone(&stream) }, WriteHalf { stream })
}

/// The reading half of a stream; see [`split`].
pub struct ReadHalf<S> {
    stream: Rc<RefCell<S>>,
}

/// The writing half of a stream; see [`split`].
pub struct WriteHalf<S> {
    stream: Rc<RefCell<S>>,
}

impl<S> ReadHalf<S> {
    /// Whether the two are halves of one stream.
    pub fn is_pair_of(&self, write: &WriteHalf<S>) -> bool {
        Rc::ptr_eq(&self.stream, &write.stream)
    }
}

impl<S> WriteHalf<S> {
    /// Puts the halves together again.
    ///
    /// # Errors
    /// The halves come back when they are not of one stream.
    pub fn rejoin(self, read: ReadHalf<S>) -> Result<S, (ReadHalf<S>, WriteHalf<S>)> {
        if !read.is_pair_of(&self) {
            return Err((read, self));
        }
        drop(self);
        let stream = Rc::into_inner(read.stream).expect("there are two halves, and the other was dropped");
        Ok(stream.into_inner())
    }
}

/// Asks the stream. It is foreign code and borrowed while it runs, the one place where that must be: if what it wakes
/// comes back to its other half, that one is busy, and looks again in its next turn.
fn with_stream<S, T>(
    stream: &RefCell<S>,
    cx: &mut Context<'_>,
    ask: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    if let Ok(mut stream) = stream.try_borrow_mut() {
        return ask(&mut stream, cx);
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl<S: AsyncRead> AsyncRead for ReadHalf<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        with_stream(&self.stream, cx, |stream, cx| stream.poll_read(cx, buf))
    }
}

impl<S: AsyncWrite> AsyncWrite for WriteHalf<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        with_stream(&self.stream, cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        with_stream(&self.stream, cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream(&self.stream, cx, S::poll_flush)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream(&self.stream, cx, S::poll_shutdown)
    }
}

impl<S> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Both, Script, Tap, finish, poll};

    fn stream() -> Both {
        Both { read: Script::new(b"abc", &[0]), write: Tap::default() }
    }

    #[test]
    fn one_half_goes_on_while_the_other_waits() {
        let (mut reader, mut writer) = split(stream());
        let mut buf = [0; 8];
        let mut read = reader.read(&mut buf);
        assert!(poll(&mut read).is_pending());
        assert!(matches!(finish(writer.write_all(b"x")), Ok(())));
        assert!(matches!(poll(&mut read), Poll::Ready(Ok(3))));
        assert_eq!(writer.rejoin(reader).unwrap().write.written, b"x");
    }

    #[test]
    fn halves_of_two_streams_come_back() {
        let ((reader, writer), (other, _)) = (split(stream()), split(stream()));
        let (other, writer) = writer.rejoin(other).unwrap_err();
        assert!(!other.is_pair_of(&writer));
        assert!(writer.rejoin(reader).is_ok());
    }

    #[test]
    fn half_that_is_asked_while_the_other_runs_looks_again_later() {
        let (mut reader, _writer) = split(stream());
        let stream = Rc::clone(&reader.stream);
        let busy = stream.borrow_mut();
        assert!(poll(&mut reader.read(&mut [0; 8])).is_pending());
        drop(busy);
        assert!(poll(&mut reader.read(&mut [0; 8])).is_pending()); // the script's own pause
        assert!(matches!(finish(reader.read(&mut [0; 8])), Ok(3)));
    }
}
