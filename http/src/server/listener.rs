//! Where connections come from.

use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

/// A connection: bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Stream for S {}

/// Gives connections.
pub trait Listener {
    /// A connection.
    type Stream: Stream;

    /// The next connection, and the client's address if it has one.
    ///
    /// # Errors
    /// What ends the listener: what is wrong with one connection, or passes by itself, it deals with.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Option<SocketAddr>)>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Option<SocketAddr>)>> {
        let (stream, client) = ready!(TcpListener::poll_accept(self, cx))?;
        // Answers are written whole; waiting for the client's acknowledgement would only hold the last part back. It
        // fails when the client has gone already, and the first read will say so.
        drop(stream.set_nodelay(true));
        Poll::Ready(Ok((stream, Some(client))))
    }
}
