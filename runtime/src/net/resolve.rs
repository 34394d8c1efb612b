//! Names and addresses. What is an address already never touches the pool.

use super::failed;
use crate::spawn::blocking_names;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// What can be connected to: an address, or a name with a port.
///
/// Implemented for socket addresses, for pairs of host and port, and for text like `"127.0.0.1:80"`, `"[::1]:80"` or
/// `"localhost:80"`.
pub trait ToSocketAddrs: sealed::Sealed {
    /// The address, if this is one and not a name.
    #[doc(hidden)]
    fn literal(&self) -> Option<SocketAddr>;

    /// As text, for the look-up and for errors.
    #[doc(hidden)]
    fn text(&self) -> String;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for std::net::SocketAddr {}
    impl Sealed for (std::net::IpAddr, u16) {}
    impl Sealed for (&str, u16) {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

impl ToSocketAddrs for SocketAddr {
    fn literal(&self) -> Option<SocketAddr> {
        Some(*self)
    }
    fn text(&self) -> String {
        self.to_string()
    }
}

impl ToSocketAddrs for (IpAddr, u16) {
    fn literal(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(*self))
    }
    fn text(&self) -> String {
        SocketAddr::from(*self).to_string()
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn literal(&self) -> Option<SocketAddr> {
        self.0.parse::<IpAddr>().ok().map(|host| SocketAddr::new(host, self.1))
    }
    fn text(&self) -> String {
        self.literal().map_or_else(|| format!("{}:{}", self.0, self.1), |address| address.to_string())
    }
}

impl ToSocketAddrs for str {
    fn literal(&self) -> Option<SocketAddr> {
        self.parse().ok()
    }
    fn text(&self) -> String {
        self.to_owned()
    }
}

impl ToSocketAddrs for String {
    fn literal(&self) -> Option<SocketAddr> {
        self.as_str().literal()
    }
    fn text(&self) -> String {
        self.clone()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn literal(&self) -> Option<SocketAddr> {
        (**self).literal()
    }
    fn text(&self) -> String {
        (**self).text()
    }
}

/// The addresses of a name, in the order in which the system gives them (`getaddrinfo`, on the blocking pool).
///
/// # Errors
/// When there is no such name, when the text has no port, or when the system's resolver fails.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let addresses = evloop_runtime::net::lookup_host("127.0.0.1:80").await?;
///     assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap()]);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
///
/// # Cancel safety
/// Nothing is lost but the time that it took; a look-up that has begun ends on its thread.
pub async fn lookup_host(name: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = name.literal() {
        return Ok(vec![address]);
    }
    let text = name.text();
    let asked = text.clone();
    let found = blocking_names(move || std::net::ToSocketAddrs::to_socket_addrs(&asked).map(Vec::from_iter)).await;
    match found {
        Ok(addresses) if addresses.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "it has no address")),
        found => found,
    }
    .map_err(failed("resolve", text))
}
