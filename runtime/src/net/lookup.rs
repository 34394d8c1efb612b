//! Addresses of names: getaddrinfo(3), with its hints, on the threads of the pool that are for names.

use super::{failed, literal};
use crate::spawn::blocking_names;
use dns_lookup::{AddrInfoHints, LookupErrorKind};
use std::io::{self, ErrorKind::InvalidInput};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{error, fmt};

/// The addresses of a host, with a port: the system's `getaddrinfo`, on the blocking pool.
///
/// `service` is a port, or the name of one as in `/etc/services`. A host that is an address already, also one of IPv6 in
/// brackets or with a zone, is never asked for, and takes no thread, unless its port has a name.
///
/// Addresses are told once each, in the order in which the system has them, which is that of RFC 6724. A name that is
/// not ASCII is passed on as it is, which few resolvers take: it is to be given in Punycode.
///
/// # Errors
/// When there is no such host or service, or none with these hints, and when the resolver fails; each tells the name, and
/// [`LookupError::of`] finds what the system said. `InvalidInput`: what is asked for cannot be the name of a host or a port.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::net::{Family, LookupHints, lookup};
///
/// evloop_runtime::block_on(async {
///     let found = lookup("localhost", 80, LookupHints::new().family(Family::V4)).await?;
///     assert_eq!(found.addresses, ["127.0.0.1:80".parse().unwrap()]);
///
///     let found = lookup("[::1]", 443, LookupHints::new().numeric()).await?;
///     assert_eq!(found.addresses, ["[::1]:443".parse().unwrap()]);
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
///
/// # Cancel safety
/// Dropped, it takes its job back, if no thread has begun it; one that has begun ends on its thread.
pub async fn lookup<'a>(host: &str, service: impl Into<Service<'a>>, hints: LookupHints) -> io::Result<Found> {
    find(host, service.into(), hints).await.map_err(failed("resolve", host.escape_debug()))
}

/// As [`lookup`], with errors that do not tell the host.
pub(super) async fn find(host: &str, service: Service<'_>, hints: LookupHints) -> io::Result<Found> {
    check_host(host)?;
    let service = service.checked()?;
    let asked = match literal::host(host)? {
        Some(address) if hints.family.is_some_and(|family| !family.has(&address)) => {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is an address of the other family"));
        }
        Some(mut address) => {
            let written = literal::written(&address);
            if let Service::Port(port) = service {
                address.set_port(port);
                return Ok(Found {
                    addresses: vec![address],
                    canonical_name: hints.has(libc::AI_CANONNAME).then_some(written),
                });
            }
            written
        }
        None if hints.has(libc::AI_NUMERICHOST) || literal::without_brackets(host).is_some() => {
            return Err(io::Error::new(InvalidInput, "it is no address"));
        }
        None => host.to_owned(),
    };
    let service = service.to_string();
    blocking_names(move || getaddrinfo(&asked, &service, hints)).await
}

/// RFC 1035, section 2.3.4, has 255, with a length before each label and an empty one at the end.
const HOST_BYTES_MAX: usize = 253;

fn check_host(host: &str) -> io::Result<()> {
    let bytes = host.strip_suffix('.').unwrap_or(host).len();
    let complaint = if host.is_empty() {
        "the name is empty".to_owned()
    } else if bytes > HOST_BYTES_MAX {
        format!("the name has {bytes} bytes, and none has more than {HOST_BYTES_MAX}")
    } else if host.contains('\0') {
        "there is a NUL byte in the name".to_owned()
    } else {
        return Ok(());
    };
    Err(io::Error::new(InvalidInput, complaint))
}

/// Any thread that may block.
fn getaddrinfo(host: &str, service: &str, hints: LookupHints) -> io::Result<Found> {
    let found = dns_lookup::getaddrinfo(Some(host), Some(service), Some(hints.into())).map_err(system_error)?;
    // The crate panics where a canonical name is no UTF-8, which whoever answers for the name may bring about.
    let infos = catch_unwind(AssertUnwindSafe(|| found.collect::<io::Result<Vec<_>>>()));
    let infos = infos.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "its canonical name is no text"))??;
    let mut found = Found { addresses: Vec::with_capacity(infos.len()), canonical_name: None };
    for info in infos {
        if !found.addresses.contains(&info.sockaddr) {
            found.addresses.push(info.sockaddr);
        }
        found.canonical_name = found.canonical_name.or(info.canonname);
    }
    if found.addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    }
    Ok(found)
}

/// What [`lookup`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// At least one address, each with the port.
    pub addresses: Vec<SocketAddr>,
    /// The name that the host goes by, if it was [asked for](LookupHints::canonical_name).
    pub canonical_name: Option<String>,
}

/// The port of a [`lookup`]: a number, or a name as in `/etc/services`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service<'a> {
    /// A number.
    Port(u16),
    /// A name, or a number in digits.
    Name(&'a str),
}

impl From<u16> for Service<'_> {
    fn from(port: u16) -> Self {
        Service::Port(port)
    }
}

impl<'a> From<&'a str> for Service<'a> {
    fn from(name: &'a str) -> Self {
        Service::Name(name)
    }
}

impl fmt::Display for Service<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Service::Port(port) => port.fmt(f),
            Service::Name(name) => name.fmt(f),
        }
    }
}

impl<'a> Service<'a> {
    /// The number, if it is one in digits. The system would take a port beyond the last one for another.
    fn checked(self) -> io::Result<Service<'a>> {
        let Service::Name(name) = self else { return Ok(self) };
        if let Some(port) = literal::digits(name) {
            return Ok(Service::Port(port));
        }
        let complaint = match name {
            "" => "is no name and no number",
            _ if name.contains('\0') => "has a NUL byte in its name",
            _ if name.bytes().all(|byte| byte.is_ascii_digit()) => "is not from 0 to 65535",
            _ => return Ok(self),
        };
        Err(io::Error::new(InvalidInput, format!("the port {name:?} {complaint}")))
    }
}

/// The two kinds of internet addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4: `AF_INET`.
    V4,
    /// IPv6: `AF_INET6`.
    V6,
}

impl Family {
    fn has(self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self == Family::V4)
    }
}

/// What kind of addresses a [`lookup`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "hints are to be given to `lookup`"]
pub struct LookupHints {
    family: Option<Family>,
    /// Of those that begin with `AI_`.
    flags: i32,
    datagram: bool,
}

impl LookupHints {
    /// Addresses of both families, whatever the system has.
    pub fn new() -> LookupHints {
        LookupHints::default()
    }

    /// Addresses of one family alone.
    pub fn family(mut self, family: Family) -> LookupHints {
        self.family = Some(family);
        self
    }

    /// The host is an address, and an error if it is not: `AI_NUMERICHOST`. What `inet_aton` takes beside, as `127.1`, is no
    /// address here.
    pub fn numeric(mut self) -> LookupHints {
        self.flags |= libc::AI_NUMERICHOST;
        self
    }

    /// Also the name that the host goes by: `AI_CANONNAME`. That of an address is the address.
    pub fn canonical_name(mut self) -> LookupHints {
        self.flags |= libc::AI_CANONNAME;
        self
    }

    /// Addresses of those families alone of which this machine has one, beside those of its loopback: `AI_ADDRCONFIG`.
    pub fn configured(mut self) -> LookupHints {
        self.flags |= libc::AI_ADDRCONFIG;
        self
    }

    /// The name of the port is one of UDP, and not of TCP.
    pub fn datagram(mut self) -> LookupHints {
        self.datagram = true;
        self
    }

    fn has(self, flag: i32) -> bool {
        self.flags & flag != 0
    }
}

impl From<LookupHints> for AddrInfoHints {
    fn from(hints: LookupHints) -> AddrInfoHints {
        AddrInfoHints {
            flags: hints.flags,
            address: hints.family.map_or(libc::AF_UNSPEC, |family| match family {
                Family::V4 => libc::AF_INET,
                Family::V6 => libc::AF_INET6,
            }),
            // Each address would come once for each type of socket, were none given.
            socktype: if hints.datagram { libc::SOCK_DGRAM } else { libc::SOCK_STREAM },
            protocol: 0,
        }
    }
}

/// What the system's resolver says: an error of getaddrinfo(3) or getnameinfo(3), found in an [`io::Error`] of a look-up.
///
/// # Examples
/// ```
/// use evloop_runtime::net::{LookupError, LookupHints, lookup};
///
/// evloop_runtime::block_on(async {
///     let error = lookup("localhost", "no-such-service", LookupHints::new()).await.unwrap_err();
///     let said = LookupError::of(&error).expect("the system said it");
///     assert_eq!(said.code(), -8); // EAI_SERVICE
///     assert!(!said.is_temporary());
/// });
/// ```
#[derive(Debug)]
pub struct LookupError {
    code: i32,
    text: String,
}

impl LookupError {
    /// The one in that error, if it is the resolver's.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&LookupError> {
        let mut inner: Option<&(dyn error::Error + 'static)> = Some(error);
        while let Some(error) = inner {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            inner = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        None
    }

    /// The number of it, as in `netdb.h`: `EAI_NONAME` is -2.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code
    }

    /// Whether it may go better another time: no server has answered, or one could not.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code == libc::EAI_AGAIN
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for LookupError {}

/// `EAI_ADDRFAMILY`, of glibc: the name has addresses, and none of the family. libc has no name for it.
const EAI_ADDRFAMILY: i32 = -9;

/// The error of the system as one of ours, of the kind that fits best.
pub(super) fn system_error(error: dns_lookup::LookupError) -> io::Error {
    let code = error.error_num();
    let kind = match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData | LookupErrorKind::Service => io::ErrorKind::NotFound,
        LookupErrorKind::Again => io::ErrorKind::TimedOut, // mostly so; at least the kind after which one tries again
        LookupErrorKind::Memory => io::ErrorKind::OutOfMemory,
        _ if code == EAI_ADDRFAMILY => io::ErrorKind::NotFound,
        LookupErrorKind::System | LookupErrorKind::IO if code == 0 || code == libc::EAI_SYSTEM => return error.into(),
        _ => io::ErrorKind::Other,
    };
    let text = error.to_string();
    let said = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    io::Error::new(kind, LookupError { code, text: said.to_owned() })
}
