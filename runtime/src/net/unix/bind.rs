//! Binding, for listeners and datagrams alike.

use super::address::ToUnixAddr;
use super::file::{Lock, SocketFile, remove_stale};
use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::SocketAddr;

/// A socket that is bound to its name.
pub(super) struct Bound {
    pub(super) socket: Socket,
    /// Where the name is a path.
    pub(super) file: Option<SocketFile>,
    /// To be held until the socket is no longer taken for a stale one.
    pub(super) lock: Option<Lock>,
}

/// Binds to a path, where it replaces a stale file, or to an abstract name.
///
/// `mode` is what the permissions of the file are to be; without one, what the umask leaves of `0o777`. `probe` tries to reach whoever is at the path.
pub(super) fn bind(
    name: &impl ToUnixAddr,
    kind: Type,
    mode: Option<u32>,
    probe: impl FnOnce(&SocketAddr) -> io::Result<()>,
) -> io::Result<Bound> {
    let address = name.address()?;
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    let Some(path) = address.as_pathname() else {
        let name = address.as_abstract_name().expect("what is not a path, and has a name");
        socket.bind(&SockAddr::unix(OsString::from_vec([b"\0", name].concat()))?)?;
        return Ok(Bound { socket, file: None, lock: None });
    };
    let lock = Lock::take(path)?;
    remove_stale(path, || probe(&address))?;
    if let Some(mode) = mode {
        // Before there is a file, which gets it from the socket, less what the umask takes away: it never has more.
        fchmod(&socket, Mode::from_raw_mode(mode))?;
    }
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::made_at(path)?;
    if let Some(mode) = mode {
        file.grant(mode)?; // before anybody can connect, for it does not listen yet
    }
    Ok(Bound { socket, file: Some(file), lock: Some(lock) })
}
