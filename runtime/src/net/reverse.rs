//! Names of addresses: getnameinfo(3), on the threads of the pool that are for names.

use super::lookup::system_error;
use super::{failed, literal};
use crate::spawn::blocking_names;
use std::io;
use std::net::SocketAddr;

/// The host and the service of an address: the system's `getnameinfo`, on the blocking pool.
///
/// What has no name is told in digits, unless a name is [required](NameHints::name_required). When both are to be in digits,
/// nobody is asked, and no thread is taken.
///
/// # Errors
/// When a name is required and there is none, and when the resolver fails; each tells the address, and
/// [`LookupError::of`](super::LookupError::of) finds what the system said.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::net::{NameHints, lookup_addr};
///
/// evloop_runtime::block_on(async {
///     let address = "127.0.0.1:80".parse().unwrap();
///     let found = lookup_addr(address, NameHints::new()).await?;
///     assert_eq!((&*found.host, &*found.service), ("localhost", "http"));
///
///     let found = lookup_addr(address, NameHints::new().numeric_host().numeric_service()).await?;
///     assert_eq!((&*found.host, &*found.service), ("127.0.0.1", "80"));
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
///
/// # Cancel safety
/// Dropped, it takes its job back, if no thread has begun it; one that has begun ends on its thread.
pub async fn lookup_addr(address: SocketAddr, hints: NameHints) -> io::Result<HostAndService> {
    if hints.has(libc::NI_NUMERICHOST) && hints.has(libc::NI_NUMERICSERV) {
        if hints.has(libc::NI_NAMEREQD) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "a name is required, and digits are");
            return Err(failed("name", address)(error));
        }
        return Ok(HostAndService { host: literal::written(&address), service: address.port().to_string() });
    }
    blocking_names(move || getnameinfo(address, hints)).await.map_err(failed("name", address))
}

/// Any thread that may block.
fn getnameinfo(address: SocketAddr, hints: NameHints) -> io::Result<HostAndService> {
    let (host, service) = dns_lookup::getnameinfo(&address, hints.flags).map_err(system_error)?;
    Ok(HostAndService { host, service })
}

/// What [`lookup_addr`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAndService {
    /// The name of the host, or its address.
    pub host: String,
    /// The name of the port, as in `/etc/services`, or its number.
    pub service: String,
}

/// What kind of names a [`lookup_addr`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "hints are to be given to `lookup_addr`"]
pub struct NameHints {
    /// Of those that begin with `NI_`.
    flags: i32,
}

impl NameHints {
    /// Names where there are any, and digits else.
    pub fn new() -> NameHints {
        NameHints::default()
    }

    /// A host without a name is an error: `NI_NAMEREQD`.
    pub fn name_required(mut self) -> NameHints {
        self.flags |= libc::NI_NAMEREQD;
        self
    }

    /// The host in digits: `NI_NUMERICHOST`.
    pub fn numeric_host(mut self) -> NameHints {
        self.flags |= libc::NI_NUMERICHOST;
        self
    }

    /// The port in digits: `NI_NUMERICSERV`.
    pub fn numeric_service(mut self) -> NameHints {
        self.flags |= libc::NI_NUMERICSERV;
        self
    }

    /// The port is one of UDP, and not of TCP: `NI_DGRAM`.
    pub fn datagram(mut self) -> NameHints {
        self.flags |= libc::NI_DGRAM;
        self
    }

    fn has(self, flag: i32) -> bool {
        self.flags & flag != 0
    }
}
