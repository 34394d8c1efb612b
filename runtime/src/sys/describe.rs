//! What is behind a descriptor, in words for people.

use super::fd;
use socket2::{SockAddr, SockRef};
use std::fs;
use std::os::fd::{AsFd, OwnedFd, RawFd};

/// Says what is open under that number: a socket with its addresses, else what the kernel calls it.
pub(crate) fn describe(number: RawFd) -> String {
    let socket = fd::duplicate(number).ok().and_then(|duplicate| describe_socket(&duplicate));
    socket.unwrap_or_else(|| match fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(target) => target.to_string_lossy().into_owned(),
        Err(_) => String::from("closed"),
    })
}

fn describe_socket(duplicate: &OwnedFd) -> Option<String> {
    let socket = SockRef::from(duplicate);
    let local = socket.local_addr().ok()?; // not a socket
    let name = match () {
        () if local.is_unix() => "unix socket",
        () if socket.r#type().is_ok_and(|kind| kind == socket2::Type::DGRAM) => "udp socket",
        () => "tcp socket",
    };
    let ours = address(&local);
    Some(match socket.peer_addr() {
        Ok(peer) => format!("{name} {ours} to {}", address(&peer)),
        Err(_) if rustix::net::sockopt::socket_acceptconn(duplicate.as_fd()).is_ok_and(|listens| listens) => {
            format!("{name} {ours}, listening")
        }
        Err(_) => format!("{name} {ours}"),
    })
}

fn address(address: &SockAddr) -> String {
    match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => address.to_string(),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => match address.as_abstract_namespace() {
            Some(name) => format!("@{}", String::from_utf8_lossy(name)),
            None => String::from("(unnamed)"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn sockets_are_told_with_their_addresses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        assert_eq!(describe(listener.as_raw_fd()), format!("tcp socket {there}, listening"));
        let stream = std::net::TcpStream::connect(there).unwrap();
        let here = stream.local_addr().unwrap();
        assert_eq!(describe(stream.as_raw_fd()), format!("tcp socket {here} to {there}"));
    }

    #[test]
    fn others_are_told_as_the_kernel_calls_them() {
        let (reading, _writing) = std::io::pipe().unwrap();
        let text = describe(reading.as_raw_fd());
        assert!(text.starts_with("pipe:["), "{text}");
        assert_eq!(describe(-1), "closed");
    }
}
