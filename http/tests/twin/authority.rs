//! `uri-host [ ":" port ]`: the value of Host, and the authority of a target without its user information.

/// An authority, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<&'a str>,
}

/// Reads `host [ ":" port ]` (RFC 3986 section 3.2). The user information of that section is left out: for http it is
/// deprecated, and a recipient should treat it as an error (RFC 9110 section 4.2.4).
pub(crate) fn read(text: &str) -> Option<Authority<'_>> {
    // A host has a colon only inside its brackets.
    let host_end = match text.find(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host_end);
    let port = rest.strip_prefix(':');
    // port = *DIGIT (3.2.3)
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.map_or(rest.is_empty(), is_port) {
        return None;
    }
    is_host(host).then_some(Authority { host, port })
}

/// `host = IP-literal / IPv4address / reg-name` (3.2.2). Every IPv4 address is a registered name, too.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|literal| is_ip_v6(literal) || is_ip_future(literal)),
        None => is_reg_name(host),
    }
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )` (3.2.2)
fn is_reg_name(name: &str) -> bool {
    let mut chars = name.chars();
    while let Some(char) = chars.next() {
        let is_good = match char {
            '%' => (0..2).all(|_| chars.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => is_unreserved(char) || is_sub_delim(char),
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// `IPvFuture = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )` (3.2.2)
fn is_ip_future(literal: &str) -> bool {
    let Some((version, address)) = literal.split_once('.') else { return false };
    let Some(version) = version.strip_prefix(['v', 'V']) else { return false };
    let is_part = |char| is_unreserved(char) || is_sub_delim(char) || char == ':';
    !version.is_empty()
        && version.chars().all(|char| char.is_ascii_hexdigit())
        && !address.is_empty()
        && address.chars().all(is_part)
}

/// `IPv6address` (3.2.2): eight groups, or fewer and once `::` for one group or more that are zero.
fn is_ip_v6(literal: &str) -> bool {
    match literal.split_once("::") {
        None => groups(literal, true) == Some(8),
        Some((before, after)) => {
            let before = if before.is_empty() { Some(0) } else { groups(before, false) };
            let after = if after.is_empty() { Some(0) } else { groups(after, true) };
            before.zip(after).is_some_and(|(before, after)| before + after <= 7)
        }
    }
}

/// How many groups of sixteen bits this is. The last two of an address may be written as an IPv4 address.
fn groups(text: &str, is_last: bool) -> Option<usize> {
    let mut count = 0;
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        let is_h16 = (1..=4).contains(&part.len()) && part.chars().all(|char| char.is_ascii_hexdigit());
        count += if is_h16 {
            1
        } else if is_last && parts.peek().is_none() && is_ip_v4(part) {
            2
        } else {
            return None;
        };
    }
    Some(count)
}

/// `IPv4address` (3.2.2): four numbers up to 255, without zeros in front.
fn is_ip_v4(text: &str) -> bool {
    let is_octet = |octet: &str| (0..=255).any(|number: u32| number.to_string() == octet);
    text.split('.').count() == 4 && text.split('.').all(is_octet)
}

/// `unreserved` (2.3)
fn is_unreserved(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~".contains(char)
}

/// `sub-delims` (2.2)
fn is_sub_delim(char: char) -> bool {
    "!$&'()*+,;=".contains(char)
}
