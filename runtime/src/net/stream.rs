//! A TCP connection.

use super::split::{Ends, OwnedReadHalf, OwnedWriteHalf, halves, recv, stream_of_io};
use super::{ConnectOptions, ToSocketAddrs};
use crate::io::AsyncRead;
use crate::registered::Registered;
use crate::trace::Side;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A TCP connection.
///
/// Reading and writing come with [`AsyncRead`] and [`AsyncWrite`](crate::io::AsyncWrite), which `&TcpStream` has too: one
/// task may read while another writes. At one time, one task waits for each side.
///
/// # Examples
/// See [`TcpListener`](super::TcpListener).
#[derive(Debug)]
pub struct TcpStream {
    io: Registered<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to an address, or to the first address of a name that answers, as [`ConnectOptions`] has it when nothing is
    /// said.
    ///
    /// # Errors
    /// When the name cannot be resolved; when no address answers, what each of them said.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// A connection under way is closed.
    pub async fn connect(target: impl ToSocketAddrs) -> io::Result<TcpStream> {
        ConnectOptions::new().connect(target).await
    }

    /// Waits until a connection that was begun is made.
    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_io(Side::Write, cx, is_connected)
    }

    /// Takes a connection over from std.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        TcpStream::register(mio::net::TcpStream::from_std(stream))
    }

    /// Gives the connection to std. It stays non-blocking.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.io.into_inner().map(Into::into)
    }

    #[track_caller]
    pub(super) fn register(stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { io: Registered::new(stream)? })
    }

    /// Reads what is there into `buf` without taking it: the next read sees it again.
    ///
    /// # Errors
    /// What `recv` says.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek { stream: self, buf }
    }

    /// The address of this end.
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

    pub(super) fn io(&self) -> &mio::net::TcpStream {
        self.io.get()
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.io())
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    /// Two halves that can go to two tasks of this loop. Dropping the write half ends that side of the connection.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        halves(self)
    }
}

/// `WouldBlock` while the connection is being made, as mio's documentation of `TcpStream::connect` has it.
fn is_connected(stream: &mio::net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read(cx, buf, recv)
    }
}

stream_of_io!(TcpStream);

/// Bytes that are there, left where they are; see [`TcpStream::peek`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Peek<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.stream.io.poll_io(Side::Read, cx, |io| io.peek(this.buf))
    }
}
