//! Other people's code on this loop: the traits by which libraries ask for streams, timers and tasks.
//!
//! | feature | what it brings |
//! |---|---|
//! | `futures-io` | [`Compat`] reads and writes as the crate futures-io has it; [`FromFutures`] the other way |
//! | `hyper` | [`Compat`] reads and writes for hyper 1; [`hyper::Timer`] and [`hyper::Executor`] |
//! | `tokio-io` | [`Compat`] reads and writes as tokio's `io` traits have it, without tokio's runtime; [`FromTokio`] the other way |
//!
//! A stream is wrapped, not given more traits by itself: all these traits have methods of the same names, and whoever
//! imported two of them would have to spell out which is meant at each call.
//!
//! What cannot be brought along is what asks for another runtime by itself: tokio's own sockets, timers and `tokio::spawn`.
//! tokio's channels and locks (`tokio::sync`) need no runtime and work here as they are, with two limits: they take from no
//! budget, so a task that loops over one that is always ready never gives way; and their blocking calls do not know that they
//! are in a loop, and hold it.

#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "tokio-io")]
mod tokio_io;

#[cfg(feature = "futures-io")]
pub use futures_io::FromFutures;
#[cfg(feature = "tokio-io")]
pub use tokio_io::FromTokio;

/// The writing side of [`Compat`], in a trait whose way to end it has that name.
macro_rules! writes_as_ours {
    ($shutdown:ident) => {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.stream.poll_write(cx, buf)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.stream.poll_write_vectored(cx, bufs)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.stream.poll_flush(cx)
        }

        fn $shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.stream.poll_shutdown(cx)
        }
    };
}

/// The other way: our writing side, for a stream of theirs.
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
macro_rules! writes_as_theirs {
    ($shutdown:ident) => {
        fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, buf)
        }

        fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
        }

        fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).$shutdown(cx)
        }
    };
}

use writes_as_ours;
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
use writes_as_theirs;

/// A stream of ours, in the traits of others: of futures-io, hyper and tokio, as the features say.
///
/// # Examples
/// ```
/// # #[cfg(feature = "futures-io")] {
/// use evloop_runtime::compat::Compat;
/// use evloop_runtime::net::UnixStream;
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
///
/// evloop_runtime::block_on(async {
///     let (near, far) = UnixStream::pair()?;
///     let (mut near, mut far) = (Compat::new(near), Compat::new(far));
///     near.write_all(b"in their words").await?;
///     near.close().await?;
///     let mut text = String::new();
///     far.read_to_string(&mut text).await?;
///     assert_eq!(text, "in their words");
///     Ok::<(), std::io::Error>(())
/// })
/// # .unwrap(); }
/// ```
#[derive(Debug)]
pub struct Compat<S> {
    stream: S,
}

/// The stream in it is never pinned: our traits take it by `&mut`.
impl<S> Unpin for Compat<S> {}

impl<S> Compat<S> {
    /// Wraps a stream.
    #[must_use]
    pub fn new(stream: S) -> Compat<S> {
        Compat { stream }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, to change.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, without the wrapper. Nothing is lost: the wrapper holds no bytes.
    pub fn into_inner(self) -> S {
        self.stream
    }
}
