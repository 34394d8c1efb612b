//! One connection of the load: what of a request is still to be sent, what of its answer is still to come.

use super::wrong;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, send, socket_with, sockopt,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// How much one `recv` can bring, in bytes.
pub(super) const RECV_BYTES_MAX: usize = 256 * 1024;

/// A connection with one batch of requests on the way.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    /// Which batch it sends, by index.
    pub(super) batch: usize,
    /// How much of the batch has been sent, in bytes.
    sent: usize,
    /// How much of the answers is still to come, in bytes; 0: nothing is asked.
    to_come: usize,
    /// When the batch was sent, or the connection was begun for it.
    pub(super) since: Instant,
    /// How much of the answers there is in all.
    answers: usize,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More of it is to come.
    Waits,
    /// All answers are there.
    Done,
}

impl Connection {
    /// A connection to be: it may be used at once and is there when its socket can be written.
    pub(super) fn open(port: u16, source: Option<u8>, batch: usize) -> io::Result<Self> {
        let since = Instant::now();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if let Some(last) = source {
            bind(&socket, &SocketAddr::from(([127, 0, 0, last], 0)))?;
        }
        match connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port))) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { socket, batch, sent: 0, to_come: 0, since, answers: 0 })
    }

    /// Asks for a batch, of whose answers there are so many bytes in all.
    pub(super) fn ask(&mut self, request: &[u8], answers: usize) -> io::Result<()> {
        (self.sent, self.to_come, self.answers) = (0, answers, answers);
        self.send(request)
    }

    /// Sends what is left of the batch, as far as the socket takes it.
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        while self.sent < request.len() {
            match send(&self.socket, &request[self.sent..], SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Does what can be done now: the socket is ready for something. Each batch of answers begins with `good`.
    pub(super) fn turn(&mut self, request: &[u8], good: &[u8], scratch: &mut [u8]) -> io::Result<Progress> {
        if self.to_come == 0 {
            return Ok(Progress::Waits);
        }
        self.send(request)?;
        loop {
            let come = match recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
                Ok((_, come)) => come,
                Err(Errno::AGAIN) => return Ok(Progress::Waits),
                Err(error) => return Err(error.into()),
            };
            let begins = self.to_come == self.answers && come >= good.len();
            if begins && !scratch.starts_with(good) {
                let shown = String::from_utf8_lossy(&scratch[..come.min(40)]);
                return Err(wrong(format!("an answer begins with {shown:?}")));
            }
            match (come, self.to_come.checked_sub(come)) {
                (0, _) => return Err(wrong("the server has closed a connection")),
                (_, None) => return Err(wrong("an answer is longer than the others")),
                (_, Some(0)) => {
                    self.to_come = 0;
                    return Ok(Progress::Done);
                }
                (_, Some(left)) => self.to_come = left,
            }
            // A short read has taken all that there was.
            if come < scratch.len() {
                return Ok(Progress::Waits);
            }
        }
    }
}
