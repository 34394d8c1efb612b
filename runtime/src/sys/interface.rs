//! Network interfaces by name and by number, as netdevice(7) has them.

use socket2::{Domain, Socket, Type};
use std::io;

/// The number of the interface of that name.
///
/// # Errors
/// `NotFound`, when there is no such interface.
pub(crate) fn index_of(name: &str) -> io::Result<u32> {
    let index = rustix::net::netdevice::name_to_index(any_socket()?, name);
    index.map_err(|_| io::Error::new(io::ErrorKind::NotFound, format!("there is no network interface {name:?}")))
}

/// The name of the interface of that number.
///
/// # Errors
/// What the system says, as that there is no such interface.
pub(crate) fn name_of(index: u32) -> io::Result<String> {
    Ok(rustix::net::netdevice::index_to_name(any_socket()?, index)?)
}

/// The kernel answers on any socket, of whatever kind.
fn any_socket() -> io::Result<Socket> {
    Socket::new(Domain::UNIX, Type::DGRAM, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn loopback_is_found_by_name_and_by_number() {
        let index = index_of("lo").unwrap();
        assert_eq!(name_of(index).unwrap(), "lo");
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn what_names_no_interface_is_an_error_that_tells_it() {
        for name in ["", "no-such", "a name that is longer than any interface may have"] {
            let error = index_of(name).unwrap_err();
            assert_eq!(error.to_string(), format!("there is no network interface {name:?}"));
        }
        assert!(name_of(u32::MAX).is_err());
    }
}
