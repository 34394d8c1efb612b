//! Datagrams within one machine.

use super::address::ToUnixAddr;
use super::bind::bind;
use super::file::SocketFile;
use super::pauses::Pauses;
use super::rights::{PeerCredentials, RecvDatagramFds, RecvFds, SendFds};
use crate::net::attempt::{Attempt, attempt, poll_attempt, try_attempt};
use crate::net::datagram::{Received, Recv, RecvFrom, Send};
use crate::net::failed;
use crate::registered::{Ready, Registered};
use crate::sys::source::FdSource;
use crate::trace::{Side, poll_budget};
use socket2::Type;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{self as std_unix, SocketAddr};
use std::task::{Context, Poll};

/// A Unix domain socket for datagrams.
///
/// They arrive whole, in order, and are not lost: who sends waits while the receiver's queue is full, which holds
/// `net.unix.max_dgram_qlen` of them, mostly ten.
///
/// The forms of the operations, and what is told of a datagram that is too long for the buffer, are those of
/// [`UdpSocket`](crate::net::UdpSocket).
///
/// # Examples
/// ```
/// use evloop_runtime::net::UnixDatagram;
///
/// let name = format!("\0evloop-datagram-{}", std::process::id());
/// evloop_runtime::block_on(async {
///     let server = UnixDatagram::bind(&name)?;
///     let client = UnixDatagram::bind(format!("{name}-client"))?;
///     client.send_to(b"question", &name).await?;
///
///     let mut buf = [0; 512];
///     let (received, from) = server.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..received.len], b"question");
///     server.send_to(b"answer", &from).await?;
///     assert_eq!(client.recv(&mut buf).await?.len, 6);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    /// Before the socket, because it is dropped before it: [`SocketFile`] wants it open.
    file: Option<SocketFile>,
    io: Registered<FdSource<std_unix::UnixDatagram>>,
}

impl UnixDatagram {
    /// Binds to a path or to an abstract name. The file at a path is made, replaced and removed as
    /// [`UnixListener::bind`](super::UnixListener::bind) does it.
    ///
    /// # Errors
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn bind(name: impl ToUnixAddr) -> io::Result<UnixDatagram> {
        let probe = |address: &SocketAddr| std_unix::UnixDatagram::unbound()?.connect_addr(address);
        let bound = bind(&name, Type::DGRAM, None, probe).map_err(failed("bind to", name.text()))?;
        let socket = UnixDatagram::from_std(bound.socket.into())?;
        Ok(UnixDatagram { file: bound.file, ..socket })
    }

    /// A socket without a name: it can send, but nobody can answer it.
    ///
    /// # Errors
    /// When there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(std_unix::UnixDatagram::unbound()?)
    }

    /// Two sockets that are each other's peers, and have no names.
    ///
    /// # Errors
    /// When there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = std_unix::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    /// Takes a socket over from std. Its file is not removed when it is dropped.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(socket: std_unix::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram { file: None, io: Registered::new(FdSource(socket))? })
    }

    /// Gives the socket to std. It stays non-blocking, and its file stays where it is.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std_unix::UnixDatagram> {
        let socket = self.io.into_inner()?.0;
        if let Some(file) = self.file {
            file.leave();
        }
        Ok(socket)
    }

    /// The name that it is bound to.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.std().local_addr()
    }

    /// The name of the peer.
    ///
    /// # Errors
    /// `NotConnected` when there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.std().peer_addr()
    }

    /// Who was at the other end when a [`pair`](UnixDatagram::pair) was made.
    ///
    /// # Errors
    /// `NotConnected` when it is none of a pair, and what `getsockopt` says.
    pub fn peer_cred(&self) -> io::Result<PeerCredentials> {
        PeerCredentials::of(self)
    }

    /// Makes the socket of that name the peer: [`send`](UnixDatagram::send) sends to it, and only what comes from it is
    /// received.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `ConnectionRefused` when nobody has the socket open, and what `connect` says
    /// besides. Each tells the name.
    pub fn connect(&self, to: impl ToUnixAddr) -> io::Result<()> {
        let connected = to.address().and_then(|address| self.std().connect_addr(&address));
        connected.map_err(failed("connect to", to.text()))
    }

    /// Sends a datagram to the peer; waits while its queue is full.
    ///
    /// # Errors
    /// `NotConnected` when there is no peer, `ConnectionRefused` when it is gone, `EMSGSIZE` when the datagram is longer
    /// than the buffer of the socket, and what `send` says besides.
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Attempt<'a, Send<'a>> {
        attempt(&self.io, Send { buf })
    }

    /// Sends a datagram to the peer, if there is room in its queue.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`send`](UnixDatagram::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        try_attempt(&self.io, Send { buf })
    }

    /// Polls for [`send`](UnixDatagram::send).
    ///
    /// # Errors
    /// As [`send`](UnixDatagram::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        poll_attempt(&self.io, cx, Send { buf })
    }

    /// Sends a datagram to the socket of that name.
    ///
    /// When its queue is full it tries again, after a millisecond at first, later every 64: the kernel tells only a
    /// connected socket when there is room. Where that happens often, use [`connect`](UnixDatagram::connect).
    ///
    /// # Errors
    /// As [`connect`](UnixDatagram::connect) and [`send`](UnixDatagram::send).
    ///
    /// # Cancel safety
    /// Dropped while it waits, nothing was sent.
    pub async fn send_to(&self, buf: &[u8], to: impl ToUnixAddr) -> io::Result<usize> {
        let mut pauses = Pauses::new();
        loop {
            poll_fn(poll_budget).await;
            match self.try_send_to(buf, &to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pauses.next().await,
                done => return done,
            }
        }
    }

    /// Sends a datagram to the socket of that name, if there is room in its queue.
    ///
    /// # Errors
    /// `WouldBlock`, and as [`send_to`](UnixDatagram::send_to).
    pub fn try_send_to(&self, buf: &[u8], to: impl ToUnixAddr) -> io::Result<usize> {
        let sent = to.address().and_then(|address| self.std().send_to_addr(buf, &address));
        sent.map_err(|error| failed("send to", to.text())(error))
    }

    /// Receives a datagram. What does not fit into `buf` is thrown away, which [`Received`] tells.
    ///
    /// # Errors
    /// What `recv` says.
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, Recv<'a>> {
        attempt(&self.io, Recv { buf, peeks: false })
    }

    /// Receives a datagram, if one is there.
    ///
    /// # Errors
    /// `WouldBlock`, and what `recv` says.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        try_attempt(&self.io, Recv { buf, peeks: false })
    }

    /// Polls for [`recv`](UnixDatagram::recv).
    ///
    /// # Errors
    /// What `recv` says.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Received>> {
        poll_attempt(&self.io, cx, Recv { buf, peeks: false })
    }

    /// Receives a datagram as [`recv`](UnixDatagram::recv) does, and tells who has sent it, who may have no name.
    ///
    /// # Errors
    /// What `recvfrom` says.
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, RecvFrom<'a, SocketAddr>> {
        attempt(&self.io, RecvFrom::new(buf, false))
    }

    /// Receives a datagram, if one is there, and tells who has sent it.
    ///
    /// # Errors
    /// `WouldBlock`, and what `recvfrom` says.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(Received, SocketAddr)> {
        try_attempt(&self.io, RecvFrom::new(buf, false))
    }

    /// Polls for [`recv_from`](UnixDatagram::recv_from).
    ///
    /// # Errors
    /// What `recvfrom` says.
    pub fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Received, SocketAddr)>> {
        poll_attempt(&self.io, cx, RecvFrom::new(buf, false))
    }

    /// As [`recv`](UnixDatagram::recv), and leaves the datagram where it is: the next call sees it again.
    ///
    /// # Errors
    /// What `recv` says.
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, Recv<'a>> {
        attempt(&self.io, Recv { buf, peeks: true })
    }

    /// As [`recv_from`](UnixDatagram::recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    /// What `recvfrom` says.
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, RecvFrom<'a, SocketAddr>> {
        attempt(&self.io, RecvFrom::new(buf, true))
    }

    /// Sends a datagram to the peer, and descriptors with it; see [`UnixStream::send_fds`](super::UnixStream::send_fds).
    ///
    /// # Errors
    /// As [`send`](UnixDatagram::send), and as [`UnixStream::send_fds`](super::UnixStream::send_fds).
    pub fn send_fds<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Attempt<'a, SendFds<'a>> {
        attempt(&self.io, SendFds { bytes, fds })
    }

    /// Receives a datagram, and at most `max` descriptors that came with it; see
    /// [`UnixStream::recv_fds`](super::UnixStream::recv_fds).
    ///
    /// # Errors
    /// As [`UnixStream::recv_fds`](super::UnixStream::recv_fds).
    pub fn recv_fds<'a>(&'a self, buf: &'a mut [u8], max: usize) -> Attempt<'a, RecvDatagramFds<'a>> {
        attempt(&self.io, RecvDatagramFds(RecvFds { buf, max }))
    }

    /// Waits until one side may be ready; see [`AsyncFd::ready`](crate::fd::AsyncFd::ready).
    pub fn ready(&self, side: Side) -> Ready<'_> {
        self.io.ready(side)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    fn std(&self) -> &std_unix::UnixDatagram {
        &self.io.get().0
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std().as_fd()
    }
}
