//! The `io` traits of tokio, of which nothing else is used: no runtime of its own is there.

use super::Compat;
use crate::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io as theirs;

impl<S: AsyncRead> theirs::AsyncRead for Compat<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut theirs::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.stream.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncBufRead> theirs::AsyncBufRead for Compat<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().stream.poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.stream.consume(count);
    }
}

impl<S: AsyncWrite> theirs::AsyncWrite for Compat<S> {
    super::writes_as_ours!(poll_shutdown);

    /// So that their users gather what they write; a stream of ours that cannot takes the first piece.
    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// A stream in tokio's `io` traits, as one of ours.
///
/// # Examples
/// ```
/// use evloop_runtime::compat::FromTokio;
/// use evloop_runtime::io::AsyncRead;
///
/// evloop_runtime::block_on(async {
///     let mut stream = FromTokio::new(&b"theirs"[..]);
///     let mut bytes = Vec::new();
///     stream.read_to_end(&mut bytes).await?;
///     assert_eq!(bytes, b"theirs");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct FromTokio<S> {
    stream: S,
}

impl<S> FromTokio<S> {
    /// Wraps a stream; one that must be pinned, in a `Pin<Box<_>>`.
    #[must_use]
    pub fn new(stream: S) -> FromTokio<S> {
        FromTokio { stream }
    }

    /// The stream, without the wrapper. Nothing is lost: the wrapper holds no bytes.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: theirs::AsyncRead + Unpin> AsyncRead for FromTokio<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = theirs::ReadBuf::new(buf);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: theirs::AsyncWrite + Unpin> AsyncWrite for FromTokio<S> {
    super::writes_as_theirs!(poll_shutdown);
}
