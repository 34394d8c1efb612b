//! Many datagrams in one system call: sendmmsg(2) and recvmmsg(2).

use super::UdpSocket;
use super::message::address_of;
use crate::net::attempt::{Attempt, Operation, attempt, poll_attempt, try_attempt};
use crate::net::datagram::Received;
use crate::trace::Side;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use std::array;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::task::{Context, Poll};

/// How many datagrams are received by one system call at most: more make a call no cheaper.
const RECEIVED_MAX: usize = 64;

/// How many datagrams are sent by one system call: their heads lie on the stack, 300 bytes each.
const SENT_MAX: usize = 32;

/// Memory for the datagrams that [`UdpSocket::recv_many`] receives, to be used again and again.
///
/// # Examples
/// ```
/// use evloop_runtime::net::{Datagrams, Outgoing, UdpSocket};
///
/// evloop_runtime::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     let to = Some(server.local_addr()?);
///     let words = ["one", "two", "three"].map(|word| Outgoing { bytes: word.as_bytes(), to });
///     assert_eq!(client.send_many(&words).await?, 3);
///
///     let mut datagrams = Datagrams::new(32, 1500);
///     assert_eq!(server.recv_many(&mut datagrams).await?, 3);
///     let back: Vec<&[u8]> = datagrams.iter().map(|datagram| datagram.bytes).collect();
///     assert_eq!(back, [&b"one"[..], b"two", b"three"]);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct Datagrams {
    /// Room for one beside the other, `room` bytes each.
    bytes: Box<[u8]>,
    room: usize,
    /// What was received last; it never grows beyond what was allocated at first.
    received: Vec<(Received, SocketAddr)>,
    headers: MultiHeaders<SockaddrStorage>,
    /// Whether `headers` was used with IPv4, once it was used.
    is_v4: Option<bool>,
}

impl Datagrams {
    /// Room for so many datagrams of so many bytes each. What is longer is cut off, which [`Datagram::sent_len`] tells.
    ///
    /// # Panics
    /// Unless there is room for 1 to 64 datagrams, of at least one byte.
    #[must_use]
    pub fn new(datagrams: usize, bytes_each: usize) -> Datagrams {
        assert!((1..=RECEIVED_MAX).contains(&datagrams), "room for {datagrams} datagrams: it is 1 to {RECEIVED_MAX}");
        assert!(bytes_each > 0, "room for datagrams without bytes");
        Datagrams {
            bytes: vec![0; datagrams * bytes_each].into_boxed_slice(),
            room: bytes_each,
            received: Vec::with_capacity(datagrams),
            headers: MultiHeaders::preallocate(datagrams, None),
            is_v4: None,
        }
    }

    /// How many were received last.
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Whether none was received yet.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// Those that were received last, in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Datagram<'_>> {
        self.received.iter().zip(self.bytes.chunks(self.room)).map(|(&(received, from), bytes)| Datagram {
            bytes: &bytes[..received.len],
            sent_len: received.sent_len,
            from,
        })
    }

    fn capacity(&self) -> usize {
        self.bytes.len() / self.room
    }

    fn receive(&mut self, socket: BorrowedFd<'_>, is_v4: bool) -> io::Result<usize> {
        self.prepare(is_v4);
        let mut rooms = self.bytes.chunks_mut(self.room);
        let mut slices: [_; RECEIVED_MAX] = array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        // It takes as many as there are headers.
        let taken = recvmmsg(socket.as_raw_fd(), &mut self.headers, &mut slices, MsgFlags::MSG_TRUNC, None)?;
        for message in taken {
            self.received.push((Received::new(message.bytes, self.room), address_of(message.address)?));
        }
        Ok(self.received.len())
    }

    /// In the headers nix keeps how long the addresses of the last call were. Those of IPv6 would not fit where there were
    /// some of IPv4.
    fn prepare(&mut self, is_v4: bool) {
        if self.is_v4.is_some_and(|was_v4| was_v4 != is_v4) {
            self.headers = MultiHeaders::preallocate(self.capacity(), None);
        }
        self.is_v4 = Some(is_v4);
    }
}

/// One of several datagrams that were received; see [`Datagrams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Datagram<'a> {
    /// What has fitted into the room for it.
    pub bytes: &'a [u8],
    /// How many bytes it had; more than are here when the room was too small.
    pub sent_len: usize,
    /// Who has sent it.
    pub from: SocketAddr,
}

/// One of several datagrams to be sent; see [`UdpSocket::send_many`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outgoing<'a> {
    /// What is in it.
    pub bytes: &'a [u8],
    /// Where it goes; `None` for the peer of a connected socket.
    pub to: Option<SocketAddr>,
}

impl UdpSocket {
    /// Receives the datagrams that are there, once there are any, as many as there is room for. Gives their number.
    ///
    /// It takes one system call, and allocates nothing. When there was room for more than came, the next call waits for the
    /// kernel without asking it first.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv). An error behind the first datagram is what the next call gives.
    pub fn recv_many<'a>(&'a self, datagrams: &'a mut Datagrams) -> Attempt<'a, RecvMany<'a>> {
        attempt(&self.io, RecvMany::new(datagrams, self.is_v4))
    }

    /// Receives the datagrams that are there.
    ///
    /// # Errors
    /// `WouldBlock` when there are none, and as [`recv_many`](UdpSocket::recv_many).
    pub fn try_recv_many(&self, datagrams: &mut Datagrams) -> io::Result<usize> {
        try_attempt(&self.io, RecvMany::new(datagrams, self.is_v4))
    }

    /// Polls for [`recv_many`](UdpSocket::recv_many).
    ///
    /// # Errors
    /// As [`recv_many`](UdpSocket::recv_many).
    pub fn poll_recv_many(&self, cx: &mut Context<'_>, datagrams: &mut Datagrams) -> Poll<io::Result<usize>> {
        poll_attempt(&self.io, cx, RecvMany::new(datagrams, self.is_v4))
    }

    /// Sends datagrams in their order, one system call for each 32 of them, and gives the number of those that the kernel
    /// took. When it stops before the last, because it has no room or because of an error, those behind were not sent: the
    /// next call, with these, waits or gives the error.
    ///
    /// # Errors
    /// As [`send`](UdpSocket::send) and [`send_to`](UdpSocket::send_to) when the first is not sent.
    pub fn send_many<'a>(&'a self, datagrams: &'a [Outgoing<'a>]) -> Attempt<'a, SendMany<'a>> {
        attempt(&self.io, SendMany { datagrams })
    }

    /// Sends those datagrams that the kernel takes at once.
    ///
    /// # Errors
    /// `WouldBlock` when it takes none, and as [`send_many`](UdpSocket::send_many).
    pub fn try_send_many(&self, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        try_attempt(&self.io, SendMany { datagrams })
    }

    /// Polls for [`send_many`](UdpSocket::send_many).
    ///
    /// # Errors
    /// As [`send_many`](UdpSocket::send_many).
    pub fn poll_send_many(&self, cx: &mut Context<'_>, datagrams: &[Outgoing<'_>]) -> Poll<io::Result<usize>> {
        poll_attempt(&self.io, cx, SendMany { datagrams })
    }
}

/// Receives several datagrams; see [`UdpSocket::recv_many`].
#[derive(Debug)]
pub struct RecvMany<'a> {
    datagrams: &'a mut Datagrams,
    is_v4: bool,
}

impl<'a> RecvMany<'a> {
    /// What was received before is forgotten here, not when something comes.
    fn new(datagrams: &'a mut Datagrams, is_v4: bool) -> RecvMany<'a> {
        datagrams.received.clear();
        RecvMany { datagrams, is_v4 }
    }
}

impl Operation for RecvMany<'_> {
    type Output = usize;
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.datagrams.receive(socket, self.is_v4)
    }

    fn bytes(&self, _done: &usize) -> usize {
        self.datagrams.received.iter().map(|(received, _)| received.len).sum()
    }

    /// It was, if there was room for more. Should an error have ended the call (recvmmsg(2), "Errors"), it came while the
    /// call ran, and so does its edge, which is taken later than this.
    fn has_drained(&self, done: &usize) -> bool {
        *done < self.datagrams.capacity()
    }
}

/// Sends several datagrams; see [`UdpSocket::send_many`].
#[derive(Debug)]
pub struct SendMany<'a> {
    datagrams: &'a [Outgoing<'a>],
}

impl Operation for SendMany<'_> {
    type Output = usize;
    const SIDE: Side = Side::Write;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut sent = 0;
        for some in self.datagrams.chunks(SENT_MAX) {
            match send_some(socket, some) {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break, // the next call meets it again, with the datagram that it is about
            }
            if !sent.is_multiple_of(SENT_MAX) {
                break;
            }
        }
        Ok(sent)
    }

    fn bytes(&self, done: &usize) -> usize {
        self.datagrams[..*done].iter().map(|datagram| datagram.bytes.len()).sum()
    }
}

/// Sends at most [`SENT_MAX`] datagrams, and tells how many.
fn send_some(socket: BorrowedFd<'_>, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
    let of = |index: usize| datagrams.get(index);
    let addresses: [_; SENT_MAX] = array::from_fn(|index| of(index).and_then(|one| one.to).map(SocketAddrAny::from));
    let slices: [_; SENT_MAX] = array::from_fn(|index| [IoSlice::new(of(index).map_or(&[], |one| one.bytes))]);
    let mut controls: [_; SENT_MAX] = array::from_fn(|_| SendAncillaryBuffer::default());
    let mut parts = addresses.iter().zip(&slices).zip(&mut controls);
    let mut heads: [_; SENT_MAX] = array::from_fn(|_| {
        let ((address, slice), control) = parts.next().expect("there are as many parts as heads");
        match address {
            Some(address) => MMsgHdr::new_with_addr(address, slice, control),
            None => MMsgHdr::new(slice, control),
        }
    });
    Ok(sendmmsg(socket, &mut heads[..datagrams.len()], SendFlags::empty())?)
}
