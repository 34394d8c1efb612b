//! A socket that listens already when the program starts.

use super::{TcpListener, UnixListener, failed};
use crate::sys;
use socket2::{Domain, Socket, Type};
use std::io;
use std::os::fd::RawFd;

/// A listening socket that this process was started with: by a supervisor that opens the port itself, restarts the program
/// without losing a client, or starts it at the first connection.
///
/// # Examples
/// ```
/// use evloop_runtime::net::Inherited;
/// use std::os::fd::AsRawFd;
///
/// let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// evloop_runtime::block_on(async {
///     let Inherited::Tcp(listener) = Inherited::from_fd(theirs.as_raw_fd())? else { panic!("it was TCP") };
///     assert_eq!(listener.local_addr()?, theirs.local_addr()?);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub enum Inherited {
    /// Of IPv4 or IPv6.
    Tcp(TcpListener),
    /// At a path, whose file is not removed when the listener is dropped, or without one.
    Unix(UnixListener),
}

/// Which listener a socket becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Tcp,
    Unix,
}

impl Inherited {
    /// Takes over the listening socket that is open under a number.
    ///
    /// The number is duplicated, and stays open as it is. So the socket goes on listening when the listener is dropped: who
    /// connects later waits for whoever accepts next, until all who have the socket are gone. It is made non-blocking,
    /// which those others see as well. The number is kept from the children that this process starts.
    ///
    /// # Errors
    /// When the number is not open, or is not a stream socket that listens, of IPv4, IPv6 or the Unix domain; and what the
    /// system says. Each tells the number.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(number: RawFd) -> io::Result<Inherited> {
        let (socket, family) = checked(number).map_err(failed("listen on descriptor", number))?;
        Ok(match family {
            Family::Tcp => Inherited::Tcp(TcpListener::from_std(socket.into())?),
            Family::Unix => Inherited::Unix(UnixListener::from_std(socket.into())?),
        })
    }

    /// As [`from_fd`](Inherited::from_fd), and takes the socket from the number, which leads to `/dev/null` from then on. So the
    /// socket listens no longer than the listener, as far as this process is concerned. Where there is no `/dev/null`, or no
    /// descriptor left to open it, the number stays as it is, and the log says so.
    ///
    /// # Errors
    /// As [`from_fd`](Inherited::from_fd); the number is left as it is then.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::net::Inherited;
    /// use std::net::TcpStream;
    /// use std::os::fd::AsRawFd;
    ///
    /// let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// let address = theirs.local_addr().unwrap();
    /// evloop_runtime::block_on(async {
    ///     let listener = Inherited::take_fd(theirs.as_raw_fd())?;
    ///     assert!(TcpStream::connect(address).is_ok());
    ///     drop(listener);
    ///     assert!(TcpStream::connect(address).is_err(), "the other one leads nowhere");
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn take_fd(number: RawFd) -> io::Result<Inherited> {
        let inherited = Inherited::from_fd(number)?;
        if let Err(error) = sys::fd::let_go(number) {
            log::warn!("descriptor {number} stays open beside its duplicate, and its socket with it: {error}");
        }
        Ok(inherited)
    }
}

/// A duplicate of what is open under the number, if it can be accepted from.
fn checked(number: RawFd) -> io::Result<(Socket, Family)> {
    let meaning = |errno: i32, text: &'static str| {
        move |error: io::Error| if error.raw_os_error() == Some(errno) { refused(text) } else { error }
    };
    let socket = Socket::from(sys::fd::duplicate(number).map_err(meaning(libc::EBADF, "it is not open"))?);
    let kind = socket.r#type().map_err(meaning(libc::ENOTSOCK, "it is no socket"))?;
    let family = family_of(kind, socket.is_listener()?, socket.domain()?)?;
    sys::fd::keep_from_children(number)?;
    Ok((socket, family))
}

fn family_of(kind: Type, listens: bool, domain: Domain) -> io::Result<Family> {
    if kind != Type::STREAM {
        return Err(refused("it is a socket, but not for streams"));
    }
    if !listens {
        return Err(refused("it is a socket, but does not listen"));
    }
    match domain {
        Domain::IPV4 | Domain::IPV6 => Ok(Family::Tcp),
        Domain::UNIX => Ok(Family::Unix),
        other => Err(refused(format!("it listens in address family {}, neither IP nor Unix", i32::from(other)))),
    }
}

fn refused(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_is_told_by_type_state_and_family() {
        assert_eq!(family_of(Type::STREAM, true, Domain::IPV4).unwrap(), Family::Tcp);
        assert_eq!(family_of(Type::STREAM, true, Domain::IPV6).unwrap(), Family::Tcp);
        assert_eq!(family_of(Type::STREAM, true, Domain::UNIX).unwrap(), Family::Unix);
        let refusal = |kind, listens, domain| family_of(kind, listens, domain).unwrap_err().to_string();
        assert!(refusal(Type::SEQPACKET, true, Domain::UNIX).contains("not for streams"));
        assert!(refusal(Type::STREAM, false, Domain::IPV4).contains("does not listen"));
        assert!(refusal(Type::STREAM, true, Domain::VSOCK).contains("address family 40"));
    }
}
