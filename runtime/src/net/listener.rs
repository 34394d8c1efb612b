//! Waiting for connections.

use super::stream::TcpStream;
use super::{ToSocketAddrs, failed};
use crate::registered::Registered;
use crate::time::{Sleep, sleep};
use crate::trace::Side;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long accepting pauses when there are no descriptors: long enough for a busy server to close some, short enough
/// that a client hardly notices.
const PAUSE: Duration = Duration::from_millis(100);

/// How a socket is made to listen.
///
/// # Examples
/// ```
/// use evloop_runtime::net::ListenOptions;
///
/// evloop_runtime::block_on(async {
///     let listener = ListenOptions::new().backlog(16).listen("127.0.0.1:0")?;
///     assert_ne!(listener.local_addr()?.port(), 0);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    backlog: u32,
    reuse_address: bool,
    reuse_port: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { backlog: 2_048, reuse_address: true, reuse_port: false }
    }
}

impl ListenOptions {
    /// A backlog of 2,048, the address reused, the port not.
    #[must_use]
    pub fn new() -> ListenOptions {
        ListenOptions::default()
    }

    /// How many connections the kernel holds that have not been accepted; it holds no more than `net.core.somaxconn`. The
    /// default is 2,048: the 128 of std lets a burst of clients wait a second for their second SYN.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> ListenOptions {
        self.backlog = connections;
        self
    }

    /// `SO_REUSEADDR`: whether the address can be taken while connections of a former listener fade away. On, unless said
    /// otherwise.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> ListenOptions {
        self.reuse_address = reuse;
        self
    }

    /// `SO_REUSEPORT`: whether several sockets share the port, and the kernel spreads connections over them. Off, unless
    /// said otherwise.
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> ListenOptions {
        self.reuse_port = reuse;
        self
    }

    /// Listens on an address. Port 0 is a free one, which [`local_addr`](TcpListener::local_addr) tells.
    ///
    /// # Errors
    /// When `address` is a name and not an address, and what the system says, as that the address is in use; each tells the
    /// address.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn listen(self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let Some(literal) = address.literal() else {
            let kind = io::Error::new(io::ErrorKind::InvalidInput, "not an address and a port");
            return Err(failed("listen on", address.text())(kind));
        };
        let listener = self.listening(literal).map_err(failed("listen on", literal))?;
        TcpListener::from_std(listener)
    }

    fn listening(self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(self.reuse_address)?;
        socket.set_reuse_port(self.reuse_port)?;
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(self.backlog).unwrap_or(i32::MAX))?;
        Ok(socket.into())
    }
}

/// A socket that accepts connections.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::net::{TcpListener, TcpStream};
///
/// evloop_runtime::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _peer) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut word = [0; 5];
///     server.read_exact(&mut word).await?;
///     assert_eq!(&word, b"hello");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct TcpListener {
    io: Registered<mio::net::TcpListener>,
    pause: RefCell<Option<Sleep>>,
}

impl TcpListener {
    /// Listens on an address, with the default [`ListenOptions`].
    ///
    /// # Errors
    /// As [`ListenOptions::listen`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        ListenOptions::new().listen(address)
    }

    /// Takes a listening socket over from std.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let io = Registered::new(mio::net::TcpListener::from_std(listener))?;
        Ok(TcpListener { io, pause: RefCell::new(None) })
    }

    /// Gives the socket to std. It stays non-blocking.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.io.into_inner().map(Into::into)
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    /// Waits for a connection: the stream, and the client's address.
    ///
    /// A connection that failed before it was accepted is passed over. When the process or the system is out of
    /// descriptors or memory, accepting pauses for 100 ms and goes on; the clients wait in the kernel's queue meanwhile.
    ///
    /// # Errors
    /// What `accept4` says besides, or that the stream could not be registered.
    ///
    /// # Cancel safety
    /// No connection is lost. One task waits at a time.
    pub fn accept(&self) -> Accept<'_> {
        Accept { listener: self, waits: false }
    }

    /// Polls for a connection; see [`accept`](TcpListener::accept).
    ///
    /// # Errors
    /// As [`accept`](TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(pause) = &mut *self.pause.borrow_mut() {
                ready!(Pin::new(pause).poll(cx));
            }
            *self.pause.borrow_mut() = None;
            match ready!(self.io.poll_io(Side::Read, cx, mio::net::TcpListener::accept)) {
                Ok((stream, peer)) => return Poll::Ready(Ok((TcpStream::register(stream)?, peer))),
                Err(error) if is_exhausted(&error) => {
                    log::warn!("accepting pauses for {} ms: {error}", PAUSE.as_millis());
                    *self.pause.borrow_mut() = Some(sleep(PAUSE));
                }
                Err(error) if is_of_the_connection(&error) => {
                    log::debug!("a connection failed before it was accepted: {error}");
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A connection to come; see [`TcpListener::accept`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    waits: bool,
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.listener.poll_accept(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for Accept<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.listener.io.give_up(Side::Read);
        }
    }
}

/// The process or the system has no more of something; trying again at once would only spin.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// The error is one connection's, which is out of the queue now; accept(2), "Error handling", names them.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
        )
    )
}
