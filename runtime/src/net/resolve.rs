//! Names and addresses. What is an address already never touches the pool.

use super::lookup::{LookupHints, find};
use super::{failed, literal};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// What can be connected to: an address, or a name with a port.
///
/// Implemented for socket addresses, for pairs of host and port, and for text like `"127.0.0.1:80"`, `"[::1]:80"`,
/// `"[fe80::1%eth0]:80"` or `"localhost:80"`.
pub trait ToSocketAddrs: sealed::Sealed {
    /// The address, if this is one and not a name.
    #[doc(hidden)]
    fn literal(&self) -> Option<SocketAddr>;

    /// What is to be looked up if it is none.
    #[doc(hidden)]
    fn host_and_port(&self) -> io::Result<(String, u16)> {
        split(&self.text())
    }

    /// As text, for errors.
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
        let mut address = literal::host(self.0).ok()??;
        address.set_port(self.1);
        Some(address)
    }
    fn host_and_port(&self) -> io::Result<(String, u16)> {
        Ok((self.0.to_owned(), self.1))
    }
    fn text(&self) -> String {
        self.literal().map_or_else(|| format!("{}:{}", self.0, self.1), |address| address.to_string())
    }
}

impl ToSocketAddrs for str {
    fn literal(&self) -> Option<SocketAddr> {
        literal::host_and_port(self)
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
    fn host_and_port(&self) -> io::Result<(String, u16)> {
        (**self).host_and_port()
    }
    fn text(&self) -> String {
        (**self).text()
    }
}

/// A name and the port behind it.
fn split(text: &str) -> io::Result<(String, u16)> {
    let complain = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let Some((host, port)) = text.rsplit_once(':') else {
        return complain("there is no port behind the name, as in `name:80`");
    };
    if host.contains(':') && literal::without_brackets(host).is_none() {
        return complain("an address of IPv6 before a port stands in brackets");
    }
    match literal::digits(port) {
        Some(port) => Ok((host.to_owned(), port)),
        None => complain("the port is no number from 0 to 65535"),
    }
}

/// The addresses of a name, in the order in which the system gives them (`getaddrinfo`, on the blocking pool).
/// [`lookup`](super::lookup()) is the same with hints.
///
/// # Errors
/// When there is no such name, when the text has no port, or when the system's resolver fails; each tells the name.
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
/// Dropped, it takes its job back, if no thread has begun it; one that has begun ends on its thread.
pub async fn lookup_host(name: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    if let Some(address) = name.literal() {
        return Ok(vec![address]);
    }
    let text = name.text();
    let found = match name.host_and_port() {
        Ok((host, port)) => find(&host, port.into(), LookupHints::new()).await,
        Err(error) => Err(error),
    };
    found.map(|found| found.addresses).map_err(failed("resolve", text.escape_debug()))
}
