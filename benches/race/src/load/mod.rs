//! Who asks: the load generator, a process of its own on a core of its own.
//!
//! One thread on epoll that makes its requests beforehand and counts the bytes of answers, since all answers of a server to
//! a scenario have one length, which [`check`] has found out when it read the first of them to the letter. So it costs what
//! the floor does, and keeps any server busy that does more.
//!
//! [`asking`] is its loop; [`window`] is the time that counts, and reads the server's own clock of CPU time at both of its
//! ends, in this process, so that no slowness between two processes gets into the figure. [`hold`] keeps connections on
//! which nothing happens.

mod asking;
pub(crate) mod check;
mod connection;
mod hold;
mod window;

use crate::servers::answers;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::TcpListener;

/// What the load generator is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Orders {
    /// To ask.
    Ask(Ask),
    /// To hold connections on which nothing happens, after one request on each, until it is killed.
    Hold {
        /// The server's port on 127.0.0.1.
        port: u16,
        /// How many.
        connections: usize,
        /// How long the answer to the first request of the first scenario is, in bytes.
        answer_bytes: usize,
    },
}

/// What is asked of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The server's port on 127.0.0.1.
    pub(crate) port: u16,
    /// The server's process.
    pub(crate) pid: i32,
    /// Which scenario.
    pub(crate) scenario: String,
    /// How long an answer is, head and all, in bytes.
    pub(crate) answer_bytes: usize,
    /// When it ends.
    pub(crate) until: Until,
    /// The cores that server and load are on.
    pub(crate) cores: Vec<usize>,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Until {
    /// After a while, in seconds, once warmed up for a fifth of that.
    Seconds(f64),
    /// After so many requests, of which none is for warming up.
    Requests(u64),
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// How many requests were answered.
    pub(crate) requests: u64,
    /// In what time, in seconds.
    pub(crate) seconds: f64,
    /// What the server was on a CPU for it, all its threads, in nanoseconds.
    pub(crate) server_ns: u64,
    /// What the load generator was, in nanoseconds.
    pub(crate) load_ns: u64,
    /// From a request to the end of its answer, which half of them took at most, in nanoseconds.
    pub(crate) p50_ns: u64,
    /// The same, of 99 in 100.
    pub(crate) p99_ns: u64,
    /// The same, of 999 in 1000.
    pub(crate) p999_ns: u64,
    /// What both their cores did for others meanwhile, as a share of one core.
    pub(crate) foreign: f64,
}

/// Does as ordered, and prints the [`Outcome`] as JSON, or `held` once all connections are.
///
/// # Errors
///
/// That the server does not answer, or with something else.
pub(crate) fn run(orders: &Orders) -> io::Result<()> {
    match orders {
        Orders::Ask(ask) => {
            let scenario = answers::scenario(&ask.scenario).ok_or_else(|| wrong("there is no such scenario"))?;
            println!("{}", serde_json::to_string(&asking::run(ask, scenario)?)?);
            Ok(())
        }
        Orders::Hold { port, connections, answer_bytes } => hold::run(*port, *connections, *answer_bytes),
    }
}

/// A server that does not do as it should.
fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// A listener on a free port of 127.0.0.1 with room for 4096 connections that wait, as every contestant has it.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn listen() -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    listen(&socket, 4096)?;
    Ok(TcpListener::from(socket))
}
