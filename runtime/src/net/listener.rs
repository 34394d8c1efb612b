//! Waiting for connections.

use super::accept::{Accept, Accepting, Accepts};
use super::stream::TcpStream;
use super::{ToSocketAddrs, ToUnixAddr, UnixListener, failed};
use crate::trace::Side;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

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
    only_v6: bool,
    permissions: Option<u32>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { backlog: 2_048, reuse_address: true, reuse_port: false, only_v6: false, permissions: None }
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

    /// `IPV6_V6ONLY`: whether the unspecified address of IPv6, `[::]`, is left to IPv6 alone, instead of taking IPv4 clients
    /// too, as addresses like `::ffff:127.0.0.1`. Off, unless said otherwise, whatever the system's default is.
    #[must_use]
    pub fn only_v6(mut self, only: bool) -> ListenOptions {
        self.only_v6 = only;
        self
    }

    /// Who may connect at a path: those whom these permissions let write to the socket's file, as `0o660`, whatever the umask
    /// of the process. At no moment does the file have more than these, and nobody can connect before it has them all. The
    /// default is what the umask leaves of `0o777`.
    #[must_use]
    pub fn permissions(mut self, mode: u32) -> ListenOptions {
        self.permissions = Some(mode);
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

    /// Listens on a path or an abstract name, as [`UnixListener::bind`] does. Of the options, the backlog and the
    /// permissions matter here.
    ///
    /// # Errors
    /// As [`UnixListener::bind`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn listen_unix(self, name: impl ToUnixAddr) -> io::Result<UnixListener> {
        UnixListener::listen(&name, self.permissions, self.backlog_at_most())
    }

    fn listening(self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(self.reuse_address)?;
        socket.set_reuse_port(self.reuse_port)?;
        if address.is_ipv6() {
            socket.set_only_v6(self.only_v6)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog_at_most())?;
        Ok(socket.into())
    }

    /// As `listen` takes it.
    fn backlog_at_most(self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
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
    accepting: Accepting<mio::net::TcpListener>,
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
        Ok(TcpListener { accepting: Accepting::new(mio::net::TcpListener::from_std(listener))? })
    }

    /// Gives the socket to std. It stays non-blocking.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.accepting.io.into_inner().map(Into::into)
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.accepting.io.get().local_addr()
    }

    pub(super) fn io(&self) -> &mio::net::TcpListener {
        self.accepting.io.get()
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.accepting.io.set_referenced(referenced);
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
        Accept::new(self)
    }

    /// Polls for a connection; see [`accept`](TcpListener::accept).
    ///
    /// # Errors
    /// As [`accept`](TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.accepting.poll_accept(cx, mio::net::TcpListener::accept))?;
        Poll::Ready(Ok((TcpStream::register(stream)?, peer)))
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.io().as_raw_fd()
    }
}

impl Accepts for TcpListener {
    type Connection = (TcpStream, SocketAddr);

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        self.poll_accept(cx)
    }

    fn last_wait(&self) -> u32 {
        self.accepting.io.last_wait(Side::Read)
    }

    fn give_up(&self, wait: u32) {
        self.accepting.io.give_up(Side::Read, wait);
    }
}
