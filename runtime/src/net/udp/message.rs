//! Where a datagram was sent to: for a socket that has several addresses.

use super::UdpSocket;
use crate::net::attempt::{Attempt, Operation, attempt};
use crate::net::datagram::Received;
use crate::trace::Side;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt, sockopt};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A datagram, who has sent it, and to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Message {
    /// How much of it is in the buffer.
    pub received: Received,
    /// Who has sent it.
    pub from: SocketAddr,
    /// The address it was sent to: one of this machine, a broadcast, or a group. `None` unless
    /// [`set_receive_destination`](UdpSocket::set_receive_destination) was called.
    pub to: Option<IpAddr>,
    /// The number of the interface it came through; `None` likewise.
    pub interface: Option<u32>,
}

impl UdpSocket {
    /// Has the kernel tell with each datagram where it was sent to (`IP_PKTINFO`; `IPV6_RECVPKTINFO` for IPv6, RFC 3542), so
    /// that [`recv_message`](UdpSocket::recv_message) can. Off at first.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_receive_destination(&self, told: bool) -> io::Result<()> {
        Ok(if self.is_v4 {
            setsockopt(self, sockopt::Ipv4PacketInfo, &told)
        } else {
            setsockopt(self, sockopt::Ipv6RecvPacketInfo, &told)
        }?)
    }

    /// Whether the kernel tells where a datagram was sent to.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn receive_destination(&self) -> io::Result<bool> {
        Ok(if self.is_v4 {
            getsockopt(self, sockopt::Ipv4PacketInfo)
        } else {
            getsockopt(self, sockopt::Ipv6RecvPacketInfo)
        }?)
    }

    /// Receives a datagram, and tells who has sent it, and to where.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Examples
    /// A socket that is bound to all addresses of a machine learns which of them was meant:
    /// ```
    /// use evloop_runtime::net::UdpSocket;
    ///
    /// evloop_runtime::block_on(async {
    ///     let server = UdpSocket::bind("0.0.0.0:0").await?;
    ///     server.set_receive_destination(true)?;
    ///     let port = server.local_addr()?.port();
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to(b"hello", ([127, 0, 0, 2], port).into()).await?;
    ///
    ///     let mut buf = [0; 512];
    ///     let message = server.recv_message(&mut buf).await?;
    ///     assert_eq!(message.to, Some([127, 0, 0, 2].into()));
    ///     assert_eq!(message.from, client.local_addr()?);
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn recv_message<'a>(&'a self, buf: &'a mut [u8]) -> Attempt<'a, RecvMessage<'a>> {
        attempt(&self.io, RecvMessage { buf })
    }
}

/// Receives a datagram and where it was sent to; see [`UdpSocket::recv_message`].
#[derive(Debug)]
pub struct RecvMessage<'a> {
    buf: &'a mut [u8],
}

/// What comes with a datagram: `in_pktinfo` takes 32 bytes with its header, `in6_pktinfo` 40. nix looks at it in place, so
/// it lies where a `cmsghdr` may.
#[repr(C, align(8))]
struct Control([u8; 128]);

impl Operation for RecvMessage<'_> {
    type Output = Message;
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<Message> {
        let room = self.buf.len();
        let mut control = Control([0; 128]);
        let mut bufs = [IoSliceMut::new(self.buf)];
        let taken =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut bufs, Some(&mut control.0), MsgFlags::MSG_TRUNC)?;
        let from = address_of(taken.address)?;
        let mut message = Message { received: Received::new(taken.bytes, room), from, to: None, interface: None };
        for told in taken.cmsgs()? {
            match told {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    message.to = Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                    message.interface = u32::try_from(info.ipi_ifindex).ok();
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    message.to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                    message.interface = Some(info.ipi6_ifindex);
                }
                _ => {} // whoever had the socket before has asked for it
            }
        }
        Ok(message)
    }

    fn bytes(&self, done: &Message) -> usize {
        done.received.len
    }
}

/// The address of a sender, as nix has it.
pub(super) fn address_of(address: Option<SockaddrStorage>) -> io::Result<SocketAddr> {
    let address = address.as_ref();
    let v4 = address.and_then(SockaddrStorage::as_sockaddr_in).map(|&v4| SocketAddrV4::from(v4).into());
    let v6 = || address.and_then(SockaddrStorage::as_sockaddr_in6).map(|&v6| SocketAddrV6::from(v6).into());
    v4.or_else(v6).ok_or_else(|| io::Error::other("the datagram came without an address"))
}
