//! Descriptors that travel over a socket (`SCM_RIGHTS`, unix(7)), and who is at its other end.

use crate::net::attempt::Operation;
use crate::net::datagram::Received;
use crate::trace::Side;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many descriptors travel together at most: `SCM_MAX_FD`, unix(7).
const DESCRIPTORS_MAX: usize = 253;

/// Memory for their numbers.
type Control = [MaybeUninit<u8>; cmsg_space!(ScmRights(DESCRIPTORS_MAX))];

/// Who was at the other end of a connection when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The process; `None` when it cannot be seen from here, as from within a container.
    pub pid: Option<u32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl PeerCredentials {
    /// Of the peer of that socket (`SO_PEERCRED`).
    pub(super) fn of(socket: impl AsFd) -> io::Result<PeerCredentials> {
        let found = getsockopt(&socket, sockopt::PeerCredentials)?;
        if found.pid() == 0 && found.uid() == u32::MAX {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the socket was not made as one end of a connection",
            ));
        }
        let pid = u32::try_from(found.pid()).ok().filter(|&pid| pid != 0);
        Ok(PeerCredentials { pid, uid: found.uid(), gid: found.gid() })
    }
}

/// Sends bytes, and descriptors with them; see [`UnixStream::send_fds`](super::UnixStream::send_fds).
#[derive(Debug)]
pub struct SendFds<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fds: &'a [BorrowedFd<'a>],
}

impl Operation for SendFds<'_> {
    type Output = usize;
    const SIDE: Side = Side::Write;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let refused = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        let count = self.fds.len();
        if count > DESCRIPTORS_MAX {
            return refused(format!("{count} descriptors, and {DESCRIPTORS_MAX} travel together at most"));
        }
        if count > 0 && self.bytes.is_empty() {
            return refused("descriptors travel with one byte at least".into());
        }
        let mut space: Control = [const { MaybeUninit::uninit() }; _];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if count > 0 {
            let fits = control.push(SendAncillaryMessage::ScmRights(self.fds));
            assert!(fits, "there is room for as many as may travel");
        }
        Ok(sendmsg(socket, &[IoSlice::new(self.bytes)], &mut control, SendFlags::NOSIGNAL)?)
    }

    fn bytes(&self, done: &usize) -> usize {
        *done
    }
}

/// Receives bytes, and the descriptors that came with them; see [`UnixStream::recv_fds`](super::UnixStream::recv_fds).
#[derive(Debug)]
pub struct RecvFds<'a> {
    pub(super) buf: &'a mut [u8],
    pub(super) max: usize,
}

impl Operation for RecvFds<'_> {
    type Output = (usize, Vec<OwnedFd>);
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<(usize, Vec<OwnedFd>)> {
        receive(socket, self.buf, self.max, RecvFlags::empty())
    }

    fn bytes(&self, done: &(usize, Vec<OwnedFd>)) -> usize {
        done.0
    }
}

/// Receives a datagram, and the descriptors that came with it; see
/// [`UnixDatagram::recv_fds`](super::UnixDatagram::recv_fds).
#[derive(Debug)]
pub struct RecvDatagramFds<'a>(pub(super) RecvFds<'a>);

impl Operation for RecvDatagramFds<'_> {
    type Output = (Received, Vec<OwnedFd>);
    const SIDE: Side = Side::Read;

    fn call(&mut self, socket: BorrowedFd<'_>) -> io::Result<(Received, Vec<OwnedFd>)> {
        let (sent_len, fds) = receive(socket, self.0.buf, self.0.max, RecvFlags::TRUNC)?;
        Ok((Received::new(sent_len, self.0.buf.len()), fds))
    }

    fn bytes(&self, done: &(Received, Vec<OwnedFd>)) -> usize {
        done.0.len
    }
}

/// Bytes, and at most `max` descriptors. They are owned from the first moment on, and so closed where this fails.
fn receive(socket: BorrowedFd<'_>, buf: &mut [u8], max: usize, flags: RecvFlags) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space: Control = [const { MaybeUninit::uninit() }; _];
    let room = cmsg_space!(ScmRights(max.min(DESCRIPTORS_MAX)));
    let mut control = RecvAncillaryBuffer::new(&mut space[..room]);
    let taken = recvmsg(socket, &mut [IoSliceMut::new(buf)], &mut control, flags | RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for told in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = told {
            fds.extend(some);
        }
    }
    // The room is rounded up, so that more may fit than were asked for.
    if fds.len() > max || taken.flags.contains(ReturnFlags::CTRUNC) {
        let text = format!("more descriptors came than the {max} that are taken, or than this process may open");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok((taken.bytes, fds))
}
