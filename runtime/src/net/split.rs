//! What every stream has: writing, two halves, and the same for those who hold it in one way or another.

use super::TcpStream;
use crate::io::{AsyncRead, AsyncWrite};
use crate::trace::Side;
use rustix::net::{self, RecvFlags, SendFlags};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll};

/// As `read(2)`, by a call that costs the same in a process with threads as in one without: that of the C library, as a point
/// of cancellation, takes 50 instructions more there.
#[inline]
pub(super) fn recv(socket: &impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    let (read, _) = net::recv(socket, buf, RecvFlags::empty())?;
    Ok(read)
}

/// As `write(2)`, and as [`recv`]; without SIGPIPE where nobody reads any more.
#[inline]
pub(super) fn send(socket: &impl AsFd, buf: &[u8]) -> io::Result<usize> {
    Ok(net::send(socket, buf, SendFlags::NOSIGNAL)?)
}

/// What all streams have whose socket is in the field `io`: waiting and trying apart, files sent; writing for a reference,
/// and for the stream itself, reading and writing as its reference does.
macro_rules! stream_of_io {
    ($stream:ty) => {
        impl $stream {
            /// Waits until an operation on that side is worth trying: there is something to read, room to write, an error or
            /// the end. A try that finds otherwise has the next wait be for news.
            pub fn ready(&self, side: crate::trace::Side) -> crate::registered::Ready<'_> {
                self.io.ready(side)
            }

            /// Reads what is there, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` when there is nothing, and what `read` says.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.try_io(Side::Read, |mut io| io::Read::read(&mut io, buf))
            }

            /// Writes what there is room for, without waiting.
            ///
            /// # Errors
            /// `WouldBlock` when there is none, and what `write` says.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.io.try_io(Side::Write, |mut io| io::Write::write(&mut io, buf))
            }

            /// Sends bytes of a file, from the one place in it to the other or to its end, and gives how many they were. They
            /// do not pass through this program's memory, and the file's own place is not moved.
            ///
            /// # Errors
            /// What `sendfile` says.
            ///
            /// # Cancel safety
            /// [`sent`](crate::net::SendFile::sent) tells how many bytes have been sent, until it is dropped.
            ///
            /// # Examples
            /// ```
            /// use evloop_runtime::io::AsyncRead;
            /// use evloop_runtime::net::UnixStream;
            /// use std::io::Write;
            ///
            /// let mut file = tempfile::tempfile()?;
            /// file.write_all(b"0123456789")?;
            /// evloop_runtime::block_on(async {
            ///     let (near, mut far) = UnixStream::pair()?;
            ///     assert_eq!(near.send_file(&file, 2..5).await?, 3);
            ///     let mut bytes = [0; 3];
            ///     far.read_exact(&mut bytes).await?;
            ///     assert_eq!(&bytes, b"234");
            ///     Ok::<(), std::io::Error>(())
            /// })
            /// # .unwrap();
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn send_file<'a, F: std::os::fd::AsFd>(
                &'a self,
                file: &'a F,
                range: std::ops::Range<u64>,
            ) -> crate::net::SendFile<'a, $stream, F> {
                crate::net::SendFile::new(self, file, range)
            }
        }

        impl std::os::fd::AsFd for $stream {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.get().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $stream {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.io.get().as_raw_fd()
            }
        }

        impl crate::net::split::Piped for $stream {
            fn poll_with(
                &self,
                side: Side,
                cx: &mut Context<'_>,
                operate: &mut dyn FnMut(std::os::fd::BorrowedFd<'_>) -> io::Result<usize>,
            ) -> Poll<io::Result<usize>> {
                self.io.poll_io(side, cx, |io| operate(std::os::fd::AsFd::as_fd(io)))
            }
        }

        impl crate::io::AsyncWrite for &$stream {
            #[inline(always)] // each request of a server passes this door
            fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.io.poll_write_by(cx, buf, crate::net::split::send)
            }

            fn poll_write_vectored(
                &mut self,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.io.poll_write(cx, bufs)
            }

            fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(())) // what is written is the kernel's
            }

            fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.end_writing())
            }
        }

        impl crate::io::AsyncRead for $stream {
            fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                (&*self).poll_read(cx, buf)
            }
        }

        impl crate::io::AsyncWrite for $stream {
            #[inline(always)] // each request of a server passes this door
            fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                (&*self).poll_write(cx, buf)
            }

            fn poll_write_vectored(
                &mut self,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                (&*self).poll_write_vectored(cx, bufs)
            }

            fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                (&*self).poll_flush(cx)
            }

            fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                (&*self).poll_shutdown(cx)
            }
        }

        impl Ends for $stream {
            fn end_writing(&self) -> io::Result<()> {
                self.io.get().shutdown(std::net::Shutdown::Write)
            }
        }
    };
}

pub(super) use stream_of_io;

/// A stream whose bytes the kernel can move by its descriptor.
pub trait Piped {
    /// Does `operate`, and waits for that side while it says `WouldBlock`.
    #[doc(hidden)]
    fn poll_with(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        operate: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>>;
}

/// A stream, one side of which can be ended.
pub trait Ends {
    /// Ends the writing side: the peer reads what was written, then the end.
    fn end_writing(&self) -> io::Result<()>;
}

/// Two halves of a stream; see [`TcpStream::into_split`].
pub(super) fn halves<S: Ends>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Rc::new(stream);
    (OwnedReadHalf { stream: Rc::clone(&stream) }, OwnedWriteHalf { stream: Some(stream) })
}

/// The reading half of a connection; see [`TcpStream::into_split`] and
/// [`UnixStream::into_split`](super::UnixStream::into_split).
#[derive(Debug)]
pub struct OwnedReadHalf<S = TcpStream> {
    stream: Rc<S>,
}

impl<S> OwnedReadHalf<S> {
    /// The whole connection, for its options and addresses.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S> AsyncRead for OwnedReadHalf<S>
where
    for<'a> &'a S: AsyncRead,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_read(cx, buf)
    }
}

/// The writing half of a connection; see [`TcpStream::into_split`] and
/// [`UnixStream::into_split`](super::UnixStream::into_split). Dropping it ends that side of the connection.
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Ends = TcpStream> {
    /// There until the halves are joined.
    stream: Option<Rc<S>>,
}

impl<S: Ends> OwnedWriteHalf<S> {
    /// The whole connection, for its options and addresses.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.stream.as_ref().expect("only `rejoin` takes it, and this with it")
    }

    /// Puts the halves together again.
    ///
    /// # Errors
    /// The halves come back when they are not of one connection.
    pub fn rejoin(mut self, read: OwnedReadHalf<S>) -> Result<S, (OwnedReadHalf<S>, OwnedWriteHalf<S>)> {
        if !Rc::ptr_eq(&read.stream, self.stream.as_ref().expect("taken below alone")) {
            return Err((read, self));
        }
        drop(self.stream.take());
        Ok(Rc::into_inner(read.stream).expect("there are two halves, and the other was dropped"))
    }
}

impl<S: Ends> AsyncWrite for OwnedWriteHalf<S>
where
    for<'a> &'a S: AsyncWrite,
{
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl<S: Ends> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // It fails when the connection is gone, and then there is nothing to end.
            drop(stream.end_writing());
        }
    }
}
