//! What must be said before a socket has its address.

use super::{UdpSocket, first_of};
use crate::net::ToSocketAddrs;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// How a socket for datagrams is bound.
///
/// # Examples
/// ```
/// use evloop_runtime::net::UdpOptions;
///
/// evloop_runtime::block_on(async {
///     let one = UdpOptions::new().reuse_port(true).bind("127.0.0.1:0").await?;
///     let other = UdpOptions::new().reuse_port(true).bind(one.local_addr()?).await?;
///     assert_eq!(one.local_addr()?, other.local_addr()?);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UdpOptions {
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
    receive_buffer_bytes: Option<usize>,
    send_buffer_bytes: Option<usize>,
}

impl UdpOptions {
    /// Nothing is reused, and all else is as the system has it.
    #[must_use]
    pub fn new() -> UdpOptions {
        UdpOptions::default()
    }

    /// `SO_REUSEADDR`: whether others may be bound to the address as well, if they say so, too. Each of them receives a
    /// multicast; of other datagrams, the one that was bound last receives all. Off, unless said otherwise.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> UdpOptions {
        self.reuse_address = reuse;
        self
    }

    /// `SO_REUSEPORT`: whether several sockets of one user share the address, and the kernel spreads the senders over
    /// them. Off, unless said otherwise.
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> UdpOptions {
        self.reuse_port = reuse;
        self
    }

    /// `IPV6_V6ONLY`: whether a socket of IPv6 leaves datagrams of IPv4 alone. Otherwise it receives them as from
    /// `::ffff:a.b.c.d`. Not for sockets of IPv4. As `net.ipv6.bindv6only` has it, which is mostly off, unless said
    /// otherwise.
    #[must_use]
    pub fn only_v6(mut self, only: bool) -> UdpOptions {
        self.only_v6 = Some(only);
        self
    }

    /// `SO_RCVBUF`: how many bytes of datagrams wait to be received; what comes beyond them is lost. The kernel doubles the
    /// number, for its own notes, and allows no more than `net.core.rmem_max` before that.
    #[must_use]
    pub fn receive_buffer_bytes(mut self, bytes: usize) -> UdpOptions {
        self.receive_buffer_bytes = Some(bytes);
        self
    }

    /// `SO_SNDBUF`: how many bytes of datagrams wait to be sent, and likewise `net.core.wmem_max`.
    #[must_use]
    pub fn send_buffer_bytes(mut self, bytes: usize) -> UdpOptions {
        self.send_buffer_bytes = Some(bytes);
        self
    }

    /// Binds to an address, or to the first address of a name that can be bound to.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`].
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// A socket that was made is closed.
    pub async fn bind(self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        UdpSocket::from_std(first_of(address, "bind to", |address| self.bound(address)).await?)
    }

    fn bound(self, address: SocketAddr) -> io::Result<std::net::UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(self.reuse_address)?;
        socket.set_reuse_port(self.reuse_port)?;
        if let Some(only) = self.only_v6 {
            socket.set_only_v6(only)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        Ok(socket.into())
    }
}
