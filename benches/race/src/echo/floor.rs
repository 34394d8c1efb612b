//! The floor of the echo: each readiness is one `recv`, and what it brings is sent back with one `send`.

use super::BUFFER_BYTES;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use slab::Slab;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

/// How many events one wait can bring.
const EVENTS_MAX: usize = 1024;

/// The listener's own data in its events; connections have their indexes, which stay below.
const LISTENER: u64 = u64::MAX;

/// A connection, and what its socket has not taken yet. Nothing is read while there is any.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    owed: Vec<u8>,
}

/// Echoes until killed.
///
/// # Errors
///
/// What the system says.
#[allow(clippy::needless_pass_by_value, reason = "the table's servers take their listeners")]
pub(super) fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Slab<Connection> = Slab::new();
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut scratch = vec![0; BUFFER_BYTES];
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let data = event.data.u64();
            if data == LISTENER {
                accept(&listener, &epoll, &mut connections)?;
                continue;
            }
            let index = usize::try_from(data).expect("it was an index");
            let stays =
                connections.get_mut(index).is_none_or(|connection| connection.turn(&mut scratch).unwrap_or(false));
            if !stays {
                connections.remove(index);
            }
        }
    }
}

/// Takes all connections that wait.
fn accept(listener: &TcpListener, epoll: &OwnedFd, connections: &mut Slab<Connection>) -> io::Result<()> {
    loop {
        let socket = match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::CONNABORTED | Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        sockopt::set_tcp_nodelay(&socket, true)?;
        let entry = connections.vacant_entry();
        let data = EventData::new_u64(entry.key() as u64);
        epoll::add(epoll, socket.as_fd(), data, EventFlags::IN | EventFlags::OUT | EventFlags::ET)?;
        entry.insert(Connection { socket, owed: Vec::new() });
    }
}

impl Connection {
    /// Sends back what has come. `Ok(false)`: the client has gone.
    fn turn(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        loop {
            let sent = flush(&self.socket, &self.owed)?;
            self.owed.drain(..sent);
            if !self.owed.is_empty() {
                return Ok(true);
            }
            let come = match recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
                Ok((_, 0)) => return Ok(false),
                Ok((_, come)) => come,
                Err(Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error.into()),
            };
            let sent = flush(&self.socket, &scratch[..come])?;
            self.owed.extend_from_slice(&scratch[sent..come]);
            // A short read has taken all that there was.
            if come < scratch.len() {
                return Ok(true);
            }
        }
    }
}

/// Sends as much of this as the socket takes, and tells how much that was.
fn flush(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match send(socket, &bytes[done..], SendFlags::NOSIGNAL) {
            Ok(sent) => done += sent,
            Err(Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}
