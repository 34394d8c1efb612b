//! A connection over a Unix domain socket.

use super::address::ToUnixAddr;
use super::pauses::Pauses;
use super::rights::{PeerCredentials, RecvFds, SendFds};
use crate::io::AsyncRead;
use crate::net::attempt::{Attempt, attempt};
use crate::net::failed;
use crate::net::split::{Ends, OwnedReadHalf, OwnedWriteHalf, halves, recv, stream_of_io};
use crate::registered::Registered;
use crate::trace::Side;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::net::SocketAddr;
use std::task::{Context, Poll};

/// A connection over a Unix domain socket.
///
/// Reading and writing come with [`AsyncRead`] and [`AsyncWrite`](crate::io::AsyncWrite), which `&UnixStream` has too: one
/// task may read while another writes. At one time, one task waits for each side.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::net::UnixStream;
///
/// evloop_runtime::block_on(async {
///     let (mut one, mut other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     drop(one);
///     let mut all = Vec::new();
///     other.read_to_end(&mut all).await?;
///     assert_eq!(all, b"hello");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct UnixStream {
    io: Registered<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at a path or an abstract name.
    ///
    /// When its queue is full it tries again, after a millisecond at first, later every 64: the kernel tells nobody when
    /// there is room.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `ConnectionRefused` when nobody listens there, `InvalidInput` when the path
    /// is empty or longer than 107 bytes, and what the system says. Each names the path.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// Nothing was begun, or a connection is closed.
    pub async fn connect(name: impl ToUnixAddr) -> io::Result<UnixStream> {
        UnixStream::connect_to(&name).await.map_err(|error| failed("connect to", name.text())(error))
    }

    async fn connect_to(name: &impl ToUnixAddr) -> io::Result<UnixStream> {
        let address = name.address()?;
        let mut pauses = Pauses::new();
        loop {
            match mio::net::UnixStream::connect_addr(&address) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.next().await,
                connected => return UnixStream::register(connected?),
            }
        }
    }

    /// Two ends of one connection, which have no names.
    ///
    /// # Errors
    /// When there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = mio::net::UnixStream::pair()?;
        Ok((UnixStream::register(one)?, UnixStream::register(other)?))
    }

    /// Takes a connection over from std.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        UnixStream::register(mio::net::UnixStream::from_std(stream))
    }

    /// Gives the connection to std. It stays non-blocking.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        self.io.into_inner().map(Into::into)
    }

    #[track_caller]
    pub(super) fn register(stream: mio::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream { io: Registered::new(stream)? })
    }

    /// The address of this end: on the server's side the path, on a client's mostly none.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// What `getpeername` says, as that the connection is no more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// Who was at the other end when the connection was made: who had called `listen`, or `connect`, or had made the pair.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn peer_cred(&self) -> io::Result<PeerCredentials> {
        PeerCredentials::of(self)
    }

    /// Writes bytes, and sends descriptors with the first of them; gives the number of bytes that were written, with which
    /// all descriptors are under way. Whatever they are of, the peer gets duplicates of its own; here they stay open.
    ///
    /// # Errors
    /// `InvalidInput` for more than 253 descriptors, or for descriptors without a byte; what `sendmsg` says, as
    /// `ETOOMANYREFS` when too many are under way.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::net::UnixStream;
    /// use std::io::{Read, Write, pipe};
    /// use std::os::fd::AsFd;
    ///
    /// evloop_runtime::block_on(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     let (mut reading, writing) = pipe()?;
    ///     one.send_fds(b"w", &[writing.as_fd()]).await?;
    ///     drop(writing);
    ///
    ///     let (count, fds) = other.recv_fds(&mut [0; 16], 1).await?;
    ///     assert_eq!((count, fds.len()), (1, 1));
    ///     for fd in fds {
    ///         std::fs::File::from(fd).write_all(b"by way of the socket")?;
    ///     }
    ///     let mut all = String::new();
    ///     reading.read_to_string(&mut all)?;
    ///     assert_eq!(all, "by way of the socket");
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn send_fds<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Attempt<'a, SendFds<'a>> {
        attempt(&self.io, SendFds { bytes, fds })
    }

    /// Reads bytes, and takes at most `max` descriptors that came with them; no bytes mean the end. The kernel ends a read
    /// behind bytes that came with descriptors. They are closed when a child process is started (`O_CLOEXEC`).
    ///
    /// Reading by other means closes what descriptors come.
    ///
    /// # Errors
    /// `InvalidData` when more descriptors came, or more than this process may open: then all are closed, and the bytes
    /// that they came with are gone. And what `recvmsg` says.
    pub fn recv_fds<'a>(&'a self, buf: &'a mut [u8], max: usize) -> Attempt<'a, RecvFds<'a>> {
        attempt(&self.io, RecvFds { buf, max })
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    /// Two halves that can go to two tasks of this loop. Dropping the write half ends that side of the connection.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf<UnixStream>, OwnedWriteHalf<UnixStream>) {
        halves(self)
    }
}

impl AsyncRead for &UnixStream {
    /// A short read does not spend the edge, as it does with TCP. Here it does not mean that the socket was drained: the
    /// kernel also ends a read behind bytes that came with a descriptor, and the next bytes would bring no edge.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_io(Side::Read, cx, |io| recv(io, buf))
    }
}

stream_of_io!(UnixStream);
