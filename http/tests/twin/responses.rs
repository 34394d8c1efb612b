//! What a server has written, as a client reads it: RFC 9112 sections 4 to 7.

use super::{chunked, field_line, is_text};
use evloop_http::Limits;

/// What a client remembers of a request that it has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) is_head: bool,
    pub(crate) is_connect: bool,
    pub(crate) is_http11: bool,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of the body is there.
    Whole,
    /// A part of it is missing, and the client knows.
    Cut,
    /// The connection's end is the body's (6.3, rule 8), or it has become a tunnel.
    Close,
}

impl Response {
    pub(crate) fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        self.fields.iter().filter(|field| field.0 == name).map(|field| &field.1[..]).collect()
    }
}

/// Reads all responses, interim ones among them, to these requests. Nothing may be left over.
pub(crate) fn read(mut output: &[u8], asked: &[Asked]) -> Result<Vec<Response>, &'static str> {
    let mut responses: Vec<Response> = Vec::new();
    let mut asked = asked.iter();
    let mut request = asked.next();
    while !output.is_empty() {
        if responses.last().is_some_and(|last| last.end != End::Whole) {
            return Err("something follows a response that has no end");
        }
        let Some(&answered) = request else { return Err("a response that nobody asked for") };
        let (response, rest) = response(output, answered)?;
        if response.status >= 200 || response.end == End::Close {
            request = asked.next();
        }
        responses.push(response);
        output = rest;
    }
    Ok(responses)
}

fn response(output: &[u8], asked: Asked) -> Result<(Response, &[u8]), &'static str> {
    let (line, mut rest) = line(output)?;
    let status = status_line(line).ok_or("4: no status line")?;
    let mut fields = Vec::new();
    loop {
        let (line, after) = self::line(rest)?;
        rest = after;
        if line.is_empty() {
            break;
        }
        let (name, value) = field_line(line).ok_or("5: no field line")?;
        fields.push((String::from_utf8_lossy(name).to_lowercase(), value.to_vec()));
    }
    let mut response = Response { status, fields, body: Vec::new(), end: End::Whole };
    let rest = body(&mut response, rest, asked)?;
    Ok((response, rest))
}

/// A line and what follows it. What is written is written line by line, so a line that has no end is an error.
fn line(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let end = text.windows(2).position(|two| two == b"\r\n").ok_or("2.2: a line without an end")?;
    Ok((&text[..end], &text[end + 2..]))
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (4). The version is the server's own.
fn status_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let (code, phrase) = rest.split_at_checked(3)?;
    let is_code = code.iter().all(u8::is_ascii_digit) && code[0] != b'0';
    let is_phrase = phrase.first() == Some(&b' ') && is_text(phrase);
    str::from_utf8(code).ok()?.parse().ok().filter(|_| is_code && is_phrase)
}

/// Takes the body (6.3), and gives what follows it.
fn body<'a>(response: &mut Response, rest: &'a [u8], asked: Asked) -> Result<&'a [u8], &'static str> {
    let codings = response.values("transfer-encoding");
    let lengths = response.values("content-length");
    if !codings.is_empty() && (codings != [b"chunked"] || !lengths.is_empty() || !asked.is_http11) {
        return Err("6.1: Transfer-Encoding is chunked alone, and for HTTP/1.1");
    }
    if lengths.len() > 1 {
        return Err("6.2: two lengths");
    }
    let is_chunked = !codings.is_empty();
    let length = match lengths.first() {
        Some(digits) if digits.iter().all(u8::is_ascii_digit) => {
            let length = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
            Some(length.ok_or("6.2: Content-Length is a number")?)
        }
        Some(_) => return Err("6.2: Content-Length is digits"),
        None => None,
    };
    // What follows these is no HTTP any more (rule 2, 9110 section 15.2.2).
    let is_tunnel = response.status == 101 || (asked.is_connect && (200..300).contains(&response.status));
    if response.status < 200 || response.status == 204 || is_tunnel {
        if is_chunked || length.is_some() {
            return Err("6.1, 9110 8.6: no framing here");
        }
        if is_tunnel {
            response.body = rest.to_vec();
            response.end = End::Close;
            return Ok(&[]);
        }
        return Ok(rest);
    }
    if asked.is_head || response.status == 304 {
        return Ok(rest); // rule 1
    }
    if is_chunked {
        let unlimited = Limits { body_bytes_max: u64::MAX, chunk_extension_bytes_max: 0, ..Limits::default() };
        let reading = chunked::read(rest, &unlimited); // rule 4
        response.body = reading.data;
        return match reading.consumed {
            Ok(consumed) => Ok(&rest[consumed..]),
            Err(chunked::Stop::Unfinished) => {
                response.end = End::Cut;
                Ok(&[])
            }
            Err(chunked::Stop::Refused(broken)) => Err(broken.rule),
        };
    }
    let (taken, end) = match length {
        // rule 6
        Some(length) => match usize::try_from(length).ok().filter(|&length| length <= rest.len()) {
            Some(length) => (length, End::Whole),
            None => (rest.len(), End::Cut),
        },
        None => (rest.len(), End::Close),
    };
    response.body = rest[..taken].to_vec();
    response.end = end;
    Ok(&rest[taken..])
}
