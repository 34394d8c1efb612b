//! The traits of the crate futures-io.

use super::Compat;
use crate::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use futures_io as theirs;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<S: AsyncRead> theirs::AsyncRead for Compat<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, buf)
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
    super::writes_as_ours!(poll_close);
}

/// A stream in the traits of futures-io, as one of ours.
///
/// # Examples
/// ```
/// use evloop_runtime::compat::FromFutures;
/// use evloop_runtime::io::AsyncRead;
///
/// evloop_runtime::block_on(async {
///     let mut stream = FromFutures::new(futures_util::io::Cursor::new(b"theirs"));
///     let mut bytes = Vec::new();
///     stream.read_to_end(&mut bytes).await?;
///     assert_eq!(bytes, b"theirs");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct FromFutures<S> {
    stream: S,
}

impl<S> FromFutures<S> {
    /// Wraps a stream; one that must be pinned, in a `Pin<Box<_>>`.
    #[must_use]
    pub fn new(stream: S) -> FromFutures<S> {
        FromFutures { stream }
    }

    /// The stream, without the wrapper. Nothing is lost: the wrapper holds no bytes.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: theirs::AsyncRead + Unpin> AsyncRead for FromFutures<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: theirs::AsyncWrite + Unpin> AsyncWrite for FromFutures<S> {
    super::writes_as_theirs!(poll_close);
}
