//! The floor: what the kernel asks of any server on epoll, and nothing else.
//!
//! Each readiness is one `recv`; whatever has come is answered with one `send`. Nothing is parsed: that a request is whole
//! is told by its length, which is known beforehand, as is the answer. So it is no server, but no server on epoll can be
//! under it, and its own figure says how fast machine and kernel are at the time.

use super::answers::Scenario;
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

/// How much one `recv` can bring, in bytes.
const RECV_BYTES_MAX: usize = 64 * 1024;

/// The listener's own data in its events; connections have their indexes, which stay below.
const LISTENER: u64 = u64::MAX;

/// A connection: what of a request has come, and what of answers is still to go.
#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    /// Bytes of a request that is not whole.
    come: usize,
    /// Bytes that the socket has not taken.
    owed: usize,
}

/// Answers whatever comes as the scenario has it.
///
/// # Errors
///
/// What the system says.
#[allow(clippy::needless_pass_by_value, reason = "the table's servers take their listeners")]
pub(crate) fn serve(listener: TcpListener, scenario: &Scenario) -> io::Result<()> {
    let exchanges = (scenario.exchanges)();
    let request_bytes = exchanges[0].request.len();
    let answer = answer(&exchanges[0].body);
    // So many answers as can be asked for at once lie one behind the other, and what is owed is a place in them.
    let answers = answer.repeat(scenario.depth);
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Slab<Connection> = Slab::new();
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut scratch = vec![0; RECV_BYTES_MAX];
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
            let stays = connections.get_mut(index).is_none_or(|connection| {
                connection.turn(&mut scratch, request_bytes, answer.len(), &answers).unwrap_or(false)
            });
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
        entry.insert(Connection { socket, come: 0, owed: 0 });
    }
}

impl Connection {
    /// Reads what has come and answers it. `Ok(false)`: the client has gone.
    fn turn(
        &mut self,
        scratch: &mut [u8],
        request_bytes: usize,
        answer_bytes: usize,
        answers: &[u8],
    ) -> io::Result<bool> {
        loop {
            if self.owed > 0 {
                self.flush(answer_bytes, answers)?;
            }
            let (_, come) = match recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
                Ok((_, 0)) => return Ok(false),
                Ok(both) => both,
                Err(Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error.into()),
            };
            self.come += come;
            self.owed += self.come / request_bytes * answer_bytes;
            self.come %= request_bytes;
            self.flush(answer_bytes, answers)?;
            // A short read has taken all that there was.
            if come < scratch.len() {
                return Ok(true);
            }
        }
    }

    /// Sends what is owed, as far as the socket takes it.
    fn flush(&mut self, answer_bytes: usize, answers: &[u8]) -> io::Result<()> {
        while self.owed > 0 {
            let sent_of_answer = (answer_bytes - self.owed % answer_bytes) % answer_bytes;
            let end = answers.len().min(sent_of_answer + self.owed);
            match send(&self.socket, &answers[sent_of_answer..end], SendFlags::NOSIGNAL) {
                Ok(sent) => self.owed -= sent,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// An answer with the fields that servers send, so that the kernel copies as much as for them.
fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
