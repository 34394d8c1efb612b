//! The chapter of the TCP echo: what sockets and tasks cost where there is no protocol. Ten connections each send a message
//! and wait until the whole of it has come back, as uvloop's own benchmark has it.
//!
//! It is measured as HTTP servers are, by the same load and in the same rounds: a message is an exchange whose request and
//! answer are alike.

mod floor;
mod runtimes;

use crate::http::{self, Cores};
use crate::options::Options;
use crate::report::{Class, Report};
use crate::servers::answers::{Exchange, Protocol, Scenario, large_body};
use crate::servers::external::{compiled_with_libuv, python_with};
use crate::servers::{Place, Server, Start};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

/// How much one read can bring, in bytes: more than a message has, with all of them.
const BUFFER_BYTES: usize = 256 * 1024;

/// All echo servers, the floor first.
pub(crate) const SERVERS: &[Server] = &[
    server("floor", "epoll, recv and send", Class::Floor, Start::Here(floor::serve)),
    server("evloop", "this project: a task a connection", Class::Evloop, Start::Here(runtimes::evloop)),
    server("tokio", "tokio's current-thread runtime", Class::Peer, Start::Here(runtimes::tokio)),
    server("smol", "smol, one local executor", Class::Peer, Start::Here(runtimes::smol)),
    server("monoio", "monoio on epoll", Class::Peer, Start::Here(runtimes::monoio)),
    server("libuv", "a C program on libuv", Class::Peer, Start::There(libuv)),
    server("uvloop", "a protocol on uvloop", Class::Peer, Start::There(uvloop)),
];

const fn server(name: &'static str, what: &'static str, class: Class, start: Start) -> Server {
    Server { name, what, class, start }
}

/// All lengths of a message.
pub(crate) const SCENARIOS: &[Scenario] = &[
    echo("1k", "messages of 1 KiB there and back, 10 connections", || message(1)),
    echo("10k", "messages of 10 KiB there and back, 10 connections", || message(10)),
    echo("100k", "messages of 100 KiB there and back, 10 connections", || message(100)),
];

const fn echo(name: &'static str, what: &'static str, exchanges: fn() -> Vec<Exchange>) -> Scenario {
    Scenario { protocol: Protocol::Echo, name, what, connections: 10, depth: 1, fresh: false, exchanges }
}

/// A message whose pieces differ, so that one that is lost or doubled shows.
fn message(kib: usize) -> Vec<Exchange> {
    let bytes = large_body()[..kib * 1024].to_vec();
    vec![Exchange { request: bytes.clone(), body: bytes }]
}

/// The names that this chapter knows: its servers, its scenarios.
pub(crate) fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    (SERVERS.iter().map(|server| server.name).collect(), SCENARIOS.iter().map(|scenario| scenario.name).collect())
}

/// Runs the chapter.
///
/// # Errors
///
/// Those of the system; what is wrong with one server is a note in the report.
pub(crate) fn run(options: &Options, report: &mut Report) -> io::Result<()> {
    let cores = Cores::choose()?;
    for scenario in SCENARIOS.iter().filter(|scenario| options.runs(scenario.name)) {
        report.add(http::section(options, scenario, cores));
    }
    Ok(())
}

/// libuv's loop and streams, in C.
fn libuv(place: &Place<'_>) -> Result<Command, String> {
    let mut command = Command::new(compiled_with_libuv(place.directory, include_str!("uv_echo.c"))?);
    command.arg(place.port.to_string());
    Ok(command)
}

/// uvloop, by a protocol and not by streams, which are slower.
fn uvloop(place: &Place<'_>) -> Result<Command, String> {
    let mut command = Command::new(python_with(&["uvloop"])?);
    command.args(["-c", include_str!("uvloop_echo.py"), &place.port.to_string()]);
    Ok(command)
}

/// How many messages are sent without waiting, to check a server.
const TOGETHER: usize = 16;

/// Checks that each message comes back to the letter, once alone and then [`TOGETHER`] of them one behind the other, which
/// is more than sockets hold; tells how long one is, in bytes.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn check(server: &mut TcpStream, exchange: &Exchange) -> io::Result<usize> {
    for messages in [exchange.request.clone(), exchange.request.repeat(TOGETHER)] {
        let mut sender = server.try_clone()?;
        let mut echoed = vec![0; messages.len()];
        // A server stops reading while its client does not, so who sends and who reads are two.
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| sender.write_all(&messages));
            let read = server.read_exact(&mut echoed);
            if read.is_err() {
                let _ = server.shutdown(Shutdown::Both); // or the other would send to nobody for ever
            }
            let sent = sending.join().expect("it does not panic");
            read.and(sent)
        })?;
        if echoed != messages {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the echo is not what was sent"));
        }
    }
    Ok(exchange.body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn messages_have_their_length_and_come_back_alike() {
        let lengths = SCENARIOS.iter().map(|scenario| (scenario.exchanges)()).map(|exchanges| {
            assert_eq!(exchanges.len(), 1);
            assert_eq!(exchanges[0].request, exchanges[0].body);
            exchanges[0].body.len()
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [1024, 10_240, 102_400]);
        assert!(SCENARIOS.iter().all(|scenario| message(100)[0].body.len() <= BUFFER_BYTES && scenario.depth == 1));
    }

    /// Checks a server that answers each read with what `turn` makes of it, and closes when that is nothing.
    fn checked(turn: fn(&mut [u8]) -> Option<&[u8]>) -> io::Result<usize> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut buffer = vec![0; BUFFER_BYTES];
                while let Ok(read @ 1..) = server.read(&mut buffer) {
                    let Some(answer) = turn(&mut buffer[..read]) else { return };
                    if server.write_all(answer).is_err() {
                        return;
                    }
                }
            });
            let outcome = check(&mut client, &message(100)[0]);
            drop(client); // or the server would wait for more
            outcome
        })
    }

    #[test]
    fn an_echo_passes_though_nobody_reads_while_it_is_sent() {
        assert_eq!(checked(|bytes| Some(bytes)).unwrap(), 102_400);
    }

    #[test]
    fn server_that_closes_is_told_and_leaves_no_sender_behind() {
        assert!(checked(|_| None).is_err());
    }

    #[test]
    fn one_changed_byte_is_told() {
        let outcome = checked(|bytes| {
            bytes[0] ^= 1;
            Some(bytes)
        });
        assert_eq!(outcome.unwrap_err().to_string(), "the echo is not what was sent");
    }
}
