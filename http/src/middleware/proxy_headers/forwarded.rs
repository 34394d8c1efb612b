//! What proxies have written, read from its end.

use super::TrustedProxies;
use crate::message::Headers;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What proxies have seen of the client, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) client: Option<SocketAddr>,
    pub(super) secure: Option<bool>,
}

/// Reads the fields of a request that has come from a trusted proxy.
pub(super) fn read(headers: Headers<'_>, trusted: &TrustedProxies) -> Seen {
    let found = client(members(headers, "x-forwarded-for"), trusted);
    let place = found.map_or(0, |(_, place)| place);
    let scheme = scheme(members(headers, "x-forwarded-proto"), place);
    Seen { client: found.map(|(client, _)| client), secure: scheme.and_then(is_secure) }
}

/// The members of a list, the last one first. Empty ones are none (RFC 9110 section 5.6.1.2).
fn members<'h>(headers: Headers<'h>, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let lines = headers.get_all(name).rev();
    let members = lines.flat_map(|line| line.rsplit(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty())
}

/// The first that is not trusted, or the last that is an address behind trusted ones; and how many came before it.
fn client<'h>(members: impl Iterator<Item = &'h [u8]>, trusted: &TrustedProxies) -> Option<(SocketAddr, usize)> {
    let mut client = None;
    for (place, member) in members.enumerate() {
        let Some(address) = address(member) else { break };
        client = Some((address, place));
        if !trusted.trusts(Some(address.ip())) {
            break;
        }
    }
    client
}

/// An address and a port, which is 0 if it is not told.
fn address(member: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(member).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().ok().map(|address| SocketAddr::new(address.into(), 0));
    }
    text.parse().ok()
}

/// The scheme at this place, or the only one.
fn scheme<'h>(members: impl Iterator<Item = &'h [u8]>, place: usize) -> Option<&'h [u8]> {
    let mut only = None;
    for (at, member) in members.enumerate() {
        if at == place {
            return Some(member);
        }
        only = if at == 0 { Some(member) } else { None };
    }
    only
}

fn is_secure(scheme: &[u8]) -> Option<bool> {
    let is = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name.as_bytes()));
    match (is(["https", "wss"]), is(["http", "ws"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}
