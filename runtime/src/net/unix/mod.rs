//! Unix domain sockets: connections within one machine, by a path in place of an address and a port.

mod file;
mod listener;
mod stream;

pub use listener::UnixListener;
pub use stream::UnixStream;

use socket2::SockAddr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// How many bytes a path may have: `sun_path` of unix(7) holds 108, and a zero ends it.
const PATH_BYTES_MAX: usize = 107;

/// The address of a path. An empty one is refused here: to the kernel it is no path, but the wish for an abstract name.
fn address_of(path: &Path) -> io::Result<SocketAddr> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty"));
    }
    if bytes.len() > PATH_BYTES_MAX {
        let text = format!("the path has {} bytes, and that of a socket has at most {PATH_BYTES_MAX}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    SocketAddr::from_pathname(path)
}

/// What the kernel tells of a client, as std has it. Most clients have no name.
fn named(address: &SockAddr) -> io::Result<SocketAddr> {
    if let Some(name) = address.as_abstract_namespace() {
        return SocketAddr::from_abstract_name(name);
    }
    // A client that is not bound by std may fill `sun_path` to its last byte. Such a path std does not hold.
    let path = address.as_pathname().filter(|path| path.as_os_str().len() <= PATH_BYTES_MAX);
    SocketAddr::from_pathname(path.unwrap_or(Path::new("")))
}

#[cfg(test)]
mod tests;
