//! Who asks: the load generator, a process of its own on a core of its own.

use serde::{Deserialize, Serialize};
use std::io;
use std::net::TcpListener;

/// What the load generator is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// The server's port on 127.0.0.1.
    pub(crate) port: u16,
    /// Which scenario.
    pub(crate) scenario: String,
    /// For how long, in seconds.
    pub(crate) seconds: f64,
}

/// Does as ordered.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn run(_orders: &Orders) -> io::Result<()> {
    Ok(())
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
