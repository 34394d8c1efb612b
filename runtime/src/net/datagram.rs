//! What datagrams have in common, whichever kind of socket carries them.

use super::attempt::Operation;
use crate::trace::Side;
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny};
use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

/// How much of a datagram was received.
///
/// A datagram is taken as a whole: what does not fit into the buffer is thrown away by the kernel. That is told here and
/// never an error, for anybody can send a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Received {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// How many bytes the datagram had; more than `len` when the buffer was too short.
    pub sent_len: usize,
}

impl Received {
    /// `sent_len` bytes, for which there was room for `room`.
    pub(super) fn new(sent_len: usize, room: usize) -> Received {
        Received { len: sent_len.min(room), sent_len }
    }

    /// Whether the end of the datagram was thrown away, because the buffer was too short.
    pub fn is_truncated(&self) -> bool {
        self.len < self.sent_len
    }
}

/// The address of a sender, of one kind of socket.
pub trait Sender: Sized {
    /// As the kernel gives it.
    #[doc(hidden)]
    fn decode(address: Option<SocketAddrAny>) -> io::Result<Self>;
}

impl Sender for std::net::SocketAddr {
    fn decode(address: Option<SocketAddrAny>) -> io::Result<Self> {
        let address = address.ok_or_else(|| io::Error::other("the datagram came without an address"))?;
        Ok(address.try_into()?)
    }
}

/// Receives a datagram; see [`UdpSocket::recv`](super::UdpSocket::recv).
#[derive(Debug)]
pub struct Recv<'a> {
    pub(super) buf: &'a mut [u8],
    /// Whether the datagram is left where it is.
    pub(super) peeks: bool,
}

impl Operation for Recv<'_> {
    type Output = Received;
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<Received> {
        let (_, sent_len) = rustix::net::recv(socket, &mut *self.buf, flags(self.peeks))?;
        Ok(Received::new(sent_len, self.buf.len()))
    }

    fn bytes(&self, done: &Received) -> usize {
        done.len
    }
}

/// Receives a datagram, and tells who has sent it; see [`UdpSocket::recv_from`](super::UdpSocket::recv_from).
#[derive(Debug)]
pub struct RecvFrom<'a, A> {
    buf: &'a mut [u8],
    peeks: bool,
    sender: PhantomData<fn() -> A>,
}

impl<'a, A> RecvFrom<'a, A> {
    pub(super) fn new(buf: &'a mut [u8], peeks: bool) -> RecvFrom<'a, A> {
        RecvFrom { buf, peeks, sender: PhantomData }
    }
}

impl<A: Sender> Operation for RecvFrom<'_, A> {
    type Output = (Received, A);
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<(Received, A)> {
        let (_, sent_len, from) = rustix::net::recvfrom(socket, &mut *self.buf, flags(self.peeks))?;
        Ok((Received::new(sent_len, self.buf.len()), A::decode(from)?))
    }

    fn bytes(&self, done: &(Received, A)) -> usize {
        done.0.len
    }
}

/// Sends a datagram to the peer; see [`UdpSocket::send`](super::UdpSocket::send).
#[derive(Debug)]
pub struct Send<'a> {
    pub(super) buf: &'a [u8],
}

impl Operation for Send<'_> {
    type Output = usize;
    const SIDE: Side = Side::Write;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        Ok(rustix::net::send(socket, self.buf, SendFlags::NOSIGNAL)?)
    }

    fn bytes(&self, done: &usize) -> usize {
        *done
    }
}

/// `MSG_TRUNC` has the kernel tell how long a datagram was, and not how much of it has fitted.
fn flags(peeks: bool) -> RecvFlags {
    if peeks { RecvFlags::TRUNC | RecvFlags::PEEK } else { RecvFlags::TRUNC }
}
