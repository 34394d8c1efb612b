//! Names of Unix sockets: paths, and names that are in no folder.

use rustix::net::{SocketAddrAny, SocketAddrUnix};
use socket2::SockAddr;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

/// How many bytes a path or a name may have: `sun_path` of unix(7) holds 108, and a zero ends a path, or begins a name.
const NAME_BYTES_MAX: usize = 107;

/// What a Unix socket can be bound or connected to: a path; text that begins with a zero, which is an *abstract name*; or an
/// address as std has it, which a received datagram comes with.
///
/// An abstract name is not in the file system: there is no file to be removed and no permission to be checked, so whoever is
/// in the same network namespace can connect. It is gone with the socket that is bound to it (unix(7)).
///
/// # Examples
/// ```
/// use evloop_runtime::net::{UnixListener, UnixStream};
///
/// let name = format!("\0evloop-doc-{}", std::process::id());
/// evloop_runtime::block_on(async {
///     let _listener = UnixListener::bind(&name)?;
///     UnixStream::connect(&name).await?;
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
pub trait ToUnixAddr: sealed::Sealed {
    /// As the system takes it.
    #[doc(hidden)]
    fn address(&self) -> io::Result<SocketAddr>;

    /// For errors: an abstract name has `@` in place of its zero, as with `ss`.
    #[doc(hidden)]
    fn text(&self) -> String;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for std::path::Path {}
    impl Sealed for std::path::PathBuf {}
    impl Sealed for std::ffi::OsStr {}
    impl Sealed for std::ffi::OsString {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl Sealed for std::os::unix::net::SocketAddr {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

impl ToUnixAddr for Path {
    fn address(&self) -> io::Result<SocketAddr> {
        let bytes = self.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty"));
        }
        let (kind, name) = match bytes.strip_prefix(b"\0") {
            Some(name) => ("abstract name", name),
            None => ("path", bytes),
        };
        if name.len() > NAME_BYTES_MAX {
            let text =
                format!("the {kind} has {} bytes, and that of a socket has at most {NAME_BYTES_MAX}", name.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if kind == "path" { SocketAddr::from_pathname(self) } else { SocketAddr::from_abstract_name(name) }
    }

    fn text(&self) -> String {
        match self.as_os_str().as_bytes().strip_prefix(b"\0") {
            Some(name) => format!("@{}", name.escape_ascii()),
            None => self.display().to_string(),
        }
    }
}

impl ToUnixAddr for SocketAddr {
    fn address(&self) -> io::Result<SocketAddr> {
        if self.is_unnamed() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the address has no name"));
        }
        Ok(self.clone())
    }

    fn text(&self) -> String {
        match (self.as_pathname(), self.as_abstract_name()) {
            (Some(path), _) => path.text(),
            (None, Some(name)) => format!("@{}", name.escape_ascii()),
            (None, None) => String::from("(unnamed)"),
        }
    }
}

/// For what is a path in other clothes.
macro_rules! as_path {
    ($($kind:ty),+) => {$(
        impl ToUnixAddr for $kind {
            fn address(&self) -> io::Result<SocketAddr> {
                Path::new(self).address()
            }
            fn text(&self) -> String {
                Path::new(self).text()
            }
        }
    )+};
}

as_path!(PathBuf, OsStr, OsString, str, String);

impl<T: ToUnixAddr + ?Sized> ToUnixAddr for &T {
    fn address(&self) -> io::Result<SocketAddr> {
        (**self).address()
    }
    fn text(&self) -> String {
        (**self).text()
    }
}

/// What the kernel tells of a client, as std has it. Most clients have no name.
pub(super) fn named(address: &SockAddr) -> io::Result<SocketAddr> {
    if let Some(name) = address.as_abstract_namespace() {
        return SocketAddr::from_abstract_name(name);
    }
    // A client that is not bound by std may fill `sun_path` to its last byte. Such a path std does not hold.
    let path = address.as_pathname().filter(|path| path.as_os_str().len() <= NAME_BYTES_MAX);
    SocketAddr::from_pathname(path.unwrap_or(Path::new("")))
}

impl crate::net::datagram::Sender for SocketAddr {
    /// What rustix has read: a sender without a name has no address at all.
    fn decode(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
        let unnamed = || SocketAddr::from_pathname("");
        // As above, and rustix does not expect such a path: the length counts the family (2 bytes), the path, and a zero.
        let Some(address) = address.filter(|address| address.addr_len() as usize <= 2 + NAME_BYTES_MAX + 1) else {
            return unnamed();
        };
        let address = SocketAddrUnix::try_from(address)?;
        match (address.abstract_name(), address.path_bytes()) {
            (Some(name), _) => SocketAddr::from_abstract_name(name),
            // Of the longest paths, rustix leaves the zero at the end.
            (None, Some(path)) => {
                SocketAddr::from_pathname(OsStr::from_bytes(path.strip_suffix(b"\0").unwrap_or(path)))
            }
            (None, None) => unnamed(),
        }
    }
}
