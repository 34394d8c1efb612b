//! UDP: datagrams to and from anybody, or one peer.

mod batch;
mod bind;
mod message;
mod options;

pub use batch::{Datagram, Datagrams, Outgoing, RecvMany, SendMany};
pub use bind::UdpOptions;
pub use message::{Message, RecvMessage};

use super::attempt::{Attempt, Operation, attempt, poll_attempt, try_attempt};
use super::datagram::{Received, Recv, RecvFrom, Send};
use super::{ToSocketAddrs, failed, lookup_host};
use crate::registered::{Ready, Registered};
use crate::sys::source::FdSource;
use crate::trace::Side;
use rustix::net::SendFlags;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

/// A socket for datagrams over IPv4 or IPv6.
///
/// A datagram arrives whole, or not at all, or more than once, and in any order. It has at most 65,507 bytes over IPv4;
/// a longer one is refused with `EMSGSIZE`. One without any bytes is a datagram, too.
///
/// Each operation has three forms: a future; `try_…`, which says `WouldBlock` instead of waiting; and `poll_…`, for
/// futures written by hand. The latter leave the task's waker with the socket. At one time, one task waits for each side.
///
/// There is no queue of datagrams to be sent but the kernel's: who sends waits until it takes the datagram.
///
/// # Errors of a connected socket
/// Where nobody receives at the peer's port, its system answers so, and the *next* operation on the connected socket, of
/// either side, is told `ConnectionRefused`. The socket can be used on. One that is not connected is not told.
///
/// # Examples
/// ```
/// use evloop_runtime::net::UdpSocket;
///
/// evloop_runtime::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"question").await?;
///
///     let mut buf = [0; 512];
///     let (received, from) = server.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..received.len], b"question");
///     server.send_to(b"answer", from).await?;
///
///     let received = client.recv(&mut buf).await?;
///     assert_eq!(&buf[..received.len], b"answer");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    io: Registered<FdSource<std::net::UdpSocket>>,
    /// Or of IPv6, which it stays.
    is_v4: bool,
}

impl UdpSocket {
    /// Binds to an address, or to the first address of a name that can be bound to, with the default [`UdpOptions`]. Port
    /// 0 is a free one, which [`local_addr`](UdpSocket::local_addr) tells.
    ///
    /// # Errors
    /// When the name cannot be resolved, and what the system says, as that the address is in use; each tells the address.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// A socket that was made is closed.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpOptions::new().bind(address).await
    }

    /// Takes a socket over from std, bound or connected as it is.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        let is_v4 = socket.local_addr()?.is_ipv4();
        Ok(UdpSocket { io: Registered::new(FdSource(socket))?, is_v4 })
    }

    /// Gives the socket to std. It stays non-blocking.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        self.io.into_inner().map(|source| source.0)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// `NotConnected` when it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.std().peer_addr()
    }

    /// Makes an address, or the first of a name that can be had, the peer: [`send`](UdpSocket::send) sends to it, and only
    /// what comes from it is received. Nothing is sent. A socket can be connected again, to another.
    ///
    /// # Errors
    /// When the name cannot be resolved, and what `connect` says; each tells the address.
    ///
    /// # Cancel safety
    /// The peer is as it was.
    pub async fn connect(&self, target: impl ToSocketAddrs) -> io::Result<()> {
        first_of(target, "connect to", |address| self.std().connect(address)).await
    }

    /// Forgets the peer: from now on datagrams of everybody are received.
    ///
    /// The port stays. Where the system had chosen it, Linux gives it up, so it is asked for again.
    ///
    /// # Errors
    /// What `connect` says; `AddrInUse` when somebody else was given the port in that moment.
    pub fn disconnect(&self) -> io::Result<()> {
        let port = self.local_addr()?.port();
        rustix::net::connect_unspec(self)?;
        let mut address = self.local_addr()?;
        if address.port() != port {
            address.set_port(port);
            rustix::net::bind(self, &address)?;
        }
        Ok(())
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// `ConnectionRefused` when an earlier one found nobody there, `EDESTADDRREQ` when the socket is not connected,
    /// `EMSGSIZE` when the datagram is too long, and what `send` says besides.
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Attempt<'a, Send<'a>> {
        attempt(&self.io, Send { buf })
    }

    /// Sends a datagram to the peer, if the kernel takes it at once.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`send`](UdpSocket::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        try_attempt(&self.io, Send { buf })
    }

    /// Polls for [`send`](UdpSocket::send).
    ///
    /// # Errors
    /// As [`send`](UdpSocket::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        poll_attempt(&self.io, cx, Send { buf })
    }

    /// Sends a datagram to an address, whether or not the socket is connected.
    ///
    /// # Errors
    /// `EMSGSIZE` when the datagram is too long, `EACCES` for a broadcast that was not
    /// [allowed](UdpSocket::set_broadcast), and what `sendto` says besides.
    pub fn send_to<'a>(&'a self, buf: &'a [u8], to: SocketAddr) -> Attempt<'a, SendTo<'a>> {
        attempt(&self.io, SendTo { buf, to })
    }

    /// Sends a datagram to an address, if the kernel takes it at once.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`send_to`](UdpSocket::send_to).
    pub fn try_send_to(&self, buf: &[u8], to: SocketAddr) -> io::Result<usize> {
        try_attempt(&self.io, SendTo { buf, to })
    }

    /// Polls for [`send_to`](UdpSocket::send_to).
    ///
    /// # Errors
    /// As [`send_to`](UdpSocket::send_to).
    pub fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        poll_attempt(&self.io, cx, SendTo { buf, to })
    }

    /// Receives a datagram. What does not fit into `buf` is thrown away, which [`Received`] tells.
    ///
    /// # Errors
    /// `ConnectionRefused` when the socket is connected, and nobody receives there; and what `recv` says besides.
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, Recv<'a>> {
        attempt(&self.io, Recv { buf, peeks: false })
    }

    /// Receives a datagram, if one is there.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`recv`](UdpSocket::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        try_attempt(&self.io, Recv { buf, peeks: false })
    }

    /// Polls for [`recv`](UdpSocket::recv).
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Received>> {
        poll_attempt(&self.io, cx, Recv { buf, peeks: false })
    }

    /// Receives a datagram as [`recv`](UdpSocket::recv) does, and tells who has sent it.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, RecvFrom<'a, SocketAddr>> {
        attempt(&self.io, RecvFrom::new(buf, false))
    }

    /// Receives a datagram, if one is there, and tells who has sent it.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`recv`](UdpSocket::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(Received, SocketAddr)> {
        try_attempt(&self.io, RecvFrom::new(buf, false))
    }

    /// Polls for [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Received, SocketAddr)>> {
        poll_attempt(&self.io, cx, RecvFrom::new(buf, false))
    }

    /// As [`recv`](UdpSocket::recv), and leaves the datagram where it is: the next call sees it again.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, Recv<'a>> {
        attempt(&self.io, Recv { buf, peeks: true })
    }

    /// As [`recv_from`](UdpSocket::recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, RecvFrom<'a, SocketAddr>> {
        attempt(&self.io, RecvFrom::new(buf, true))
    }

    /// Waits until one side may be ready; see [`AsyncFd::ready`](crate::fd::AsyncFd::ready). The `try_…` forms find out.
    pub fn ready(&self, side: Side) -> Ready<'_> {
        self.io.ready(side)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    fn std(&self) -> &std::net::UdpSocket {
        &self.io.get().0
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std().as_fd()
    }
}

/// Sends a datagram to an address; see [`UdpSocket::send_to`].
#[derive(Debug)]
pub struct SendTo<'a> {
    buf: &'a [u8],
    to: SocketAddr,
}

impl Operation for SendTo<'_> {
    type Output = usize;
    const SIDE: Side = Side::Write;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        Ok(rustix::net::sendto(socket, self.buf, SendFlags::empty(), &self.to)?)
    }

    fn bytes(&self, done: &usize) -> usize {
        *done
    }
}

/// Does something with an address, or with the first address of a name with which it succeeds.
async fn first_of<T>(
    target: impl ToSocketAddrs,
    action: &'static str,
    mut operate: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = Err(io::ErrorKind::NotFound.into());
    for address in lookup_host(target).await? {
        last = operate(address).map_err(failed(action, address));
        if last.is_ok() {
            break;
        }
    }
    last
}
