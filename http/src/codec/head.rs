//! The bytes of a request head become a [`RequestHead`].
//!
//! The request line is taken apart here: its grammar is three words and two spaces, and a strict reading of it is
//! shorter than a lenient one with checks behind it (and takes 110 instructions for a short one, where httparse takes
//! 310 and leaves the target to be looked at again). The field lines are httparse's. One walk over them checks what
//! it lets pass, that a line ends with a bare LF (RFC 9112 section 2.2 allows that, and smugglers use it), copies
//! their ranges, and collects what they say about host and framing.
//!
//! Clients repeat themselves: on a connection, and between connections of one program, request after request has the
//! same field lines to the byte. What they say then stays as it is in the head, and a comparison (20 instructions for
//! the one field of the smallest request) takes the place of splitting, checking and copying (600). The request line
//! is always read.
//!
//! White space before a colon, folded lines and control characters are refused by httparse already; the tests hold it
//! to that.

use std::net::Ipv6Addr;
use std::num::NonZeroU16;

use super::framing::Framing;
use super::{byte_table, is, is_token, usual_prefix, visible_prefix};
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{FieldFacts, FieldRange, HostFact, Method, RequestHead, RequestLine, Version};

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
/// these. The head remembers how much was seen, and only a new line end (or a limit) makes it look again: a client
/// that sends one byte at a time buys no more work than its bytes are worth.
///
/// The head shows a request only after the answer was `Some`. It needs no `clear` between two requests, but does when
/// a head that is not whole is given up: else it takes the next connection's bytes for the rest. After an error it is
/// clear.
///
/// # Errors
///
/// If the head is malformed or ambiguous, asks for what is not supported, or passes a limit; a limit is noticed as
/// soon as it is passed, also when the head is not whole. [`Error::status`] is what to answer, and the connection is
/// then to be closed: where the next request begins cannot be known.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a request passes through it once, and what it returns is large to move about"
)]
pub fn parse(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<Option<Parsed>, Error> {
    let given_up = |error, head: &mut RequestHead| {
        head.clear();
        Err(error)
    };
    // In two parts with a return after each: what the first leaves in memory, the second need not have in its hand.
    let consumed = match read(input, limits, head) {
        Ok(Some(consumed)) => consumed,
        Ok(None) => return Ok(None),
        Err(error) => return given_up(error, head),
    };
    match finish(limits, head) {
        Ok(framing) => Ok(Some(Parsed { consumed, framing })),
        Err(error) => given_up(error, head),
    }
}

/// Reads a head, and says how many bytes it has. What it leads to is to be [weighed](finish).
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a request passes through it once, and what it returns is large to move about"
)]
fn read(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<Option<usize>, Error> {
    // Past the limit no byte is looked at, and offsets fit in 32 bits.
    let window = &input[..input.len().min(limits.head_bytes_max).min(u32::MAX as usize)];
    let lead = match window {
        // No method begins with a byte as small as these, so one comparison does for both.
        [..=b'\r', ..] => empty_line(window)?,
        _ => 0,
    };
    if head.seen_bytes != 0 && nothing_new(window, lead, limits, head) {
        return Ok(None);
    }
    let text = &window[lead..];
    let Some(line) = request_line(text).map_err(Error::new)? else {
        wait(window, lead, limits, head)?;
        return Ok(None);
    };
    let line_bytes = line.target_end + b" HTTP/1.1\r\n".len();
    if line_bytes - 2 > limits.request_line_bytes_max {
        return Err(Error::new(Kind::RequestLineTooLong));
    }
    let (line_text, rest) = text.split_at(line_bytes);
    let fields_bytes = match head.same_fields(rest) {
        Some(fields_bytes) if head.headers().len() <= limits.header_count_max => Some(fields_bytes),
        _ => fields(rest, limits, head)?,
    };
    let Some(fields_bytes) = fields_bytes else {
        wait(window, lead, limits, head)?;
        return Ok(None);
    };
    head.set_line(line_text, line);
    Ok(Some(lead + line_bytes + fields_bytes))
}

/// The bytes of the empty line in front of the request line: one is excused, for clients that once ended their bodies
/// with one too many (RFC 9112 section 2.2).
#[cold]
fn empty_line(window: &[u8]) -> Result<usize, Error> {
    match window {
        // Half of it, so there is nothing behind it yet.
        [b'\r'] => Ok(1),
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(Error::new(Kind::LineEnd)),
        [b'\r', b'\n', ..] => Ok(2),
        [b'\r' | b'\n', ..] => Err(Error::new(Kind::LineEnd)),
        // Some other control character, which no line begins with.
        _ => Ok(0),
    }
}

/// Whether another look at a head that was not whole would find nothing else.
///
/// It finds more only when a further line has ended, so a head is looked at once a line at most, and of lines there
/// are as many as the limits allow.
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
fn wait(window: &[u8], lead: usize, limits: &Limits, head: &mut RequestHead) -> Result<(), Error> {
    head.seen_bytes = window.len();
    match limit_passed(window, lead, limits) {
        Some(kind) => Err(Error::new(kind)),
        None => Ok(()),
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

/// Takes the request line apart; `None` if it has not ended yet.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "a request passes through it once, and what it returns is large to move about"
)]
fn request_line(text: &[u8]) -> Result<Option<RequestLine>, Kind> {
    let (method, target_start) = if text.starts_with(b"GET ") {
        (Method::Get, 4)
    } else {
        match any_method(text)? {
            Some(found) => found,
            None => return Ok(None),
        }
    };
    let path_end = target_start + visible_prefix([b'#', b'?'], &text[target_start..]);
    let mut target_end = path_end;
    let mut query_start = 0;
    if text.get(path_end) == Some(&b'?') {
        query_start = path_end + 1;
        target_end = query_start + visible_prefix([b'#'], &text[query_start..]);
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
    } else if unusual_version(rest)? {
        Version::Http11
    } else {
        return Ok(None);
    };
    let mut path_start = target_start;
    if text[target_start] != b'/' || method == Method::Connect {
        path_start += path_place(method, &text[target_start..target_end]).ok_or(Kind::Target)?;
    }
    Ok(Some(RequestLine { method, version, target_start, target_end, path_start, path_end, query_start }))
}

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

/// Looks closer at what is not a version we speak and the end of its line: whether it is one that we read as 1.1, for
/// whoever speaks a higher minor version can be read so (RFC 9110 section 6.2). If not, it may become one.
#[cold]
fn unusual_version(rest: &[u8]) -> Result<bool, Kind> {
    let pattern = b"HTTP/0.0";
    let alike = pattern.iter().zip(rest).all(|(&wanted, &found)| match wanted {
        b'0' => found.is_ascii_digit(),
        _ => found == wanted,
    });
    if !alike {
        return Err(Kind::Version);
    }
    match rest.split_at_checked(pattern.len()) {
        Some((version, _)) if !version.starts_with(b"HTTP/1.") => Err(Kind::VersionUnsupported),
        None | Some((_, b"" | b"\r")) => Ok(false),
        Some((_, [b'\r', b'\n', ..])) => Ok(true),
        Some(_) => Err(Kind::LineEnd),
    }
}

/// Takes the field lines that follow a request line, and says how many bytes they have; `None` if they have not
/// ended.
#[inline]
fn fields(text: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<Option<usize>, Error> {
    // The slots that httparse splits fields into are initialised each time, so there are as many as the last head
    // took.
    match head.field_count_last {
        0..=8 => split_fields::<8>(text, limits, head),
        9..=32 => split_fields::<32>(text, limits, head),
        _ => split_fields::<{ Limits::HEADER_COUNT_CEILING }>(text, limits, head),
    }
}

/// The same with so many slots; more are tried when they are not enough.
///
/// Not inlined, so that the slots are no part of the frame when the fields are the same as last time.
#[inline(never)]
fn split_fields<const SLOTS: usize>(
    text: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<usize>, Error> {
    let count_max = limits.header_count_max.min(Limits::HEADER_COUNT_CEILING);
    let mut slots = [httparse::EMPTY_HEADER; SLOTS];
    match httparse::parse_headers(text, &mut slots[..count_max.min(SLOTS)]) {
        Ok(httparse::Status::Complete((length, fields))) => {
            accept(&text[..length], fields, head)?;
            Ok(Some(length))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) if SLOTS < count_max => {
            split_fields::<{ Limits::HEADER_COUNT_CEILING }>(text, limits, head)
        }
        Err(error) => Err(refusal(error)),
    }
}

/// Checks the fields that httparse has split this text into, and fills the head with them.
#[inline]
fn accept(text: &[u8], fields: &[httparse::Header<'_>], head: &mut RequestHead) -> Result<(), Error> {
    // The ends of the other lines are seen to below, each where the next line begins.
    if text != b"\r\n" && !text.ends_with(b"\r\n\r\n") {
        return Err(Error::new(Kind::LineEnd));
    }
    head.begin_fields(text);
    let mut facts = FieldFacts::default();
    for field in fields {
        let name = field.name.as_bytes();
        let name_start = name.as_ptr().addr() - text.as_ptr().addr();
        let value_start = field.value.as_ptr().addr() - text.as_ptr().addr();
        if name_start > 0 && text[name_start - 2] != b'\r' {
            return Err(Error::new(Kind::LineEnd));
        }
        // Most names are set aside by their length.
        match name.len() {
            4 if is(name, b"host") => facts.host(field.value)?,
            6 if is(name, b"expect") => facts.expect(field.value),
            10 if is(name, b"connection") => facts.connection(field.value),
            14 if is(name, b"content-length") => facts.content_length(field.value)?,
            17 if is(name, b"transfer-encoding") => facts.transfer_encoding(field.value)?,
            _ => {}
        }
        head.push_field(FieldRange {
            name_start: offset(name_start),
            name_end: offset(name_start + name.len()),
            value_start: offset(value_start),
            value_end: offset(value_start + field.value.len()),
        });
    }
    head.finish_fields(facts);
    Ok(())
}

/// Weighs request line and fields together, once both are known.
#[inline]
fn finish(limits: &Limits, head: &mut RequestHead) -> Result<Framing, Error> {
    let line = *head.line();
    let framing =
        if line.version == Version::Http11 && head.has_plain_fields() { Framing::PLAIN } else { weigh(head, limits)? };
    if line.path_start == line.path_end && line.method != Method::Connect {
        // RFC 9112 section 3.2.4: a proxy may have to put OPTIONS * in absolute form, and then leaves the path out.
        let whole_server = line.method == Method::Options && line.query_start == 0;
        head.imply_path(if whole_server { "*" } else { "/" });
    }
    Ok(framing)
}

#[inline(never)]
fn weigh(head: &RequestHead, limits: &Limits) -> Result<Framing, Error> {
    let (line, facts) = (head.line(), head.facts());
    let named_in_target = line.path_start > line.target_start;
    let host_fits = match facts.host {
        HostFact::Named => true,
        // The target URI then has no authority (RFC 9112 section 3.2), so the target may not name one.
        HostFact::Empty => !named_in_target,
        HostFact::Missing => line.version == Version::Http10,
    };
    if !host_fits {
        return Err(Error::new(Kind::Host));
    }
    facts.decide(line.method, line.version, limits)
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

/// Where the path begins in a target of another form: authority for CONNECT alone, asterisk for OPTIONS alone, and
/// absolute.
#[cold]
fn path_place(method: Method, target: &[u8]) -> Option<usize> {
    let target = str::from_utf8(target).ok()?;
    if method == Method::Connect {
        let (host, port) = split_authority(target.as_bytes())?;
        // A tunnel to a port that cannot be is refused (RFC 9110 section 9.3.6).
        let port = str::from_utf8(port?).ok()?.parse::<NonZeroU16>().ok();
        return (!host.is_empty() && port.is_some()).then_some(target.len());
    }
    if target == "*" {
        return (method == Method::Options).then_some(0);
    }
    let (scheme, rest) = target.split_once("://")?;
    // No connection here is secured, and only one that is may be asked for https (RFC 9110 section 7.4).
    if !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let (host, _port) = split_authority(authority.as_bytes())?;
    (!host.is_empty()).then_some(scheme.len() + 3 + authority.len())
}

impl FieldFacts {
    /// Takes a Host: `uri-host [ ":" port ]`, once, and empty only as a whole.
    #[inline]
    fn host(&mut self, value: &[u8]) -> Result<(), Error> {
        let fact = match split_authority(value) {
            Some((b"", None)) => HostFact::Empty,
            Some((host, _)) if !host.is_empty() => HostFact::Named,
            _ => return Err(Error::new(Kind::Host)),
        };
        match std::mem::replace(&mut self.host, fact) {
            HostFact::Missing => Ok(()),
            _ => Err(Error::new(Kind::Host)),
        }
    }
}

/// Set for a byte that is not simply part of a registered name: all but unreserved and sub-delims (RFC 3986 section
/// 3.2.2).
static NOT_NAME: [u8; 256] = byte_table!(|byte| match byte {
    _ if byte.is_ascii_alphanumeric() => 0,
    b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => 0,
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

/// Whether this is an IPv6 address, or one of a version to come: `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":"
/// )`.
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

#[cfg(test)]
mod tests;
