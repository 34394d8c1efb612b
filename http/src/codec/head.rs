//! The bytes of a request head become a [`RequestHead`].
//!
//! The request line is taken apart here: its grammar is three words and two spaces, and a strict reading of it is shorter
//! than a lenient one with checks behind it (and takes 90 instructions for a short one, where httparse takes 310 and leaves
//! the target to be looked at again). The field lines are httparse's. What it lets pass is checked in one walk that also
//! copies the ranges and collects what decides the framing:
//!
//! - a line ends with CR LF; httparse also takes a bare LF (RFC 9112 section 2.2 allows that, and smugglers use it),
//! - Host is there once in HTTP/1.1, and is an authority (RFC 9112 section 3.2).
//!
//! White space before a colon, folded lines and control characters are refused by httparse already; the tests hold it to
//! that.

use std::net::Ipv6Addr;

use super::framing::{Framing, FramingFields};
use super::{byte_table, is, is_token, usual_prefix};
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{FieldRange, Method, RequestHead, RequestLine, Version};

/// What a whole head leads to, besides the [`RequestHead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// How many bytes of the input the head took; the body begins after them.
    pub consumed: usize,
    /// What the head says about the body and the connection.
    pub framing: Framing,
}

/// Parses a request head from the beginning of `input`.
///
/// `Ok(None)` means that the head is not whole yet: call again, with the same `head`, when more bytes have come after
/// these. The head remembers how much was seen, and only a new line end (or a limit) makes it look again: a client that sends
/// one byte at a time buys no more work than its bytes are worth.
///
/// The head is filled only when the answer is `Some`. What it held before is gone either way; it needs no `clear` between
/// two requests, but does when a head that is not whole is given up.
///
/// # Errors
///
/// If the head is malformed or ambiguous, asks for what is not supported, or passes a limit; a limit is noticed as soon as
/// it is passed, also when the head is not whole. [`Error::status`] is what to answer, and the connection is then to be
/// closed: where the next request begins cannot be known.
#[inline]
pub fn parse(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<Option<Parsed>, Error> {
    // Past the limit no byte is looked at, and offsets fit in 32 bits.
    let window = &input[..input.len().min(limits.head_bytes_max).min(u32::MAX as usize)];
    let lead = match window {
        [b'\r' | b'\n', ..] => empty_line(window)?,
        _ => 0,
    };
    if head.seen_bytes != 0 && nothing_new(window, lead, limits, head) {
        return Ok(None);
    }
    let text = &window[lead..];
    let Some((line, line_bytes)) = request_line(text).map_err(Error::new)? else {
        return wait(window, lead, limits, head);
    };
    if line_bytes - 2 > limits.request_line_bytes_max {
        return Err(Error::new(Kind::RequestLineTooLong));
    }
    // The slots that httparse splits fields into are initialised each time, so there are as many as the last head took.
    let whole = match head.field_count_last {
        ..=FIELDS_FEW => take::<FIELDS_FEW>(text, line, line_bytes, limits, head),
        ..=FIELDS_SOME => take_more::<FIELDS_SOME>(text, line, line_bytes, limits, head),
        _ => take_more::<{ Limits::HEADER_COUNT_CEILING }>(text, line, line_bytes, limits, head),
    };
    match whole? {
        None => wait(window, lead, limits, head),
        Some((length, framing)) => Ok(Some(Parsed {
            consumed: lead + length,
            framing,
        })),
    }
}

/// Field lines that a program sends, and that a browser sends.
const FIELDS_FEW: usize = 8;
const FIELDS_SOME: usize = 32;

/// The bytes of the empty line in front of the request line: one is excused, for clients that once ended their bodies
/// with one too many (RFC 9112 section 2.2).
#[cold]
fn empty_line(window: &[u8]) -> Result<usize, Error> {
    match window {
        [b'\r'] => Ok(0),
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(Error::new(Kind::LineEnd)),
        [b'\r', b'\n', ..] => Ok(2),
        _ => Err(Error::new(Kind::LineEnd)),
    }
}

/// Whether another look at a head that was not whole would find nothing else.
///
/// It finds more only when a further line has ended, so a head is looked at once a line at most, and of lines there are
/// as many as the limits allow.
#[cold]
fn nothing_new(window: &[u8], lead: usize, limits: &Limits, head: &mut RequestHead) -> bool {
    let nothing = match window.get(head.seen_bytes..) {
        Some(fresh) => !fresh.contains(&b'\n') && limit_passed(window, lead, limits).is_none(),
        None => false,
    };
    head.seen_bytes = window.len();
    nothing
}

/// The head is not whole: more bytes are needed, unless they would already be too many.
#[cold]
fn wait(window: &[u8], lead: usize, limits: &Limits, head: &mut RequestHead) -> Result<Option<Parsed>, Error> {
    head.seen_bytes = window.len();
    match limit_passed(window, lead, limits) {
        Some(kind) => Err(Error::new(kind)),
        None => Ok(None),
    }
}

/// Which limit a head that is not whole has passed.
fn limit_passed(window: &[u8], lead: usize, limits: &Limits) -> Option<Kind> {
    // A line of the allowed length has its LF among these bytes.
    let line_bytes = limits.request_line_bytes_max.saturating_add(2);
    let line = window[lead..].get(..line_bytes);
    if line.is_some_and(|line| !line.contains(&b'\n')) {
        return Some(Kind::RequestLineTooLong);
    }
    let full = window.len() >= limits.head_bytes_max.min(u32::MAX as usize);
    full.then_some(Kind::HeadTooLong)
}

/// Takes the request line apart, and says how many bytes it has with its end; `None` if it has not ended yet.
#[inline]
fn request_line(text: &[u8]) -> Result<Option<(RequestLine, usize)>, Kind> {
    let (method, target_start) = if text.starts_with(b"GET ") {
        (Method::Get, 4)
    } else {
        match any_method(text)? {
            Some(found) => found,
            None => return Ok(None),
        }
    };
    let path_end = target_start + usual_prefix(&TARGET, &text[target_start..]);
    let mut target_end = path_end;
    let mut query_start = 0;
    if text.get(path_end) == Some(&b'?') {
        query_start = path_end + 1;
        target_end = query_start + usual_prefix(&QUERY, &text[query_start..]);
    }
    match text.get(target_end) {
        Some(b' ') => {}
        Some(&byte) => return Err(not_a_space(byte)),
        None => return Ok(None),
    }
    let rest = &text[target_end + 1..];
    // Compared as whole words: a match over byte patterns looks at each byte.
    let version = if rest.starts_with(b"HTTP/1.1\r\n") {
        Version::Http11
    } else if rest.starts_with(b"HTTP/1.0\r\n") {
        Version::Http10
    } else {
        return unusual_version(rest).map(|()| None);
    };
    let mut line = RequestLine {
        method,
        version,
        target_start,
        target_end,
        path_start: target_start,
        path_end,
        query_start,
    };
    if text[target_start] != b'/' || method == Method::Connect {
        line = unusual_target(text, line).ok_or(Kind::Target)?;
    }
    Ok(Some((line, target_end + b" HTTP/1.1\r\n".len())))
}

/// Set for the bytes that no query has: all but visible ASCII, and the `#` of a fragment.
static QUERY: [u8; 256] = byte_table!(|byte| !(byte.is_ascii_graphic() && byte != b'#') as u8);

/// The same for what is before a query, with the `?`.
static TARGET: [u8; 256] = byte_table!(|byte| !(byte.is_ascii_graphic() && byte != b'#' && byte != b'?') as u8);

/// A method and the space after it: which it is, and where the target begins.
fn any_method(text: &[u8]) -> Result<Option<(Method, usize)>, Kind> {
    match text.iter().position(|&byte| !is_token(byte)) {
        None => Ok(None),
        Some(end) if end > 0 && text[end] == b' ' => Ok(Some((Method::from_bytes(&text[..end]), end + 1))),
        Some(_) => Err(Kind::RequestLine),
    }
}

/// What is wrong when a target ends with this byte.
#[cold]
fn not_a_space(byte: u8) -> Kind {
    match byte {
        b'\r' | b'\n' => Kind::RequestLine,
        _ => Kind::Target,
    }
}

/// Looks closer at what is not a version we speak and the end of its line. It may become one.
#[cold]
fn unusual_version(rest: &[u8]) -> Result<(), Kind> {
    let pattern = b"HTTP/0.0";
    let alike = pattern.iter().zip(rest).all(|(&wanted, &found)| match wanted {
        b'0' => found.is_ascii_digit(),
        _ => found == wanted,
    });
    if !alike {
        return Err(Kind::Version);
    }
    match rest.split_at_checked(pattern.len()) {
        None => Ok(()),
        Some((b"HTTP/1.0" | b"HTTP/1.1", b"" | b"\r")) => Ok(()),
        Some((b"HTTP/1.0" | b"HTTP/1.1", _)) => Err(Kind::LineEnd),
        Some(_) => Err(Kind::VersionUnsupported),
    }
}

/// [`take`] for heads with more fields, out of the way of those with few.
#[inline(never)]
fn take_more<const SLOTS: usize>(
    text: &[u8],
    line: RequestLine,
    line_bytes: usize,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<(usize, Framing)>, Error> {
    take::<SLOTS>(text, line, line_bytes, limits, head)
}

/// Takes the fields that follow the request line, and fills the head: how long it is, and what framing it announces.
#[inline]
fn take<const SLOTS: usize>(
    text: &[u8],
    line: RequestLine,
    line_bytes: usize,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<(usize, Framing)>, Error> {
    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
    let slots_max = limits.header_count_max.min(SLOTS);
    let (fields_bytes, fields) = match httparse::parse_headers(&text[line_bytes..], &mut slots[..slots_max]) {
        Ok(httparse::Status::Complete(found)) => found,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) if slots_max < limits.header_count_max.min(Limits::HEADER_COUNT_CEILING) => {
            return take_more::<{ Limits::HEADER_COUNT_CEILING }>(text, line, line_bytes, limits, head);
        }
        Err(error) => return Err(refusal(error)),
    };
    let length = line_bytes + fields_bytes;
    let text = &text[..length];
    // The ends of the other lines are seen to below, each where the next line begins.
    if !text.ends_with(b"\r\n\r\n") {
        return Err(Error::new(Kind::LineEnd));
    }
    head.begin(text, line);
    let base = text.as_ptr().addr();
    let mut framing = FramingFields::default();
    let mut host = None;
    head.field_count_last = fields.len();
    for field in fields {
        let name = field.name.as_bytes();
        let name_start = name.as_ptr().addr() - base;
        let value_start = field.value.as_ptr().addr() - base;
        if text[name_start - 2] != b'\r' {
            return Err(Error::new(Kind::LineEnd));
        }
        match name.len() {
            4 if is(name, b"host") && host.replace(field.value).is_some() => return Err(Error::new(Kind::Host)),
            6 if is(name, b"expect") => framing.expect(field.value),
            10 if is(name, b"connection") => framing.connection(field.value),
            14 if is(name, b"content-length") => framing.content_length(field.value)?,
            17 if is(name, b"transfer-encoding") => framing.transfer_encoding(field.value)?,
            _ => {}
        }
        head.push_field(FieldRange {
            name_start: offset(name_start),
            name_end: offset(name_start + name.len()),
            value_start: offset(value_start),
            value_end: offset(value_start + field.value.len()),
        });
    }
    let named_in_target = line.path_start > line.target_start;
    match host {
        Some(host) if is_host(host, named_in_target) => {}
        None if line.version == Version::Http10 => {}
        _ => return Err(Error::new(Kind::Host)),
    }
    let framing = framing.decide(line.method, line.version, limits)?;
    if line.path_start == line.path_end && line.method != Method::Connect {
        // RFC 9112 section 3.2.4: a proxy may have to put OPTIONS * in absolute form, and then leaves the path out.
        let whole_server = line.method == Method::Options && line.query_start == 0;
        head.imply_path(if whole_server { "*" } else { "/" });
    }
    Ok(Some((length, framing)))
}

/// Why httparse refuses a field, in our words.
#[cold]
fn refusal(error: httparse::Error) -> Error {
    Error::new(match error {
        httparse::Error::HeaderValue => Kind::FieldValue,
        httparse::Error::NewLine => Kind::LineEnd,
        httparse::Error::TooManyHeaders => Kind::TooManyFields,
        _ => Kind::FieldName,
    })
}

/// A place in the window, whose length fits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "parse looks at no more bytes than 32 bits can number")]
fn offset(position: usize) -> u32 {
    position as u32
}

/// The forms that are not a path: authority for CONNECT alone, asterisk for OPTIONS alone, and absolute.
#[cold]
fn unusual_target(text: &[u8], mut line: RequestLine) -> Option<RequestLine> {
    let target = str::from_utf8(&text[line.target_start..line.target_end]).ok()?;
    if line.method == Method::Connect {
        let (host, port) = split_authority(target.as_bytes())?;
        let whole = !host.is_empty() && port.is_some_and(|port| !port.is_empty());
        line.path_start = line.target_end;
        return whole.then_some(line);
    }
    if target == "*" {
        return (line.method == Method::Options).then_some(line);
    }
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let (host, _port) = split_authority(authority.as_bytes())?;
    line.path_start = line.target_start + scheme.len() + 3 + authority.len();
    (!host.is_empty()).then_some(line)
}

/// Whether this is a value for Host: `uri-host [ ":" port ]`.
///
/// It may be empty if the target URI has no authority (RFC 9112 section 3.2), so not next to a target that names one.
#[inline]
fn is_host(value: &[u8], named_in_target: bool) -> bool {
    match split_authority(value) {
        Some((b"", port)) => port.is_none() && !named_in_target,
        Some(_) => true,
        None => false,
    }
}

/// Set for a byte that is not simply part of a registered name: all but unreserved and sub-delims (RFC 3986 section
/// 3.2.2).
static NOT_NAME: [u8; 256] = byte_table!(|byte| match byte {
    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => 0,
    b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => 0,
    _ => 1,
});

/// Host and port of an authority without user information (RFC 3986 section 3.2), if it is one.
#[inline]
fn split_authority(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (host, port) = authority.split_at(usual_prefix(&NOT_NAME, authority));
    if port.is_empty() {
        return Some((host, None));
    }
    if is_port(port) {
        return Some((host, Some(&port[1..])));
    }
    split_unusual_authority(authority)
}

/// Whether this is a colon and a port.
#[inline]
fn is_port(text: &[u8]) -> bool {
    matches!(text, [b':', port @ ..] if port.iter().all(u8::is_ascii_digit))
}

/// An authority whose host is an address in brackets, or a name with percent signs in it.
#[cold]
fn split_unusual_authority(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let not_digit = authority.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let (host, port) = match authority[not_digit] {
        b':' => (&authority[..not_digit], Some(&authority[not_digit + 1..])),
        _ => (authority, None),
    };
    is_unusual_host(host).then_some((host, port))
}

/// Whether this is an address in brackets, or a name with percent signs in it.
fn is_unusual_host(host: &[u8]) -> bool {
    if let [b'[', address @ .., b']'] = host {
        return is_address(address);
    }
    let mut rest = host;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if NOT_NAME[*byte as usize] == 0 => rest,
            _ => return false,
        }
    }
}

/// Whether this is an IPv6 address, or one of a version to come: `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_address(address: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = address {
        let Some(dot) = future.iter().position(|&byte| byte == b'.') else {
            return false;
        };
        let (version, text) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !text.is_empty()
            && text.iter().all(|&byte| byte == b':' || NOT_NAME[byte as usize] == 0);
    }
    str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}
