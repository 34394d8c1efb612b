//! Whose word is taken.

use ipnet::{IpNet, Ipv4Net};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Proxies whose word is taken for who the client is; see [`ProxyHeaders`](super::ProxyHeaders).
///
/// It is read from a list that is split by commas: of addresses (`127.0.0.1`, `::1`), of networks (`10.0.0.0/8`,
/// `fd00::/8`), of `unix`, which stands for who has no address because it comes through a Unix domain socket, and of `*`,
/// which is anybody. An address of IPv4 is the same when it comes as one of IPv6 (`::ffff:127.0.0.1`), as it does where
/// one socket takes both. By default it is nobody.
///
/// # Examples
/// ```
/// use evloop_http::middleware::TrustedProxies;
///
/// let trusted: TrustedProxies = "10.0.0.0/8, ::1, unix".parse()?;
/// assert!(trusted.trusts("10.1.2.3".parse().ok()));
/// assert!(trusted.trusts("::ffff:10.1.2.3".parse().ok()));
/// assert!(trusted.trusts(None));
/// assert!(!trusted.trusts("11.1.2.3".parse().ok()));
///
/// let error = "localhost".parse::<TrustedProxies>().unwrap_err();
/// assert_eq!(error.to_string(), "`localhost` is no address, no network, and neither `unix` nor `*`");
/// # Ok::<(), evloop_http::middleware::ParseTrustedError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    anybody: bool,
    /// Who has no address.
    unix: bool,
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// Whether the word of who has this address is taken; `None` for who has none.
    #[must_use]
    pub fn trusts(&self, address: Option<IpAddr>) -> bool {
        self.anybody
            || match address.map(|address| address.to_canonical()) {
                Some(address) => self.networks.iter().any(|network| network.contains(&address)),
                None => self.unix,
            }
    }
}

impl FromStr for TrustedProxies {
    type Err = ParseTrustedError;

    fn from_str(list: &str) -> Result<TrustedProxies, ParseTrustedError> {
        let mut trusted = TrustedProxies::default();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry {
                "*" => trusted.anybody = true,
                "unix" => trusted.unix = true,
                _ => trusted.networks.push(network(entry)?),
            }
        }
        Ok(trusted)
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.anybody, "*"), (self.unix, "unix")].into_iter().filter(|(is, _)| *is);
        let words = words.map(|(_, word)| word.to_owned());
        let entries: Vec<String> = words.chain(self.networks.iter().map(IpNet::to_string)).collect();
        f.write_str(&entries.join(","))
    }
}

/// An address, or a network that is written as such: its address has nothing behind the prefix.
fn network(entry: &str) -> Result<IpNet, ParseTrustedError> {
    let error = |meant| ParseTrustedError { entry: entry.to_owned(), meant };
    let address = entry.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| entry.parse::<IpNet>()).map_err(|_| error(too_long(entry)))?;
    if network.addr() != network.network() {
        return Err(error(Meant::Within(network.trunc())));
    }
    Ok(canonical(network))
}

/// Whether it would be a network if only its prefix were shorter.
fn too_long(entry: &str) -> Meant {
    let longest = entry.split_once('/').and_then(|(address, bits)| {
        bits.parse::<u8>().ok()?; // else it is not the length that is wrong
        address.parse::<IpAddr>().ok().map(|address| IpNet::from(address).max_prefix_len())
    });
    longest.map_or(Meant::Nothing, Meant::Prefix)
}

/// The network of IPv4 that is meant by one of IPv6.
fn canonical(network: IpNet) -> IpNet {
    if let (IpNet::V6(mapped), Some(prefix)) = (network, network.prefix_len().checked_sub(96))
        && let Some(address) = mapped.addr().to_ipv4_mapped()
        && let Ok(network) = Ipv4Net::new(address, prefix)
    {
        return IpNet::V4(network);
    }
    network
}

/// An entry of a list of [`TrustedProxies`] that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseTrustedError {
    entry: String,
    meant: Meant,
}

/// What an entry that means nothing comes near to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    Nothing,
    /// An address in this network.
    Within(IpNet),
    /// A network whose prefix has more bits than these, which are all that there are.
    Prefix(u8),
}

impl fmt::Display for ParseTrustedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meant {
            Meant::Within(network) => {
                write!(f, "`{}` is an address within a network, which is `{network}`", self.entry)
            }
            Meant::Prefix(bits) => write!(f, "`{}` has a prefix of more than {bits} bits", self.entry),
            Meant::Nothing => write!(f, "`{}` is no address, no network, and neither `unix` nor `*`", self.entry),
        }
    }
}

impl std::error::Error for ParseTrustedError {}
