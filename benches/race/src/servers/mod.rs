//! The HTTP servers that are compared, one table.
//!
//! Each has one thread for its loop, keeps connections alive, logs nothing, has no limit that the load would reach, and
//! answers as [`answers`] has it. A server of this table that is written in Rust is a function in a file of its own, and
//! this program becomes it; the others are programs of the machine.

mod actix;
pub(crate) mod answers;
pub(crate) mod by_hand;
mod evloop;
pub(crate) mod external;
mod floor;
mod hyper;
mod may;
mod monoio;
mod ntex;
pub(crate) mod running;
mod smol;
#[cfg(test)]
mod tests;
mod tokio_raw;

use crate::report::Class;
use answers::{Protocol, Scenario};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

/// One server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server {
    /// As on the command line.
    pub(crate) name: &'static str,
    /// What it is, in a line.
    pub(crate) what: &'static str,
    /// What it is compared as.
    pub(crate) class: Class,
    /// How it comes to be.
    pub(crate) start: Start,
}

/// How a server comes to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// By this program, which serves on the listener until it is killed. The listener is blocking, as std makes it.
    Here(fn(TcpListener) -> io::Result<()>),
    /// By this program, which listens on the address itself, for a server that takes no listener.
    Listens(fn(SocketAddr) -> io::Result<()>),
    /// By this program, and it is told which answer it gives to whatever comes.
    Bare(fn(TcpListener, &Scenario) -> io::Result<()>),
    /// By a program of this machine.
    There(fn(&Place<'_>) -> Result<Command, String>),
}

/// Where a program of the machine is to serve.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// A directory of its own, for its configuration, that is removed afterwards.
    pub(crate) directory: &'a Path,
    /// It listens on 127.0.0.1 here, with a backlog of 4096. Nobody waits for a word of it: it is asked until it answers.
    pub(crate) port: u16,
    /// What it will be asked; only a server that parses nothing wants to know.
    pub(crate) scenario: &'a Scenario,
}

/// All of them, the floor first. A program that is not on this machine is `Err(reason)` out of its [`Start::There`].
pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "floor",
        what: "epoll, recv and send; parses nothing",
        class: Class::Floor,
        start: Start::Bare(floor::serve),
    },
    Server {
        name: "evloop",
        what: "this project: its server and router",
        class: Class::Evloop,
        start: Start::Here(evloop::serve),
    },
    Server {
        name: "hyper",
        what: "hyper 1 on tokio's current-thread runtime",
        class: Class::Peer,
        start: Start::Here(hyper::serve),
    },
    Server {
        name: "tokio-raw",
        what: "httparse and a handler by hand on tokio",
        class: Class::Hand,
        start: Start::Here(tokio_raw::serve),
    },
    Server {
        name: "smol",
        what: "httparse and a handler by hand on smol",
        class: Class::Hand,
        start: Start::Here(smol::serve),
    },
    Server {
        name: "monoio",
        what: "httparse and a handler by hand on monoio's epoll",
        class: Class::Hand,
        start: Start::Here(monoio::serve),
    },
    Server {
        name: "ntex",
        what: "ntex's service and router on its own reactor",
        class: Class::Peer,
        start: Start::Here(ntex::serve),
    },
    Server { name: "actix-web", what: "actix-web on tokio", class: Class::Peer, start: Start::Here(actix::serve) },
    Server {
        name: "may_minihttp",
        what: "may_minihttp on may's coroutines",
        class: Class::Peer,
        start: Start::Listens(may::serve),
    },
    Server {
        name: "libuv",
        what: "a handler by hand in C on libuv",
        class: Class::Hand,
        start: Start::There(external::libuv),
    },
    Server { name: "nginx", what: "nginx, one worker", class: Class::Peer, start: Start::There(external::nginx) },
    Server { name: "node", what: "node's own HTTP server", class: Class::Peer, start: Start::There(external::node) },
    Server {
        name: "uvicorn",
        what: "uvicorn on uvloop, an application without a framework",
        class: Class::Peer,
        start: Start::There(external::uvicorn),
    },
];

/// The servers that a scenario is for.
pub(crate) fn of(scenario: &Scenario) -> &'static [Server] {
    match scenario.protocol {
        Protocol::Http => SERVERS,
        Protocol::Echo => crate::echo::SERVERS,
    }
}

/// Serves as the server of this name, until killed.
///
/// # Errors
///
/// That there is no such server or scenario; what the server ends with.
pub(crate) fn serve(name: &str, scenario: &str) -> io::Result<()> {
    let no = |kind: &str, name: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("no {kind} {name:?}"));
    let scenario = answers::scenario(scenario).ok_or_else(|| no("scenario", scenario))?;
    let server = of(scenario).iter().find(|server| server.name == name).ok_or_else(|| no("server", name))?;
    let listener = crate::load::listen()?;
    let address = listener.local_addr()?;
    if let Start::Listens(serve) = server.start {
        drop(listener); // before anybody knows of it: who connected to it would be cut off
        println!("listening on {address}");
        return serve(address);
    }
    println!("listening on {address}");
    match server.start {
        Start::Here(serve) => serve(listener),
        Start::Bare(serve) => serve(listener, scenario),
        Start::Listens(_) | Start::There(_) => Err(no("server in this program", name)),
    }
}
