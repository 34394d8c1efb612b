//! Addresses in writing. What is one already, no resolver needs to be asked for.

use crate::sys::interface;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

/// An address without a port: of IPv6, it may be in brackets, as in a URL, and have the zone in which it is valid, by the name or
/// the number of an interface (RFC 4007, section 11). `None`: it is none, and so must be a name.
///
/// # Errors
/// When there is no interface of the zone's name.
pub(super) fn host(text: &str) -> io::Result<Option<SocketAddr>> {
    let text = without_brackets(text).unwrap_or(text);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(address, 0)));
    }
    let Some((address, zone)) = text.split_once('%') else { return Ok(None) };
    let Ok(address) = address.parse::<Ipv6Addr>() else { return Ok(None) };
    let index = match digits(zone) {
        Some(index) => index,
        None => interface::index_of(zone)?,
    };
    Ok(Some(SocketAddrV6::new(address, 0, 0, index).into()))
}

/// A number that is not too large, in digits and nothing else.
pub(super) fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What stands between brackets; inside of them it is no name.
pub(super) fn without_brackets(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

/// As [`host`], with a port behind a colon; `None` also when there is no interface of the zone's name.
pub(super) fn host_and_port(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let (host, port) = text.rsplit_once(':')?;
        let mut address = self::host(host).ok()?.filter(|_| without_brackets(host).is_some())?;
        address.set_port(digits(port)?);
        address.is_ipv6().then_some(address)
    })
}

/// The address without its port, as [`host`] reads it.
pub(super) fn written(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let zone = interface::name_of(v6.scope_id()).unwrap_or_else(|_| v6.scope_id().to_string());
            format!("{}%{zone}", v6.ip())
        }
        _ => address.ip().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lo() -> u32 {
        interface::index_of("lo").unwrap()
    }

    fn zoned(text: &str, port: u16, zone: u32) -> SocketAddr {
        SocketAddrV6::new(text.parse().unwrap(), port, 0, zone).into()
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn hosts_are_read_bare_in_brackets_and_with_a_zone() {
        let read = |text| host(text).unwrap();
        assert_eq!(read("127.0.0.1"), Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(read("::1"), Some("[::1]:0".parse().unwrap()));
        assert_eq!(read("[::1]"), Some("[::1]:0".parse().unwrap()));
        assert_eq!(read("fe80::1%lo"), Some(zoned("fe80::1", 0, lo())));
        assert_eq!(read("[fe80::1%lo]"), Some(zoned("fe80::1", 0, lo())));
        assert_eq!(read("fe80::1%7"), Some(zoned("fe80::1", 0, 7)));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "localhost", "127.0.0.1:80", "1.2.3", "256.1.1.1", "127.0.0.1%lo", "[", "[]", "::1]", "%lo"] {
            assert_eq!(host(text).unwrap(), None, "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn zone_that_is_no_interface_is_an_error() {
        assert_eq!(host("fe80::1%nope").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(host("fe80::1%").is_err());
        assert!(host("fe80::1%+1").is_err());
        assert!(host("fe80::1%4294967296").is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn port_stands_behind_an_address_of_ipv4_or_one_in_brackets() {
        assert_eq!(host_and_port("127.0.0.1:80"), Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(host_and_port("[::1]:80"), Some("[::1]:80".parse().unwrap()));
        assert_eq!(host_and_port("[fe80::1%lo]:80"), Some(zoned("fe80::1", 80, lo())));
        for text in [
            "127.0.0.1",
            "::1",
            "[::1]",
            "[127.0.0.1]:80",
            "[::1]:65536",
            "[fe80::1%1]:+80",
            "fe80::1%lo:80",
            "localhost:80",
            ":80",
        ] {
            assert_eq!(host_and_port(text), None, "{text:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no network interfaces")]
    fn what_is_written_is_read_again() {
        for text in ["127.0.0.1", "::1", "fe80::1%lo"] {
            assert_eq!(written(&host(text).unwrap().unwrap()), text);
        }
        assert_eq!(written(&zoned("fe80::1", 80, 4_000_000_000)), "fe80::1%4000000000", "there is no such interface");
    }
}
