//! Responses become bytes.
//!
//! A response head is written where it will be sent from, field by field, and never exists as a value:
//!
//! ```
//! use bytes::BytesMut;
//! use evloop_http::codec::date::Date;
//! use evloop_http::codec::encode::{BodyFraming, ConnectionField, ResponseHead};
//! use evloop_http::message::StatusCode;
//!
//! let mut out = BytesMut::new();
//! let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
//! head.header("content-type", b"text/plain")?;
//! head.finish(BodyFraming::Length(13), ConnectionField::Omit, &Date::at(1_763_798_400));
//! out.extend_from_slice(b"Hello, World!");
//!
//! let expected = "HTTP/1.1 200 OK\r\n\
//!     content-type: text/plain\r\n\
//!     content-length: 13\r\n\
//!     date: Sat, 22 Nov 2025 08:00:00 GMT\r\n\
//!     \r\n\
//!     Hello, World!";
//! assert_eq!(out, expected);
//! # Ok::<(), evloop_http::error::Error>(())
//! ```
//!
//! The application names what it wants to say; framing, connection and date are the server's, so that a response
//! cannot contradict what is done with the socket. The status line says HTTP/1.1 to every client, also one that
//! speaks 1.0 (RFC 9110 section 6.2): what such a client cannot read, chunks, is left out by the caller.

use bytes::BytesMut;
use std::ops::Range;

use super::date::{Date, TAIL_BYTES};
use super::{byte_table, gather, is, is_text, is_token};
use crate::error::{Error, Kind};
use crate::message::StatusCode;

/// The interim answer a client waits for that has sent `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Room made at once for a head: status line, a handful of fields, and what the server adds.
const HEAD_BYTES_USUAL: usize = 256;

/// How the client finds the end of the response's body (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// After so many bytes; also for HEAD, where they do not follow.
    Length(u64),
    /// After the chunk written by [`last_chunk`].
    Chunked,
    /// Where the connection ends; [`ConnectionField::Close`] belongs to it.
    Close,
    /// There is no body and no field that says so: for answers that end with their head.
    None,
}

/// What a response says about the connection (RFC 9112 section 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionField {
    /// Nothing: the version's default holds.
    Omit,
    /// It ends after this response.
    Close,
    /// It stays, which only an HTTP/1.0 client needs to be told.
    KeepAlive,
}

/// It has a field `upgrade`, which `connection` must then name (RFC 9110 section 7.8).
const UPGRADE: u8 = 1;
/// It is to have no date.
const NO_DATE: u8 = 2;

/// A response head being written.
///
/// A head that is dropped before [`finish`](ResponseHead::finish) is taken back: half a head is never left in the
/// output.
#[derive(Debug)]
#[must_use = "a head that is not finished is taken back"]
pub struct ResponseHead<'a> {
    out: &'a mut BytesMut,
    /// Where the head begins in `out`, which may hold earlier responses.
    start: usize,
    /// Where its fields begin.
    fields_start: usize,
    status: StatusCode,
    /// What its end has to see to: [`UPGRADE`], [`NO_DATE`], mostly neither; one look for both.
    unusual: u8,
    finished: bool,
}

impl<'a> ResponseHead<'a> {
    /// Begins a head at the end of `out`.
    #[inline]
    pub fn begin(out: &'a mut BytesMut, status: StatusCode) -> ResponseHead<'a> {
        out.reserve(HEAD_BYTES_USUAL);
        let start = out.len();
        if status == StatusCode::OK {
            // Of a known length, so the copy is two stores.
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            status_line(out, status);
        }
        let fields_start = out.len();
        ResponseHead { out, start, fields_start, status, unusual: 0, finished: false }
    }

    /// Adds a field; the name is written in lower case.
    ///
    /// # Errors
    ///
    /// If the name is no token or is the server's (`connection`, `content-length`, `date`, `transfer-encoding`), or
    /// the value has a control character in it: CR and LF would begin a field, or a response, of someone else's
    /// making (RFC 9110 section 5.5). Nothing is then written.
    #[inline]
    pub fn header(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        field_line(self.out, name, value)?;
        self.unusual |= u8::from(is(name.as_bytes(), b"upgrade")) * UPGRADE;
        Ok(())
    }

    /// Adds a field that was checked beforehand.
    #[inline]
    pub fn line(&mut self, line: FieldLine) {
        self.out.extend_from_slice(line.text.as_bytes());
    }

    /// The value of the first field with this name that was added so far.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields with this name that were added so far, in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.named(name).map(|(_, value)| value)
    }

    /// Adds a field, in place of all that have this name and were added so far.
    ///
    /// # Errors
    ///
    /// As [`header`](ResponseHead::header). What was there is then still there.
    pub fn replace(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        let old = self.out.len();
        self.header(name, value)?;
        let added = self.out.split_off(old);
        self.remove(name);
        self.out.extend_from_slice(&added);
        Ok(())
    }

    /// Takes back all fields with this name that were added so far.
    pub fn remove(&mut self, name: &str) {
        let places: Vec<Range<usize>> = self.named(name).map(|(place, _)| place).collect();
        for place in places.into_iter().rev() {
            let rest = self.out.split_off(place.end);
            self.out.truncate(place.start);
            self.out.extend_from_slice(&rest);
        }
    }

    /// The fields with this name that were added so far: where each is in the output, and its value.
    fn named(&self, name: &str) -> impl Iterator<Item = (Range<usize>, &[u8])> {
        let is_named = move |known: &[u8]| known.eq_ignore_ascii_case(name.as_bytes());
        self.lines().filter(move |(_, known, _)| is_named(known)).map(|(place, _, value)| (place, value))
    }

    /// Leaves out the date, as a server does whose clock is not to be relied on (RFC 9110 section 6.6.1).
    pub fn omit_date(&mut self) {
        self.unusual |= NO_DATE;
    }

    /// Where the next field would be in the output.
    pub(super) fn mark(&self) -> usize {
        self.out.len()
    }

    /// Whether a field of this name was added before that.
    pub(super) fn has_before(&self, mark: usize, name: &[u8]) -> bool {
        let mut lines = self.lines();
        lines.any(|(place, known, _)| place.start < mark && known.eq_ignore_ascii_case(name))
    }

    /// Adds lines that were checked beforehand, none of them `upgrade`.
    pub(super) fn append(&mut self, lines: &[u8]) {
        self.out.extend_from_slice(lines);
    }

    /// The fields that were added so far: where each is in the output, its name, its value.
    fn lines(&self) -> impl Iterator<Item = (Range<usize>, &[u8], &[u8])> {
        let mut at = self.fields_start;
        let text = &self.out[..];
        std::iter::from_fn(move || {
            let line = text[at..].split_inclusive(|&byte| byte == b'\n').next()?;
            let colon = line.iter().position(|&byte| byte == b':').expect("every line that was added has one");
            let place = at..at + line.len();
            at = place.end;
            Some((place, &line[..colon], &line[colon + 2..line.len() - 2]))
        })
    }

    /// Gives up the head, and takes only the lines of the fields that were added.
    pub(crate) fn into_fields(self) -> BytesMut {
        self.out.split_off(self.fields_start)
    }

    /// Adds the lines of [`into_fields`](ResponseHead::into_fields).
    pub(crate) fn copy_fields(&mut self, lines: &BytesMut) {
        self.out.extend_from_slice(lines);
        self.unusual |= u8::from(self.get("upgrade").is_some()) * UPGRADE;
    }

    /// Ends the head of an interim response: it has neither framing nor a date (RFC 9110 section 6.6.1).
    pub fn finish_interim(mut self) {
        debug_assert!(self.status.is_informational());
        self.out.extend_from_slice(b"\r\n");
        self.finished = true;
    }

    /// Writes the server's fields and ends the head.
    ///
    /// Interim answers and 204 get no framing whatever is asked for, because they may not have any (RFC 9110 section
    /// 8.6, RFC 9112 section 6.1); a 304 may tell the length it would have had.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "each kind of response has its own, and passes through it once")]
    pub fn finish(mut self, body: BodyFraming, connection: ConnectionField, date: &Date) {
        let may_be_framed = !self.status.is_informational() && self.status != StatusCode::NO_CONTENT;
        match body {
            BodyFraming::Length(length) if may_be_framed => {
                let mut room = LengthAndDate::ROOM;
                let text = room.write(length, date);
                if self.unusual == 0 && connection == ConnectionField::Omit {
                    self.out.extend_from_slice(text);
                    self.finished = true;
                    return;
                }
                self.out.extend_from_slice(&text[..text.len() - date.tail().len()]);
            }
            BodyFraming::Chunked if may_be_framed => self.out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            _ => {}
        }
        self.finish_unusually(connection, date);
    }

    #[inline(never)]
    fn finish_unusually(mut self, connection: ConnectionField, date: &Date) {
        let upgrade = self.unusual & UPGRADE != 0;
        self.out.extend_from_slice(match (connection, upgrade) {
            (ConnectionField::Omit, false) => b"",
            (ConnectionField::Omit, true) => b"connection: upgrade\r\n",
            (ConnectionField::Close, false) => b"connection: close\r\n",
            (ConnectionField::Close, true) => b"connection: close, upgrade\r\n",
            (ConnectionField::KeepAlive, false) => b"connection: keep-alive\r\n",
            (ConnectionField::KeepAlive, true) => b"connection: keep-alive, upgrade\r\n",
        });
        self.out.extend_from_slice(if self.unusual & NO_DATE == 0 { date.tail() } else { b"\r\n" });
        self.finished = true;
    }
}

/// Room for the field `content-length` and for the date that nearly always ends the head behind it. They are put together
/// here, for the appending of a few bytes costs more than the bytes: once in place of four times.
struct LengthAndDate([u8; LENGTH_BYTES_MAX + TAIL_BYTES]);

const LENGTH_NAME: &[u8] = b"content-length: ";

/// The most bytes of the field, without its line's end: a number has no more digits than the largest.
const LENGTH_BYTES_MAX: usize = LENGTH_NAME.len() + u64::MAX.ilog10() as usize + 1;

/// The numbers from 0 to 99: a division by a hundred costs no more than one by ten.
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut table = [*b"00"; 100];
    let mut number = 0_u8;
    while (number as usize) < table.len() {
        table[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    table
};

impl LengthAndDate {
    const ROOM: LengthAndDate = LengthAndDate([0; LENGTH_BYTES_MAX + TAIL_BYTES]);

    /// From the back, because what comes last has a known place.
    #[inline]
    fn write(&mut self, length: u64, date: &Date) -> &[u8] {
        self.0[LENGTH_BYTES_MAX..].copy_from_slice(date.next_line());
        let (mut start, mut rest) = (LENGTH_BYTES_MAX, length);
        while rest >= 10 {
            start -= 2;
            self.0[start..start + 2].copy_from_slice(&TWO_DIGITS[(rest % 100) as usize]);
            rest /= 100;
        }
        if rest > 0 || length == 0 {
            start -= 1;
            self.0[start] = TWO_DIGITS[(rest % 10) as usize][1];
        }
        let digits = start;
        start -= LENGTH_NAME.len();
        self.0[start..digits].copy_from_slice(LENGTH_NAME);
        &self.0[start..]
    }
}

impl Drop for ResponseHead<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// A field line that is known, and checked, before there is a response to put it in.
///
/// Checking `content-type: text/plain` each time costs more than writing it.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use evloop_http::codec::encode::{FieldLine, ResponseHead};
/// use evloop_http::message::StatusCode;
///
/// const NO_STORE: FieldLine = FieldLine::new("cache-control: no-store\r\n");
///
/// let mut out = BytesMut::new();
/// let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
/// head.line(NO_STORE);
/// # drop(head);
/// ```
///
/// What is no field line does not compile:
///
/// ```compile_fail
/// # use evloop_http::codec::encode::FieldLine;
/// const TWO_LINES: FieldLine = FieldLine::new("a: b\r\nc: d\r\n");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldLine {
    /// Invariant: a name that is not reserved, in small letters; a colon and a space; a value; CR LF.
    text: &'static str,
}

impl FieldLine {
    /// `content-type: text/plain; charset=utf-8`
    pub const TEXT_PLAIN: FieldLine = FieldLine::new("content-type: text/plain; charset=utf-8\r\n");
    /// `content-type: text/html; charset=utf-8`
    pub const TEXT_HTML: FieldLine = FieldLine::new("content-type: text/html; charset=utf-8\r\n");
    /// `content-type: application/json`
    pub const JSON: FieldLine = FieldLine::new("content-type: application/json\r\n");
    /// `content-type: application/octet-stream`
    pub const OCTET_STREAM: FieldLine = FieldLine::new("content-type: application/octet-stream\r\n");

    /// Takes a line of the form `name: value` and its CR LF. In a constant, this is checked while compiling.
    ///
    /// # Panics
    ///
    /// If it has another form, a capital in its name, a control character in its value, or a name that is the
    /// server's; or `upgrade`, which is for [`ResponseHead::header`] alone.
    pub const fn new(text: &'static str) -> FieldLine {
        let bytes = text.as_bytes();
        let mut colon = 0;
        while colon < bytes.len() && NAME[bytes[colon] as usize] == 0 {
            colon += 1;
        }
        assert!(colon > 0, "a field line begins with a token in small letters");
        assert!(!is_reserved(bytes.split_at(colon).0), "the field is the server's to write");
        assert!(!is(bytes.split_at(colon).0, b"upgrade"), "the connection must be told of this field");
        let Some((b": ", value)) = bytes.split_at(colon).1.split_at_checked(2) else {
            panic!("a colon and a space follow the name");
        };
        let Some((value, b"\r\n")) = value.split_last_chunk::<2>() else {
            panic!("a field line ends with cr lf");
        };
        let mut at = 0;
        while at < value.len() {
            assert!(is_text(value[at]), "a value has no control characters");
            at += 1;
        }
        FieldLine { text }
    }

    /// The name, in small letters.
    pub(crate) fn name(self) -> &'static str {
        self.text.split(':').next().unwrap_or_default()
    }
}

#[inline(never)]
fn status_line(out: &mut BytesMut, status: StatusCode) {
    if let Some(line) = status.line() {
        out.extend_from_slice(line.as_bytes());
        return;
    }
    // The phrase may be empty, the space before it may not be left out (RFC 9112 section 4).
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status.as_u16()).as_bytes());
    out.extend_from_slice(b" \r\n");
}

/// Set for a byte that no name has.
const NOT_TOKEN: u8 = 1;
/// Set for a capital.
const CAPITAL: u8 = 2;

static NAME: [u8; 256] = byte_table!(|byte| match byte {
    b'A'..=b'Z' => CAPITAL,
    _ if is_token(byte) => 0,
    _ => NOT_TOKEN,
});

/// Set for a byte that no value has.
static NOT_VALUE: [u8; 256] = byte_table!(|byte| !is_text(byte) as u8);

/// Writes a field line, its name in small letters; nothing if it cannot be written.
#[inline]
pub(super) fn field_line(out: &mut BytesMut, name: &str, value: &[u8]) -> Result<(), Error> {
    let name = name.as_bytes();
    let seen = gather(&NAME, name);
    if seen & NOT_TOKEN != 0 || name.is_empty() {
        return Err(Error::new(Kind::ResponseName));
    }
    if gather(&NOT_VALUE, value) != 0 {
        return Err(Error::new(Kind::ResponseValue));
    }
    if is_reserved(name) {
        return Err(Error::new(Kind::ResponseReserved));
    }
    let name_start = out.len();
    out.extend_from_slice(name);
    if seen & CAPITAL != 0 {
        out[name_start..].make_ascii_lowercase();
    }
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Whether only the server writes this field.
#[inline]
const fn is_reserved(name: &[u8]) -> bool {
    match name.len() {
        4 => is(name, b"date"),
        10 => is(name, b"connection"),
        14 => is(name, b"content-length"),
        17 => is(name, b"transfer-encoding"),
        _ => false,
    }
}

/// Writes what comes before the data of a chunk: its size, in hexadecimal digits, and the line's end.
///
/// # Panics
///
/// If the size is zero: that would end the body, which is [`last_chunk`]'s to do.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use evloop_http::codec::encode;
///
/// let mut out = BytesMut::new();
/// encode::chunk_head(&mut out, 26);
/// out.extend_from_slice(b"abcdefghijklmnopqrstuvwxyz");
/// encode::chunk_end(&mut out);
/// encode::last_chunk(&mut out);
/// assert_eq!(out, "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n");
/// ```
pub fn chunk_head(out: &mut BytesMut, size: usize) {
    assert!(size > 0, "an empty chunk ends the body");
    // Two digits a byte, then the line end; filled from the back.
    let mut line = [0; size_of::<usize>() * 2 + 2];
    let mut start = line.len() - 2;
    line[start..].copy_from_slice(b"\r\n");
    let mut rest = size;
    while rest > 0 {
        start -= 1;
        line[start] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.extend_from_slice(&line[start..]);
}

/// Writes what comes after the data of a chunk.
pub fn chunk_end(out: &mut BytesMut) {
    out.extend_from_slice(b"\r\n");
}

/// Writes the empty chunk that ends a body, without trailers.
pub fn last_chunk(out: &mut BytesMut) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Fields that no trailer may be, besides the server's: those that frame, route, describe or authenticate what has gone
/// before (RFC 9110 section 6.5.1).
const NO_TRAILERS: [&str; 19] = [
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "expect",
    "expires",
    "host",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "upgrade",
    "vary",
    "www-authenticate",
];

/// Writes the empty chunk that ends a body, and trailers behind it.
///
/// # Errors
///
/// If a name or a value cannot be written, or the field may not be a trailer. Nothing is then written.
pub fn last_chunk_with<'t>(
    out: &mut BytesMut,
    trailers: impl IntoIterator<Item = (&'t str, &'t [u8])>,
) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(b"0\r\n");
    let written = trailers.into_iter().try_for_each(|(name, value)| {
        if NO_TRAILERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(Error::new(Kind::TrailerReserved));
        }
        field_line(out, name, value)
    });
    match written {
        Ok(()) => out.extend_from_slice(b"\r\n"),
        Err(_) => out.truncate(start),
    }
    written
}

#[cfg(test)]
mod tests;
