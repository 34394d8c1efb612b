//! Where connections come from.

use crate::asgi::Address;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Bytes of answers that the kernel keeps for one client beyond what is on its way there. Enough to go on with until this
/// side is polled again; without a bound it is megabytes, and five hundred clients that do not read exhaust what the kernel
/// has for all.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// A connection: bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Sees to it that the connection ends with a reset when it is dropped: the client shall see that what it has got is
    /// not whole, and what it has not taken is of no use any more.
    fn abort(&mut self) {}

    /// The address of this end, where it is not the same for all connections of a [`Listener`].
    fn local_addr(&self) -> Option<Address> {
        None
    }
}

/// Gives connections.
pub trait Listener {
    /// A connection.
    type Stream: Stream;

    /// Makes ready, before the first connection is taken.
    ///
    /// # Errors
    /// What keeps it from being served.
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The next connection, and the client's address if it has one.
    ///
    /// # Errors
    /// What ends the listener: what is wrong with one connection, or passes by itself, it deals with.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>>;

    /// The address at which it listens, if it has one and that is the same for all connections.
    fn address(&self) -> Option<Address> {
        None
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn prepare(&mut self) -> io::Result<()> {
        // Answers are written whole; waiting for the client's acknowledgement would only hold the last part back.
        self.set_nodelay(true)?;
        self.set_unsent_max(UNSENT_BYTES_MAX)
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Option<SocketAddr>)>> {
        let (stream, client) = ready!(TcpListener::poll_accept(self, cx))?;
        Poll::Ready(Ok((stream, Some(client))))
    }

    fn address(&self) -> Option<Address> {
        self.local_addr().ok().filter(|address| !address.ip().is_unspecified()).map(Address::Inet)
    }
}

impl Stream for TcpStream {
    fn abort(&mut self) {
        drop(self.set_linger(Some(Duration::ZERO))); // it fails when the connection is no more
    }

    fn local_addr(&self) -> Option<Address> {
        TcpStream::local_addr(self).ok().map(Address::Inet)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, Option<SocketAddr>)>> {
        let (stream, _unnamed) = ready!(UnixListener::poll_accept(self, cx))?;
        Poll::Ready(Ok((stream, None)))
    }

    fn address(&self) -> Option<Address> {
        path_of(UnixListener::local_addr(self))
    }
}

/// The client sees an error by itself when a Unix socket with something unread is closed; there is no other reset.
impl Stream for UnixStream {
    fn local_addr(&self) -> Option<Address> {
        path_of(UnixStream::local_addr(self))
    }
}

fn path_of(address: io::Result<unix::SocketAddr>) -> Option<Address> {
    address.ok()?.as_pathname().map(|path| Address::Unix(path.into()))
}
