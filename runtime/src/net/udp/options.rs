//! Options of a socket that is bound, and the groups that it listens to.

use super::UdpSocket;
use rustix::net::sockopt;
use socket2::SockRef;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

impl UdpSocket {
    /// Whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`). Off at first.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.std().broadcast()
    }

    /// Allows datagrams to broadcast addresses, or not.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.std().set_broadcast(allowed)
    }

    /// How many routers a datagram may pass on its way (`IP_TTL`; `IPV6_UNICAST_HOPS` for IPv6).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn ttl(&self) -> io::Result<u32> {
        let socket = SockRef::from(self);
        if self.is_v4 { socket.ttl_v4() } else { socket.unicast_hops_v6() }
    }

    /// Sets how many routers a datagram may pass on its way.
    ///
    /// # Errors
    /// `InvalidInput` unless it is 1 to 255, and what `setsockopt` says.
    pub fn set_ttl(&self, routers: u32) -> io::Result<()> {
        if !(1..=255).contains(&routers) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a time to live is 1 to 255"));
        }
        let socket = SockRef::from(self);
        if self.is_v4 { socket.set_ttl_v4(routers) } else { socket.set_unicast_hops_v6(routers) }
    }

    /// The class of service: the DSCP in the upper six bits, ECN in the lower two (`IP_TOS`; `IPV6_TCLASS` for IPv6;
    /// RFC 2474, RFC 3168).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn tos(&self) -> io::Result<u8> {
        if self.is_v4 {
            return Ok(sockopt::ip_tos(self)?);
        }
        let class = sockopt::ipv6_tclass(self)?;
        Ok(u8::try_from(class).expect("the kernel keeps 8 bits of it"))
    }

    /// Sets the class of service.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_tos(&self, class: u8) -> io::Result<()> {
        Ok(if self.is_v4 { sockopt::set_ip_tos(self, class) } else { sockopt::set_ipv6_tclass(self, class.into()) }?)
    }

    /// How many bytes of datagrams wait to be received (`SO_RCVBUF`), the kernel's own notes included.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn receive_buffer_bytes(&self) -> io::Result<usize> {
        SockRef::from(self).recv_buffer_size()
    }

    /// How many bytes of datagrams wait to be sent (`SO_SNDBUF`), the kernel's own notes included.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn send_buffer_bytes(&self) -> io::Result<usize> {
        SockRef::from(self).send_buffer_size()
    }

    /// Takes an error from the socket that no operation has been told yet (`SO_ERROR`).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.std().take_error()
    }

    /// Receives what is sent to a group of IPv4, on the interface with that address; `0.0.0.0` leaves the choice to the
    /// system.
    ///
    /// # Errors
    /// What `setsockopt` says: that the address is of no group, or joined already; that there is no such interface.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.std().join_multicast_v4(&group, &interface)
    }

    /// Leaves a group of IPv4.
    ///
    /// # Errors
    /// What `setsockopt` says, as that it was not joined.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.std().leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to a group of IPv6, on the interface with that number; 0 leaves the choice to the system.
    ///
    /// # Errors
    /// As [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.std().join_multicast_v6(&group, interface)
    }

    /// Leaves a group of IPv6.
    ///
    /// # Errors
    /// What `setsockopt` says, as that it was not joined.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.std().leave_multicast_v6(&group, interface)
    }

    /// Receives what one sender sends to a group of IPv4 (RFC 4607). Several senders are joined one by one.
    ///
    /// # Errors
    /// As [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    pub fn join_source_v4(&self, source: Ipv4Addr, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        SockRef::from(self).join_ssm_v4(&source, &group, &interface)
    }

    /// Receives no longer what that sender sends to the group.
    ///
    /// # Errors
    /// What `setsockopt` says, as that it was not joined.
    pub fn leave_source_v4(&self, source: Ipv4Addr, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        SockRef::from(self).leave_ssm_v4(&source, &group, &interface)
    }

    /// Whether what this socket sends to a group comes back to this machine, for its members here (`IP_MULTICAST_LOOP`,
    /// `IPV6_MULTICAST_LOOP`). On at first.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn multicast_loop(&self) -> io::Result<bool> {
        if self.is_v4 { self.std().multicast_loop_v4() } else { self.std().multicast_loop_v6() }
    }

    /// Sets whether what this socket sends to a group comes back to this machine.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_multicast_loop(&self, comes_back: bool) -> io::Result<()> {
        if self.is_v4 {
            self.std().set_multicast_loop_v4(comes_back)
        } else {
            self.std().set_multicast_loop_v6(comes_back)
        }
    }

    /// How many routers a datagram to a group may pass (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`). 1 at first: it stays in
    /// the local network.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn multicast_ttl(&self) -> io::Result<u32> {
        let socket = SockRef::from(self);
        if self.is_v4 { socket.multicast_ttl_v4() } else { socket.multicast_hops_v6() }
    }

    /// Sets how many routers a datagram to a group may pass; with 0 it stays on this machine.
    ///
    /// # Errors
    /// `InvalidInput` unless it is 0 to 255, and what `setsockopt` says.
    pub fn set_multicast_ttl(&self, routers: u32) -> io::Result<()> {
        if routers > 255 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a time to live is 0 to 255 for multicast"));
        }
        let socket = SockRef::from(self);
        if self.is_v4 { socket.set_multicast_ttl_v4(routers) } else { socket.set_multicast_hops_v6(routers) }
    }

    /// Sets the interface, by its address, through which datagrams to groups of IPv4 leave (`IP_MULTICAST_IF`); `0.0.0.0`
    /// leaves the choice to the system.
    ///
    /// # Errors
    /// What `setsockopt` says, as that there is no such interface.
    pub fn set_multicast_interface_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        SockRef::from(self).set_multicast_if_v4(&interface)
    }

    /// Sets the interface, by its number, through which datagrams to groups of IPv6 leave (`IPV6_MULTICAST_IF`); 0 leaves
    /// the choice to the system.
    ///
    /// # Errors
    /// What `setsockopt` says, as that there is no such interface.
    pub fn set_multicast_interface_v6(&self, interface: u32) -> io::Result<()> {
        SockRef::from(self).set_multicast_if_v6(interface)
    }
}
